"""The koebin command: what it refuses and how, and a narration with nothing set up."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from koebin.engine.audio.encoding import decode_segment
from koebin.producers import exits
from koebin.producers.cli import app
from tests.servers.ports import free_ports
from tests.servers.redis import RedisServer
from tests.servers.worker import Worker
from tests.unit.producers.publishing.feed_rules import broken

BEEP = "こん\x07にちは。"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / "out" / "jobs").exists() or (tmp_path / "keep").exists(), "something was queued"


def koebin(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b" \n\t\n", "empty"),
        (BEEP.encode() * 21, "a control character"),
        (bytes(range(256)) * 20, "binary"),
        ("あ".encode() * 3_400_000, "characters"),
        ("ก".encode(), "there is nothing to speak: cannot be read (THAI CHARACTER KO KAI)"),
    ],
    ids=["empty", "blank", "control", "binary", "long line", "script"],
)
def test_a_bad_file_is_refused_with_its_place(home: Path, content: bytes, message: str) -> None:
    (home / "book.txt").write_bytes(content)
    code, output = koebin("narrate", "book.txt")
    assert code == exits.INVALID
    assert output.startswith("error: ")
    assert message in output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["narrate", "nowhere.txt"], exits.INVALID, "no such file"),
        (["narrate", "good.txt", "--speaker", "mey"], exits.NOT_FOUND, "Did you mean mei"),
        (["narrate", "good.txt", "--speaker", "../x"], exits.INVALID, "not a valid speaker name"),
        (["narrate", "good.txt", "--speed", "0"], exits.INVALID, "speed is out of range"),
        (["narrate", "good.txt", "--speed", "nan"], exits.INVALID, "speed is not a finite number"),
        (["narrate", "good.txt", "--format", "aac"], exits.INVALID, "no such format"),
        (["narrate", "good.txt", "--store", "/dev/null/x"], exits.UNAVAILABLE, "store"),
        (["say", "", "-o", "a.wav"], exits.INVALID, "empty"),
        (["say", "あ", "-o", "nowhere/a.wav"], exits.UNAVAILABLE, "no such folder"),
        (["say", "あ", "-o", "a.xyz"], exits.INVALID, "not a known audio format"),
        (["say", "あ", "--style", "Angry", "-o", "a.wav"], exits.NOT_FOUND, "Neutral"),
        (["status", "x"], exits.INVALID, "KOEBIN_BROKER_URL"),
    ],
)
def test_a_mistake_is_named(home: Path, arguments: list[str], code: int, message: str) -> None:
    (home / "good.txt").write_text("良い文です。", encoding="utf-8")
    got, output = koebin(*arguments)
    assert (got, message in output) == (code, True), output
    assert not (home / "a.wav").exists()


def test_a_broker_that_is_down_is_named_without_its_password(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "good.txt").write_text("良い文です。", encoding="utf-8")
    monkeypatch.setenv("KOEBIN_BROKER_URL", f"redis://:hunter2@127.0.0.1:{free_ports(1)[0]}/0")
    code, output = koebin("narrate", "good.txt")
    assert code == exits.UNAVAILABLE
    assert "does not answer" in output
    assert "hunter2" not in output


def test_an_unknown_variable_stops_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOEBIN_STOER", "x")
    code, output = koebin("speakers")
    assert code == exits.INVALID
    assert "KOEBIN_STORE" in output


def test_say_into_a_file(home: Path) -> None:
    code, output = koebin("say", "こんにちは。", "-o", "hello.flac", "--json")
    assert code == exits.OK
    document = json.loads(output)
    assert decode_segment((home / "hello.flac").read_bytes()).duration_seconds == document["duration_seconds"]


def test_a_narration_with_nothing_set_up_leaves_nothing_running(home: Path) -> None:
    (home / "keep").touch()
    (home / "book.txt").write_text("一つ目の文です。\n\n二つ目の文です。", encoding="utf-8")
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    code, output = koebin("narrate", "book.txt", "--format", "mp3", "--subtitles", "srt")
    assert code == exits.OK, output
    assert "starting a private server" in output
    assert "speed factor" in output
    uris = [line.split("\t")[0] for line in output.splitlines() if line.startswith("file://")]
    assert [Path(uri.removeprefix("file://")).suffix for uri in uris][:3] == [".mp3", ".json", ".srt"]
    assert all(Path(uri.removeprefix("file://")).stat().st_size for uri in uris)
    assert {child.pid for child in psutil.Process().children(recursive=True)} == before
    assert not subprocess.run(["pgrep", "-f", str(home)], capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("scheme", ["redis", "rediss", "sentinel"])
def test_doctor_names_what_fails_and_repeats_no_secret(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    secrets = {
        "KOEBIN_BROKER_URL": f"{scheme}://someone:hunter2@127.0.0.1:{port}/0",
        "KOEBIN_STORE": "s3://nowhere/audio",
        "KOEBIN_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "KOEBIN_S3_ACCESS_KEY_ID": "hunter3",
        "KOEBIN_S3_SECRET_ACCESS_KEY": "hunter4",
        "KOEBIN_HF_TOKEN": "hunter5",
        "KOEBIN_WEBHOOK_SECRET": "hunter6",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    for options in ([], ["--json"]):
        code, output = koebin("doctor", *options)
        assert code == exits.FAILED
        assert "hunter" not in output
    assert "broker" in output
    assert f"127.0.0.1:{port}" in output


def test_doctor_says_that_the_device_is_not_there(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("KOEBIN_DEVICE", "cuda:99")
    code, output = koebin("doctor")
    assert code == exits.FAILED
    assert re.search(
        r"^FAILED\tdevice\t(no CUDA device was found|there are only \d+ CUDA devices): 'cuda:99'", output, re.MULTILINE
    )


@pytest.mark.parametrize("device", ["cudax", "cuda:-1", "gpu"])
def test_doctor_names_what_is_no_device(monkeypatch: pytest.MonkeyPatch, home: Path, device: str) -> None:
    """Where there are GPUs: without one, no name is looked at."""
    monkeypatch.setattr("koebin.producers.commands.doctor.cuda_devices", lambda: ["0", "1"])
    monkeypatch.setenv("KOEBIN_DEVICE", device)
    code, output = koebin("doctor")
    assert code == exits.FAILED
    assert f"FAILED\tdevice\tnot a valid device: '{device}'" in output


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Broker of a worker that writes below any test's folder."""
    root = tmp_path_factory.getbasetemp().as_uri()
    with RedisServer() as server, Worker(server.url, root, "mei"):
        yield server.url


@pytest.fixture
def fleet(home: Path, broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOEBIN_BROKER_URL", broker)
    monkeypatch.setenv("KOEBIN_STORE", (home / "out").as_uri())
    (home / "keep").touch()


def narrated(home: Path, name: str, content: str, *options: str) -> tuple[int, dict]:
    """Exit code and result document of a narration."""
    (home / name).write_text(content, encoding="utf-8")
    code, output = koebin("narrate", name, "--json", *options)
    return code, json.loads(output[output.index("{") : output.rindex("}") + 1])


def test_what_is_silent_stands_in_the_result_and_has_an_exit_code(home: Path, fleet: None) -> None:
    code, result = narrated(home, "book.txt", "[pause:1]はい(ㅂ)。\n二行目。", "-f", "flac")
    assert code == exits.LEFT_OUT
    assert [(left["line"], left["text"]) for left in result["left_out"]] == [(1, "ㅂ")]
    sound = decode_segment(Path(result["result"]["uri"].removeprefix("file://")).read_bytes())
    assert not sound.samples[: sound.sample_rate_hz].any(), "a pause before the first text is silence"
    code, output = koebin("narrate", "book.txt", "--strict")
    assert code == exits.INVALID
    assert "line 1" in output


def test_a_track_is_as_long_as_its_subtitles(home: Path, fleet: None) -> None:
    cues = "1\n00:00:02,000 --> 00:00:03,500\nはい。\n\n2\n00:00:06,000 --> 00:00:09,250\nいいえ。\n"
    code, result = narrated(home, "film.srt", cues, "-f", "wav")
    assert code == exits.OK
    assert result["result"]["duration_seconds"] == pytest.approx(9.25, abs=0.01)
    assert result["report"]["late"] == []
    marks = json.loads(Path(result["result"]["marks_uri"].removeprefix("file://")).read_text())["sentences"]
    assert [mark["moras"][0]["start"] for mark in marks] == pytest.approx([2.0, 6.0], abs=0.02)


def ffprobe(path: Path, *wanted: str) -> dict:
    command = ["ffprobe", "-v", "error", "-of", "json", *wanted, str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=300).stdout)


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="puts the track under a film with ffmpeg")
@pytest.mark.slow
def test_a_track_and_its_subtitles_go_under_a_film(home: Path, fleet: None) -> None:
    times = ("00:00:01,000 --> 00:00:02,500", "00:00:03,000 --> 00:00:04,000", "00:00:08,250 --> 00:00:12,000")
    cues = dict(zip(times, ("はい。", "今日は長い長い雨の一日でした。", "おわり。"), strict=True))
    text = "\n\n".join(f"{number}\n{times}\n{said}" for number, (times, said) in enumerate(cues.items(), 1))
    film = home / "film.mp4"
    drawn = ["-f", "lavfi", "-i", "testsrc=duration=12:size=160x90:rate=25", "-pix_fmt", "yuv420p"]
    subprocess.run(["ffmpeg", "-v", "error", *drawn, str(film)], check=True, timeout=300)
    code, result = narrated(home, "film.srt", text, "-f", "m4a", "--subtitles", "srt")
    assert code == exits.OK
    assert [late["line"] for late in result["report"]["late"]] == []
    (track,), (subtitles,) = home.glob("out/jobs/*/out/*.m4a"), home.glob("out/jobs/*/out/*.srt")
    seconds = float(ffprobe(film, "-show_entries", "format=duration")["format"]["duration"])
    assert float(ffprobe(track, "-show_entries", "format=duration")["format"]["duration"]) == pytest.approx(
        seconds, abs=0.1
    )
    whole = home / "whole.mp4"
    inputs = [part for path in (film, track, subtitles) for part in ("-i", str(path))]
    joined = ["-map", "0:v", "-map", "1:a", "-map", "2:s", "-c:v", "copy", "-c:a", "copy", "-c:s", "mov_text"]
    subprocess.run(["ffmpeg", "-v", "error", *inputs, *joined, str(whole)], check=True, timeout=300)
    streams = ffprobe(whole, "-show_entries", "stream=codec_type,duration")["streams"]
    assert [stream["codec_type"] for stream in streams] == ["video", "audio", "subtitle"]
    assert [float(stream["duration"]) for stream in streams[:2]] == pytest.approx([seconds, seconds], abs=0.1)
    shown = ffprobe(whole, "-select_streams", "s", "-show_entries", "packet=pts_time,size")["packets"]
    starts = [float(packet["pts_time"]) for packet in shown if int(packet["size"]) > 2]
    early = [wanted - start for wanted, start in zip((1.0, 3.0, 8.25), starts, strict=True)]
    assert all(0.0 <= each < 0.4 for each in early), "a cue is on before it is heard"
    back = ["ffmpeg", "-v", "error", "-i", str(whole), "-map", "0:s", "-f", "srt", "-"]
    played = subprocess.run(back, check=True, capture_output=True, timeout=300).stdout.decode()
    assert [said in played.replace("\n", "") for said in cues.values()] == [True] * 3


def test_an_unknown_style_is_the_error_of_its_line_and_kana_name_files(home: Path, fleet: None) -> None:
    lines = '{"id": "あいさつ", "text": "はい。"}\n{"id": "b", "text": "はい。", "style": "Happy"}\n'
    lines += '{"id": "c", "text": "はい。", "speaker": "nobody"}\n'
    code, result = narrated(home, "lines.jsonl", lines, "-f", "wav")
    assert code == exits.PARTIAL
    rows = Path(result["result"]["uri"].removeprefix("file://")).read_text().splitlines()
    told = [(row["custom_id"], bool(row.get("error"))) for row in map(json.loads, rows)]
    assert told == [("あいさつ", False), ("b", True), ("c", True)]
    assert list(home.glob("out/jobs/*/out/000001-あいさつ.wav"))


def test_a_folder_is_one_book(home: Path) -> None:
    (home / "book").mkdir()
    for name in ("10.txt", "2.md", "image.png"):
        (home / "book" / name).write_text(f"{name}の文。", encoding="utf-8")
    code, output = koebin("check", "book", "--json")
    assert code == exits.OK
    document = json.loads(output[output.index("{") : output.rindex("}") + 1])
    assert document["chapters"] == ["2", "10"]
    assert [line["text"] for line in document["lines"]] == ["2.mdの文。", "10.txtの文。"]


def test_a_book_with_sound_and_a_podcast(home: Path, fleet: None) -> None:
    text = "---\nauthor: [山田花子, 佐藤次郎]\n---\n# 一\n\n雨｜明日《あした》。\n\n# 二\n\n風。"
    options = ("--epub", "--audiobookshelf", "--series", "四季", "--series-number", "2", "--per-chapter", "-f", "mp3")
    code, result = narrated(home, "book.md", text, *options)
    assert code == exits.OK
    assert {file["kind"] for file in result["files"]} >= {"audio", "epub", "marks"}
    (book,) = home.glob("out/jobs/*/out/*.epub")
    with zipfile.ZipFile(book) as archive:
        pages = "".join(archive.read(name).decode() for name in archive.namelist() if name.endswith(".xhtml"))
    assert "雨<ruby>明日<rt>あした</rt></ruby>。" in pages
    (listing,) = home.glob("out/jobs/*/out/metadata.json")
    shelf = json.loads(listing.read_text(encoding="utf-8"))
    assert (shelf["authors"], shelf["series"]) == (["山田花子", "佐藤次郎"], ["四季 #2"])
    code, output = koebin("podcast", result["job"], "--base-url", "https://example.jp/a")
    assert code == exits.OK
    assert output.strip().endswith("/out/feed.xml")
    (document,) = home.glob("out/jobs/*/out/feed.xml")
    assert broken(document.read_bytes()) == []
