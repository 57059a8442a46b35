"""Finished programmes: from segments to files, read back by other programs' code."""

import hashlib
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.encoding import decode_segment
from koebin.engine.errors import InvalidInput, StoreNotFound
from koebin.tasks.assembly.programme import Deliverables, Programme, render_programme
from tests.integration.tasks.assembly.programme.programme_parts import (
    LEAD_SECONDS,
    SENTENCES,
    TITLES,
    Placed,
    in_blocks,
    parts,
    sentence,
)
from tests.unit.engine.audio.encoding.test_encoding import png

ALL = ("wav", "flac", "mp3", "opus", "m4b")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programme")


@pytest.fixture(scope="module")
def programme(folder: Path) -> Programme:
    """Everything that can be had at once."""
    wanted = Deliverables(
        formats=ALL,
        whole=True,
        per_chapter=True,
        loudness_lufs=-16.0,
        subtitles=("srt", "vtt", "lab", "json", "vtt:mora"),
        player=True,
        title="羅生門",
        author="芥川龍之介",
        cover=png(),
        name="rashomon",
    )
    return render_programme(in_blocks(parts()), wanted, folder)


def test_every_file_is_there_and_described(programme: Programme, folder: Path) -> None:
    names = {file.path.name for file in programme.files}
    stems = ("rashomon", "rashomon-01", "rashomon-02")
    suffixes = [*ALL, "srt", "vtt", "lab", "json", "mora.vtt"]
    assert names == {f"{stem}.{suffix}" for stem in stems for suffix in suffixes} | {
        "chapters.json",
        "cover.png",
        "index.html",
    }
    assert names == {entry.name for entry in folder.iterdir()}
    for file, said in zip(programme.files, programme.report["files"], strict=True):
        data = file.path.read_bytes()
        assert said["name"] == file.path.name
        assert (said["bytes"], said["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert json.loads(json.dumps(programme.report, allow_nan=False)) == programme.report


def test_lengths_add_up(programme: Programme, folder: Path) -> None:
    spoken = sum(len(sentence(index).sound()) / sentence(index).sound().sample_rate_hz for index in range(4))
    pauses = sum(row[4] for row in SENTENCES)
    assert programme.report["duration_seconds"] == pytest.approx(spoken + pauses, abs=1e-4)
    assert programme.report["sample_rate_hz"] == 48_000
    for file in programme.files:
        if file.kind == "audio" and file.format != "m4b":
            assert soundfile.info(str(file.path)).duration == pytest.approx(file.duration_seconds, abs=1e-9)
        elif file.kind == "audio":
            with av.open(str(file.path)) as container:
                stream = container.streams.audio[0]
                assert float(stream.duration * stream.time_base) == pytest.approx(file.duration_seconds, abs=1e-9)


def test_chapters_put_together_are_the_whole(folder: Path, programme: Programme) -> None:
    for name in ("wav", "flac"):
        whole, _ = soundfile.read(folder / f"rashomon.{name}", dtype="int32")
        chapters = [soundfile.read(folder / f"rashomon-0{n}.{name}", dtype="int32")[0] for n in (1, 2)]
        assert np.array_equal(np.concatenate(chapters), whole)


@pytest.mark.parametrize("name", ["m4b", "mp3", "opus", "flac"])
def test_containers_carry_chapters_tags_and_cover(name: str, folder: Path, programme: Programme) -> None:
    with av.open(str(folder / f"rashomon.{name}")) as container:
        said = {key.lower(): value for key, value in {**container.metadata, **container.streams[0].metadata}.items()}
        assert (said["title"], said["artist"]) == ("羅生門", "芥川龍之介")
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == list(TITLES)
        starts = [float(chapter["start"] * chapter["time_base"]) for chapter in container.chapters()]
        assert starts == pytest.approx([chapter["start"] for chapter in programme.report["chapters"]], abs=0.001)
        assert container.streams.video[0].codec_context.name == "png"
    with av.open(str(folder / f"rashomon-02.{name}")) as container:
        said = {key.lower(): value for key, value in {**container.metadata, **container.streams[0].metadata}.items()}
        assert (said["title"], said["album"], said["track"].split("/")[0]) == (TITLES[1], "羅生門", "2")


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "opus"])
def test_an_independent_meter_finds_the_target(name: str, folder: Path, programme: Programme) -> None:
    import pyloudnorm

    samples, rate = soundfile.read(folder / f"rashomon.{name}")
    assert pyloudnorm.Meter(rate).integrated_loudness(samples) == pytest.approx(-16.0, abs=0.5)
    loudness = programme.report["loudness"]
    assert loudness["lufs"] == pytest.approx(-16.0, abs=0.15)
    assert loudness["true_peak_dbtp"] <= -0.9


def test_marks_meet_the_sound(folder: Path, programme: Programme) -> None:
    samples, rate = soundfile.read(folder / "rashomon.wav")
    marks = json.loads((folder / "rashomon.json").read_text())["sentences"]
    assert [mark["text"] for mark in marks] == [row[0] for row in SENTENCES]
    assert [mark["speaker"] for mark in marks] == [row[1] for row in SENTENCES]

    def level(start: float, end: float) -> float:
        return float(np.abs(samples[round(start * rate) : round(end * rate)]).max(initial=0.0))

    for before, after in zip(marks, [*marks[1:], None], strict=True):
        assert len(before["moras"]) >= 8
        for mora in before["moras"]:
            assert level(mora["start"], mora["end"]) > 0.1
        end = after["start"] if after else programme.report["duration_seconds"]
        # The filter of the resampler may ring for a moment.
        assert level(before["end"] + 0.01, end - 0.01) < 2e-3
        assert end - before["end"] == pytest.approx(
            SENTENCES[marks.index(before)][4] + LEAD_SECONDS * (2 if after else 1), abs=0.001
        )


def test_chapters_have_marks_of_their_own(folder: Path, programme: Programme) -> None:
    second = json.loads((folder / "rashomon-02.json").read_text())["sentences"]
    whole = json.loads((folder / "rashomon.json").read_text())["sentences"][2:]
    start = programme.report["chapters"][1]["start"]
    assert [mark["text"] for mark in second] == [mark["text"] for mark in whole]
    assert second[0]["start"] == pytest.approx(LEAD_SECONDS, abs=1e-6)
    assert [mark["start"] + start for mark in second] == pytest.approx([mark["start"] for mark in whole], abs=1e-5)
    assert (folder / "rashomon.srt").read_text().count("-->") == 4
    assert (folder / "rashomon-01.srt").read_text().count("-->") == 2
    assert "mei: 「ある日の" in (folder / "rashomon.srt").read_text()


def test_another_process_writes_the_same_bytes(programme: Programme, tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\n"
        "from tests.integration.tasks.assembly.programme.programme_parts import in_blocks, parts\n"
        "from tests.unit.engine.audio.encoding.test_encoding import png\n"
        "from koebin.tasks.assembly.programme import Deliverables, render_programme\n"
        "wanted = Deliverables(formats=('wav', 'flac', 'mp3', 'opus', 'm4b'), whole=True, per_chapter=True,\n"
        "    loudness_lufs=-16.0, subtitles=('srt', 'vtt', 'lab', 'json', 'vtt:mora'), player=True, title='羅生門',\n"
        "    author='芥川龍之介', cover=png(), name='rashomon')\n"
        f"render_programme(in_blocks(parts()), wanted, Path({str(tmp_path)!r}))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env={"PYTHONPATH": ".", "PYTHONHASHSEED": "7"})
    for file in programme.files:
        assert hashlib.sha256((tmp_path / file.path.name).read_bytes()).hexdigest() == file.sha256, file.path.name


def render(folder: Path, *given: Placed, **changes: object) -> Programme:
    return render_programme(in_blocks(given), Deliverables(**changes), folder)  # type: ignore[arg-type]


def test_overshoot_is_scaled_and_reported(tmp_path: Path) -> None:
    loud = sentence(0, level=2.0)
    original = loud.sound().samples
    assert np.abs(original).max() > 2.0
    report = render(tmp_path, loud).report["loudness"]
    samples, _ = soundfile.read(tmp_path / "programme.wav")
    samples = samples[: len(original)]
    assert report["overshoot_db"] >= 20 * math.log10(np.abs(original).max()) - 0.01
    assert report["gain_db"] == pytest.approx(-report["overshoot_db"] - 1.0, abs=0.01)
    # One gain for all: wrapping or clipping would change the shape.
    assert samples == pytest.approx(original * 10 ** (report["gain_db"] / 20), abs=1e-3)


def test_without_a_target_the_sound_is_untouched(tmp_path: Path) -> None:
    part = replace(sentence(0), pause_after=0.0)
    report = render(tmp_path, part, formats=("flac",)).report["loudness"]
    samples, _ = soundfile.read(tmp_path / "programme.flac", dtype="float32")
    assert np.array_equal(samples, part.sound().samples)
    assert (report["gain_db"], report["limited_db"], report["target_lufs"]) == (0.0, 0.0, None)


def test_silence_stays_silence(tmp_path: Path) -> None:
    quiet = Placed(lambda: Audio(np.zeros(30_000, dtype=np.float32), 24_000), "……。")
    report = render(tmp_path, quiet, loudness_lufs=-16.0).report["loudness"]
    assert not soundfile.read(tmp_path / "programme.wav")[0].any()
    assert (report["gain_db"], report["lufs"], report["true_peak_dbtp"]) == (0.0, None, None)
    # A single chapter without a title is not listed.
    assert [entry.name for entry in tmp_path.iterdir()] == ["programme.wav"]


def test_one_edited_sentence_moves_no_other_samples(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder, middle in zip(folders, (sentence(1), replace(sentence(1), sound=sentence(2).sound)), strict=True):
        folder.mkdir()
        render(folder, sentence(0), middle, sentence(3), formats=("wav",))
    (one, _), (other, _) = (soundfile.read(folder / "programme.wav", dtype="int16") for folder in folders)
    first, last = (round((len(sentence(i).sound()) / 48_000 + sentence(i).pause_after) * 48_000) for i in (0, 3))
    assert np.array_equal(one[:first], other[:first])
    assert np.array_equal(one[-last:], other[-last:])


def test_refuses_what_cannot_be_assembled(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nothing to assemble"):
        render(tmp_path)
    with pytest.raises(InvalidInput, match="line 12: a segment cannot be decoded"):
        render(tmp_path, sentence(0), Placed(partial(decode_segment, b"broken"), "あ。", line=12))
    with pytest.raises(InvalidInput, match="line 1: a part belongs to an earlier chapter"):
        render(tmp_path, sentence(2), sentence(0))
    with pytest.raises(StoreNotFound):
        render(tmp_path / "none", sentence(0))
    assert {entry.suffix for entry in tmp_path.iterdir()} <= {".wav"}


def test_each_sound_is_loaded_once_and_dropped(tmp_path: Path) -> None:
    loads: list[int] = []

    def counted() -> Iterator[Placed]:
        for index in range(4):

            def load(index: int = index) -> Audio:
                loads.append(index)
                return sentence(index).sound()

            yield replace(sentence(index), sound=load)

    wanted = Deliverables(
        formats=("wav", "flac"),
        per_chapter=True,
        loudness_lufs=-14.0,
        subtitles=("srt",),
        player=True,
        sample_rate_hz=48_000,
    )
    render_programme(in_blocks(counted()), wanted, tmp_path)
    assert sorted(loads) == [0, 1, 2, 3]


def test_it_can_be_stopped_while_it_writes(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    first = {"programme-01.wav", "programme-01.mp3"}

    def check() -> None:
        if all((tmp_path / name).exists() for name in first):
            raise Stopped

    wanted = Deliverables(formats=("wav", "mp3"), per_chapter=True)
    with pytest.raises(Stopped):
        render_programme(in_blocks(parts()), wanted, tmp_path, check)
    # The first chapter was complete.
    names = {entry.name for entry in tmp_path.iterdir()}
    assert {name for name in names if name.endswith((".wav", ".mp3"))} == first
    assert not any(name.startswith(".") for name in names), "nothing half written"


def test_memory_does_not_grow_with_the_programme(tmp_path: Path) -> None:
    script = (
        "import resource, sys\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        "from tests.integration.tasks.assembly.programme.programme_parts import in_blocks, sentence\n"
        "from koebin.tasks.assembly.programme import Deliverables, render_programme\n"
        "import numpy as np\n"
        "from koebin.engine.audio.audio import Audio\n"
        "minutes, folder = int(sys.argv[1]), Path(sys.argv[2])\n"
        "sound = Audio(np.random.default_rng(0).normal(0, 0.05, 9 * 16_000).astype('f4'), 16_000)\n"
        "part = replace(sentence(0), sound=lambda: sound, pause_after=1.0)\n"
        "parts = lambda: (replace(part, chapter=n // 60, line=n) for n in range(6 * minutes))\n"
        "wanted = Deliverables(formats=('wav', 'flac'), loudness_lufs=-20.0, subtitles=('srt', 'json'), player=True)\n"
        "report = render_programme(in_blocks(parts()), wanted, folder).report\n"
        "print(report['duration_seconds'], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n"
    )
    peaks = []
    for minutes in (1, 8):
        folder = tmp_path / str(minutes)
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", script, str(minutes), str(folder)],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONPATH": "."},
        )
        seconds, peak = done.stdout.split()
        assert float(seconds) == minutes * 60
        peaks.append(int(peak))
    # The samples of the 7 minutes between them take 27 MB.
    assert peaks[1] - peaks[0] < 9
