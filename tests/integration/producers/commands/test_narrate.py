"""Files become finished audio, through the command, a real broker and one real worker with three speakers."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import webvtt
from typer.testing import CliRunner, Result

from koebin.engine.audio.encoding import decode_segment
from koebin.producers.cli import app
from koebin.producers.exits import FAILED, INVALID, NOT_FOUND, PARTIAL
from tests.integration.tasks.jobs.test_webhooks import verify
from tests.servers.redis import RedisServer
from tests.servers.waiting import wait_until
from tests.servers.worker import Worker
from tests.unit.engine.audio.encoding.test_encoding import png

pytestmark = pytest.mark.xdist_group("narration")

SECRET = "s3cret"
BOOK = """# 小さな本

はじまりの文です。二つ目の文です。

## 第一章　朝

朝になりました。鳥が鳴いています。

## 第二章　夜

夜になりました。**静か**です。
"""
SENTENCES = 9
DIALOGUE = """+++
title = "三人の話"
[speakers]
"メイ" = "mei"
"ケン" = { speaker = "ken", speed = 1.1 }
"ヒナ" = "hina"
+++
メイ：おはようございます。
ケン：おはよう。
ヒナ：おはよう、二人とも。

三人は歩きだしました。
"""


class Koebin:
    """The command with one deployment's settings."""

    def __init__(self, broker: str, store: Path) -> None:
        self.store = store
        self._environment = {"KOEBIN_BROKER_URL": broker, "KOEBIN_STORE": store.as_uri()}
        self._runner = CliRunner(env=self._environment)

    def __call__(self, *arguments: object) -> Result:
        return self._runner.invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)

    def json(self, *arguments: object, code: int = 0) -> Any:
        result = self(*arguments, "--json")
        assert result.exit_code == code, result.stderr
        return json.loads(result.stdout)


RECOGNISER = """
def strict(spoken):
    heard = "".join(mora.text for mora in spoken.audio.marks.moras)
    if "二度" in spoken.text and spoken.options.take < 1 or "だめ" in spoken.text:
        return f"heard {heard}"
    return ""
"""


def installed_recogniser(folder: Path) -> Path:
    """A package as pip would leave it in a folder."""
    (folder / "strict_ears.py").write_text(RECOGNISER)
    metadata = folder / "strict_ears-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: strict-ears\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[koebin.recognisers]\nstrict = strict_ears:strict\n")
    return folder


@pytest.fixture(scope="module")
def koebin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Koebin]:
    store = tmp_path_factory.mktemp("store")
    settings = {"sweep_interval": 0.3, "webhook_private": "true", "webhook_secret": SECRET}
    with pytest.MonkeyPatch.context() as patch, RedisServer() as server:
        patch.setenv("PYTHONPATH", str(installed_recogniser(tmp_path_factory.mktemp("packages"))))
        with Worker(server.url, store.as_uri(), "mei,ken,hina", settings=settings):
            yield Koebin(server.url, store)


def path_of(file: dict[str, Any]) -> Path:
    return Path(str(file["uri"]).removeprefix("file://"))


def files(outcome: dict[str, Any], form: str, *, chapters: bool = False) -> list[dict[str, Any]]:
    return [file for file in outcome["files"] if file["format"] == form and bool(file["chapter"]) == chapters]


def samples_of(path: Path) -> tuple[np.ndarray, int]:
    """Decoded by FFmpeg, as floats."""
    with av.open(path) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="flt", layout="mono", rate=stream.rate)
        frames = [out.to_ndarray()[0] for frame in container.decode(stream) for out in resampler.resample(frame)]
        return np.concatenate(frames), int(stream.rate or 0)


@pytest.fixture(scope="module")
def book(koebin: Koebin, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("book")
    (folder / "book.md").write_text(BOOK)
    (folder / "cover.png").write_bytes(png())
    outcome: dict[str, Any] = koebin.json(
        *("narrate", folder / "book.md", "--title", "本の題", "--author", "声便", "--cover", folder / "cover.png"),
        *("-f", "m4b", "-f", "mp3", "--per-chapter", "--loudness", "-18", "--bitrate", "96"),
        *("--subtitles", "srt", "--subtitles", "vtt", "--player", "--priority", "interactive"),
        *("--sentence-pause", "0.5", "--chapter-pause", "1.5"),
    )
    return outcome


def test_a_book_has_chapters_a_cover_and_its_names(book: dict[str, Any]) -> None:
    assert book["state"] == "SUCCEEDED"
    (whole,) = files(book, "m4b")
    with av.open(path_of(whole)) as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == [
            "小さな本",
            "第一章　朝",
            "第二章　夜",
        ]
        assert container.metadata["title"] == "本の題"
        assert container.metadata["artist"] == "声便"
        assert len(container.streams.video) == 1, "the cover"
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(whole["duration_seconds"], abs=0.1)
    parts = files(book, "mp3", chapters=True)
    assert [part["chapter"] for part in parts] == [1, 2, 3]
    assert all(path_of(part).stat().st_size == part["bytes"] for part in parts)


def test_a_book_is_as_loud_as_asked_for(book: dict[str, Any]) -> None:
    import pyloudnorm

    for form in ("m4b", "mp3"):
        samples, rate = samples_of(path_of(files(book, form)[0]))
        assert pyloudnorm.Meter(rate).integrated_loudness(samples) == pytest.approx(-18.0, abs=0.5)


def test_subtitles_and_player_say_every_sentence(book: dict[str, Any]) -> None:
    for form in ("srt", "vtt"):
        with av.open(path_of(files(book, form)[0])) as container:
            texts = [bytes(packet).decode() for packet in container.demux() if packet.size]
        assert re.sub("<[^>]*>|\n", "", "".join(texts)) == re.sub(r"[#*\n ]", "", BOOK)
        assert len(texts) == SENTENCES
    (page,) = [path_of(file) for file in book["files"] if path_of(file).name == "index.html"]
    assert "鳥が鳴いています。" in page.read_text()


def test_lines_become_files_and_broken_ones_are_named(koebin: Koebin, tmp_path: Path) -> None:
    rows = [json.dumps({"id": f"item-{n:02d}", "text": f"{n}番です。"}, ensure_ascii=False) for n in range(1, 41)]
    rows[4] = '{"id": "item-05", "text": '
    rows[16] = '{"id": "item-17", "text": ""}'
    rows[30] = '{"id": "item-31", "text": "速い。", "speed": 99}'
    (tmp_path / "lines.jsonl").write_text("\n".join(rows) + "\n")
    done = koebin("narrate", tmp_path / "lines.jsonl", "--json")
    assert done.exit_code == PARTIAL
    assert [line.split(": ")[0] for line in done.stderr.splitlines()[:3]] == ["line 5", "line 17", "line 31"]
    outcome = json.loads(done.stdout)
    results = [json.loads(line) for line in path_of(outcome["files"][0]).read_text().splitlines()]
    assert [(row["line"], row.get("error", "") == "") for row in results] == [
        (n, n not in (5, 17, 31)) for n in range(1, 41)
    ]
    good = [row for row in results if not row.get("error")]
    assert [row["custom_id"] for row in good] == [f"item-{n:02d}" for n in range(1, 41) if n not in (5, 17, 31)]
    assert results[16]["custom_id"] == "item-17"
    assert "speed" in results[30]["error"]
    for row in good:
        data = path_of(row["result"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["result"]["sha256"]
    names = [path_of(row["result"]).name for row in good]
    assert names == [f"{number:06d}-{row['custom_id']}.flac" for number, row in enumerate(good, start=1)]


def test_three_speakers_keep_their_order(koebin: Koebin, tmp_path: Path) -> None:
    (tmp_path / "three.dialogue").write_text(DIALOGUE)
    outcome = koebin.json(
        "narrate", tmp_path / "three.dialogue", "--speaker", "mei", "--subtitles", "srt", "--subtitles", "vtt"
    )
    marks = json.loads(Path(outcome["result"]["marks_uri"].removeprefix("file://")).read_text())
    assert [(mark["speaker"], mark.get("name", ""), mark["text"]) for mark in marks["sentences"]] == [
        ("mei", "メイ", "おはようございます。"),
        ("ken", "ケン", "おはよう。"),
        ("hina", "ヒナ", "おはよう、二人とも。"),
        ("mei", "", "三人は歩きだしました。"),
    ]
    spoken = [(mark.get("name", ""), mark["text"], mark["start"], mark["end"]) for mark in marks["sentences"]]
    cues = webvtt.from_srt(str(path_of(files(outcome, "srt")[0]))).captions
    assert [cue.text for cue in cues] == [f"{name}: {text}" if name else text for name, text, _, _ in spoken]
    for number, place in enumerate(("start", "end"), start=2):
        times = [seconds(getattr(cue, place)) for cue in cues]
        assert times == pytest.approx([row[number] for row in spoken], abs=0.001)
    captions = webvtt.read(str(path_of(files(outcome, "vtt")[0])))
    assert [(caption.voice or "", caption.text) for caption in captions.captions] == [row[:2] for row in spoken]


def seconds(clock: str) -> float:
    """``00:01:02.500`` as 62.5."""
    return sum(float(part) * 60**place for place, part in enumerate(reversed(clock.split(":"))))


def test_a_speaker_that_nobody_serves_is_refused_with_the_line(koebin: Koebin, tmp_path: Path) -> None:
    (tmp_path / "three.dialogue").write_text(DIALOGUE.replace('"hina"', '"hinata"'))
    refused = koebin("narrate", tmp_path / "three.dialogue")
    assert refused.exit_code == NOT_FOUND
    assert "line 10: no live worker serves this speaker: 'hinata'. Did you mean hina?" in refused.stderr


def test_jobs_are_found_by_their_state_however_old(koebin: Koebin, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("探される仕事です。")
    koebin.json("narrate", tmp_path / "one.txt", "--title", "探される仕事")
    (tmp_path / "two.txt").write_text("".join(f"これは{number}番目の文です。" for number in range(2000)))
    job = koebin("narrate", tmp_path / "two.txt", "--title", "止められた仕事", "--detach").stdout.strip()
    koebin("cancel", job)
    assert [row["title"] for row in koebin.json("jobs", "--limit", 1, "--state", "succeeded")] == ["探される仕事"]
    assert job in [row["job"] for row in koebin.json("jobs", "--state", "cancelled")]
    refused = koebin("jobs", "--state", "done")
    assert refused.exit_code == INVALID
    assert "Use running, assembling, succeeded" in refused.stderr


def segments_of(koebin: Koebin) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in koebin.store.glob("segments/*/*")}


@pytest.mark.slow
def test_one_edited_line_makes_one_segment(koebin: Koebin, tmp_path: Path) -> None:
    script = tmp_path / "script.txt"
    lines = [f"これは{n}行目の文です。" for n in range(1, 61)]
    script.write_text("\n".join(lines))
    first = koebin.json("narrate", script)
    before = segments_of(koebin)
    lines[29] = "この行だけが変わりました。"
    script.write_text("\n".join(lines))
    plan = koebin.json("narrate", script, "--dry-run")
    assert (plan["segments"], plan["reused"]) == (60, 59)
    assert plan["changed"] == [[30, "この行だけが変わりました。"]]
    assert plan["wall_seconds"] > 0
    assert segments_of(koebin) == before, "a dry run makes nothing"
    second = koebin.json("narrate", script)
    after = segments_of(koebin)
    assert second["segments"] == {"total": 60, "reused": 59}
    assert {path.stem for path in after.keys() - before.keys()} == {next(iter(after.keys() - before.keys())).stem}
    assert {path: after[path] for path in before} == before
    assert first["result"]["sha256"] != second["result"]["sha256"]


def test_a_changed_word_makes_the_segments_that_hold_it(koebin: Koebin, tmp_path: Path) -> None:
    script, words = tmp_path / "words.txt", tmp_path / "words.csv"
    script.write_text("声便の仕事です。\n何も変わらない文です。\n御徒町の駅です。\n声便と御徒町です。")
    words.write_text("声便,コエビン,2\n御徒町,オカチマチ,3\n")
    koebin.json("narrate", script, "--dictionary", words)
    words.write_text("声便,コエビン,2\n御徒町,ゴトチョー,0\n使わない言葉,ツカワナイ,0\n")
    again = koebin.json("narrate", script, "-d", words)
    assert again["segments"] == {"total": 4, "reused": 2}


def test_check_reads_without_speaking(koebin: Koebin, tmp_path: Path) -> None:
    script, words = tmp_path / "check.txt", tmp_path / "check.toml"
    script.write_text("声便の仕事です。\n魑魅齉魎と御居り。")
    words.write_text('[words]\n"声便" = { reading = "コエビン", accent = 2 }\n"無い" = "ナイ"\n')
    before = segments_of(koebin)
    found = koebin.json("check", script, "--dictionary", words)
    assert found["lines"][0]["kana"] == "コエ'ビンノ/シゴトデ'ス。"
    assert found["lines"][0]["doubts"] == []
    doubts = {doubt["word"]: doubt["reason"] for doubt in found["lines"][1]["doubts"]}
    assert doubts["齉魎"] == "unknown"
    assert doubts["魑魅"] == "differs"
    assert found["unused_words"] == ["無い"]
    text = koebin("check", script, "-d", words)
    assert "\t\tコエ'ビンノ/シゴトデ'ス。" in text.stdout
    assert segments_of(koebin) == before
    words.write_text('[words]\n"声便" = "abc"\n')
    refused = koebin("check", script, "-d", words)
    assert refused.exit_code == INVALID
    assert "line 2" in refused.stderr


@pytest.mark.slow
def test_bad_takes_are_spoken_again_and_reported(koebin: Koebin, tmp_path: Path) -> None:
    script = tmp_path / "quality.txt"
    script.write_text("よい文です。\n二度目でよい文です。\nどれもだめな文です。")
    koebin.json("narrate", script)  # without a gate: what it stored is judged all the same
    before = segments_of(koebin)
    command = ("narrate", script, "--recogniser", "strict")
    first = koebin.json(*command)
    second, third = first["report"]["quality"]
    assert first["state"] == "SUCCEEDED"
    assert (second["line"], [len(reasons) for reasons in second["takes"]]) == (2, [1, 0])
    assert second["takes"][0][0].startswith("strict: heard ニドメ")
    assert second["used"] != second["key"]
    assert (third["line"], len(third["takes"]), third["used"]) == (3, 3, third["key"])
    after = segments_of(koebin)
    assert {path: after[path] for path in before} == before
    assert {path.stem for path in after.keys() - before.keys()} == {second["used"]}
    again = koebin.json(*command)
    assert again["report"]["quality"] == first["report"]["quality"]
    assert again["result"]["sha256"] == first["result"]["sha256"]
    assert "another take is used" in koebin(*command).stderr
    refused = koebin("narrate", script, "--recogniser", "nobody")
    assert refused.exit_code == FAILED
    assert "Installed: strict" in refused.stderr


def test_each_file_is_a_job_and_a_bad_one_costs_itself_alone(koebin: Koebin, tmp_path: Path) -> None:
    for name, text in (("10.txt", "十番です。"), ("2.txt", "二番です。"), ("3.txt", "{\\rtf1 x}")):
        (tmp_path / name).write_text(text)
    run = koebin("narrate", "--each", tmp_path, "--json")
    assert run.exit_code == PARTIAL
    first, second = json.loads(run.stdout)
    assert "3.txt: not a text but an RTF document" in run.stderr
    titles = []
    for outcome in (first, second):
        assert outcome["state"] == "SUCCEEDED"
        (audio,) = (Path(file["uri"].removeprefix("file://")) for file in outcome["files"] if file["kind"] == "audio")
        with av.open(str(audio)) as container:
            titles.append(container.metadata["TITLE"])
    assert titles == ["2", "10"]
    refused = koebin("narrate", "--each", tmp_path / "2.txt", "--job-id", "mine")
    assert refused.exit_code == INVALID
    assert "--job-id names one job" in refused.stderr


def test_a_detached_job_is_followed_and_told(koebin: Koebin, tmp_path: Path) -> None:
    told: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(503 if len(told) == 1 else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    (tmp_path / "one.txt").write_text("知らせてください。")
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/ended"
        job = koebin("narrate", tmp_path / "one.txt", "--detach", "--webhook", url).stdout.strip()
        events = [json.loads(line) for line in koebin("events", job, "--json-lines").stdout.splitlines()]
        assert [event["event"] for event in events] == ["submitted", "chunk", "assembling", "ended"]
        wait_until(lambda: len(told) == 2)
        wait_until(lambda: "delivered" in koebin.json("status", job)["webhook"])
        server.shutdown()
    headers, body = told[1]
    assert verify(SECRET, headers["Koebin-Signature"], body)
    assert headers["Koebin-Event-Id"] == told[0][0]["Koebin-Event-Id"]
    document = json.loads(body)
    assert (document["job"], document["state"]) == (job, "SUCCEEDED")
    data = path_of(document["result"]).read_bytes()
    assert decode_segment(data).duration_seconds == pytest.approx(document["result"]["duration_seconds"], abs=1e-3)
    status = koebin.json("status", job, "--segments")
    own = sum(path.stat().st_size for path in (koebin.store / "jobs" / job).rglob("*") if path.is_file())
    assert status["bytes"] == own
    assert status["segment_bytes"] > 0


def test_gc_shows_first_and_keeps_what_is_young(koebin: Koebin) -> None:
    found = koebin.json("gc", "--older-than", "1d")
    assert found["removed"] == {"count": 0, "bytes": 0}
    assert found["kept"]["jobs"] == len(list((koebin.store / "jobs").iterdir()))
    assert found["jobs"] == []
