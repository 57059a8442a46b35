"""Jobs over HTTP: text and files in, progress, files out; nothing of another key."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.producers.http.conftest import ALICE, BOB, House
from tests.integration.queue_texts import CAT, CAT_SENTENCES
from tests.servers.door import Answer
from tests.servers.waiting import PATIENCE, wait_until

EXAMPLES = Path(__file__).resolve().parents[4] / "examples"


def form(name: str, data: bytes, options: dict[str, Any] | None = None) -> tuple[bytes, dict[str, str]]:
    """A form with one file, as a browser sends it."""
    boundary = b"koebin-boundary"
    parts = [
        b'--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n' % (boundary, name.encode()),
        data,
        b'\r\n--%s\r\nContent-Disposition: form-data; name="options"\r\n\r\n' % boundary,
        json.dumps(options or {}).encode(),
        b"\r\n--%s--\r\n" % boundary,
    ]
    return b"".join(parts), {"Content-Type": f"multipart/form-data; boundary={boundary.decode()}"}


def submit(house: House, key: str = ALICE, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
    return house.door.ask("POST", "/v1/jobs", fields, headers, key)


def ended(house: House, job: str, key: str = ALICE) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def has_ended() -> bool:
        found.update(house.door.ask("GET", f"/v1/jobs/{job}", key=key).json)
        return found["state"] not in ("RUNNING", "ASSEMBLING")

    wait_until(has_ended, what=job)
    return house.door.ask("GET", f"/v1/jobs/{job}", key=key).json


@pytest.fixture(scope="module")
def done(house: House) -> dict[str, Any]:
    """A job of Alice's that has ended."""
    answer = submit(house, text=CAT, title="猫", formats=["mp3", "flac"], subtitles=["vtt"], player=True)
    assert answer.status == 202, answer
    assert answer.headers["location"] == f"/v1/jobs/{answer.json['id']}"
    return ended(house, answer.json["id"])


def test_a_text_becomes_files(house: House, done: dict[str, Any]) -> None:
    assert done["state"] == "SUCCEEDED", done
    assert (done["title"], done["segments"], done["progress"]) == ("猫", CAT_SENTENCES, 1.0)
    assert {file["format"] for file in done["files"]} >= {"mp3", "flac", "vtt"}
    for entry in done["files"]:
        answer = house.door.ask("GET", entry["url"], key=ALICE)
        assert (answer.status, len(answer.body)) == (200, entry["bytes"]), entry


def test_files_are_given_in_ranges(house: House, done: dict[str, Any]) -> None:
    entry = next(file for file in done["files"] if file["format"] == "flac")
    whole = house.door.ask("GET", entry["url"], key=ALICE)
    size = entry["bytes"]

    def part(wanted: str, **more: str) -> Answer:
        headers = {"Range": wanted, **{name.replace("_", "-"): value for name, value in more.items()}}
        return house.door.ask("GET", entry["url"], headers=headers, key=ALICE)

    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-type"] == "audio/flac"
    middle = part("bytes=1000-1999")
    assert (middle.status, middle.body) == (206, whole.body[1000:2000])
    assert middle.headers["content-range"] == f"bytes 1000-1999/{size}"
    assert part("bytes=-100").body == whole.body[-100:]
    assert part(f"bytes={size - 5}-").body == whole.body[-5:]
    assert part(f"bytes=0-{size * 2}").body == whole.body
    assert part(f"bytes={size}-").status == 416
    assert part("bytes=0-9,20-29").status == 200
    assert part("lines=1-2").status == 200
    assert part("bytes=0-9", If_Range='"other"').status == 200
    assert part("bytes=0-9", If_Range=whole.headers["etag"]).status == 206
    unchanged = house.door.ask("GET", entry["url"], headers={"If-None-Match": whole.headers["etag"]}, key=ALICE)
    assert (unchanged.status, unchanged.body) == (304, b"")
    head = house.door.ask("HEAD", entry["url"], key=ALICE)
    assert (head.status, head.headers["content-length"], head.body) == (200, str(size), b"")


def test_nothing_of_another_key_is_seen(house: House, done: dict[str, Any]) -> None:
    job = done["id"]
    unknown = house.door.ask("GET", "/v1/jobs/alice.20200101-000000-000000000000", key=BOB)
    for method, path in (
        ("GET", f"/v1/jobs/{job}"),
        ("GET", f"/v1/jobs/{job}/events"),
        ("GET", done["files"][0]["url"]),
        ("DELETE", f"/v1/jobs/{job}"),
    ):
        answer = house.door.ask(method, path, key=BOB)
        assert answer.status == 404, (method, path, answer)
        assert set(answer.json) == set(unknown.json)
    assert job not in str(house.door.ask("GET", "/v1/jobs?limit=200", key=BOB).json)
    assert job in str(house.door.ask("GET", "/v1/jobs?limit=200", key=ALICE).json)
    for path in ("../../manifest.json", "..%2f..%2fmanifest.json", "%2e%2e/result.json", ".hidden", ""):
        assert house.door.ask("GET", f"/v1/jobs/{job}/files/{path}", key=ALICE).status == 404, path


def test_the_same_idempotency_key_is_the_same_job(house: House) -> None:
    headers = {"Idempotency-Key": "order 1"}
    first = submit(house, headers=headers, text="同じ仕事です。", formats=["wav"])
    again = submit(house, headers=headers, text="同じ仕事です。", formats=["wav"])
    assert (first.status, again.status) == (202, 200)
    assert first.json["id"] == again.json["id"]
    other = submit(house, headers=headers, text="別の仕事です。", formats=["wav"])
    assert other.status == 409
    assert other.headers["content-type"] == "application/problem+json"
    assert other.json["type"] == "urn:koebin:job-conflict"
    theirs = submit(house, key=BOB, headers=headers, text="ボブの仕事です。", speaker="ken", formats=["wav"])
    assert theirs.status == 202
    assert theirs.json["id"] != first.json["id"]


@pytest.mark.parametrize("name", ["book.md", "dialogue.dialogue", "lines.jsonl", "announcement.ssml", "mori.epub"])
def test_every_input_format_can_be_uploaded(house: House, name: str) -> None:
    body, headers = form(name, (EXAMPLES / name).read_bytes(), {"speaker": "ken", "formats": ["mp3"]})
    answer = house.door.ask("POST", "/v1/jobs", body, headers, ALICE)
    if answer.status == 400 and "dictionary" in (EXAMPLES / name).read_text(errors="ignore"):
        assert "dictionary" in answer.json["detail"]  # it names a file beside itself, which no upload has
        return
    assert answer.status == 202, answer
    cancelled = house.door.ask("DELETE", f"/v1/jobs/{answer.json['id']}", key=ALICE)
    assert cancelled.status == 200
    assert cancelled.json["state"] in ("CANCELLED", "SUCCEEDED")


def test_an_upload_sees_no_file_of_the_machine(house: House, tmp_path: Path) -> None:
    secret = tmp_path / "secret.toml"
    secret.write_text('[words]\n"猫" = "ネコ"\n')
    for named in (str(secret), "../../../../../etc/passwd", "dictionary.toml"):
        text = f'+++\ndictionary = ["{named}"]\n+++\n猫です。\n'
        body, headers = form("x.md", text.encode())
        answer = house.door.ask("POST", "/v1/jobs", body, headers, ALICE)
        assert answer.status == 400, answer
        assert "ネコ" not in answer.body.decode()


def test_words_are_those_of_the_command_line(house: House) -> None:
    body, headers = form("x.ssml", b"<speak><nonsense></speak>")
    answer = house.door.ask("POST", "/v1/jobs", body, headers, ALICE)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json["line"] == 1
    assert answer.json["title"]
    assert answer.json["status"] == 400
    assert submit(house, text="はい。", speaker="mee").json["hint"] == "Did you mean mei?"
    assert submit(house, text="").json["type"] == "urn:koebin:invalid-text"
    assert submit(house, text="はい。", nonsense=1).status == 422
    assert submit(house, text="はい。", whole=False).status == 400
    assert submit(house).status == 422
    assert submit(house, key=BOB, text="はい。", speaker="mei").status == 403
    assert submit(house, text="はい。", webhook="ftp://x").status == 400
    plain = house.door.ask("POST", "/v1/jobs", b"x", {"Content-Type": "text/plain"}, ALICE)
    assert plain.status == 415
    assert house.door.ask("GET", "/v1/nothing", key=ALICE).json["status"] == 404
    assert house.door.ask("PATCH", "/v1/jobs", key=ALICE).status == 405


def test_events_lead_to_the_end(house: House) -> None:
    job = submit(house, text="これは出来事の文です。" * 20 + "終わりの文です。", formats=["wav"]).json["id"]
    connection = http.client.HTTPConnection("127.0.0.1", house.door.port, timeout=PATIENCE)
    connection.request("GET", f"/v1/jobs/{job}/events", headers={"Authorization": f"Bearer {ALICE}"})
    answer = connection.getresponse()
    assert answer.getheader("Content-Type", "").startswith("text/event-stream")
    events = answer.read().decode().split("\n\n")
    connection.close()
    states = [
        json.loads(line.removeprefix("data: "))["state"]
        for event in events
        for line in event.split("\n")
        if line.startswith("data: ")
    ]
    assert states[-1] == "SUCCEEDED"
    assert states == sorted(states, key=["RUNNING", "ASSEMBLING", "SUCCEEDED"].index)
    again = house.door.ask("GET", f"/v1/jobs/{job}/events", key=ALICE)
    assert again.body.decode().count("data: ") == 1
