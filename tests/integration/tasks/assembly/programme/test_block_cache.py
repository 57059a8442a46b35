"""Cached blocks of a programme: a changed sentence makes few of them again, and no byte depends on the cache."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from koebin.engine.audio.audio import Audio
from koebin.engine.audio.marks import Mark, Marks
from koebin.tasks.assembly.block_boundaries import Placed, cut
from koebin.tasks.assembly.job import StoreShelf
from koebin.tasks.assembly.programme import Deliverables, Programme, render_programme
from koebin.tasks.contracts import Placement
from koebin.tasks.segments import store as segments
from koebin.tasks.stores.local import LocalStore

RATE = 24_000
LINES = 120


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> LocalStore:
    return LocalStore(tmp_path_factory.mktemp("store"))


def spoken(store: LocalStore, line: int, text: str) -> Placed:
    """A stored segment of about two seconds with silence at both ends, and a peak that only a limiter can take."""
    key = hashlib.sha256(f"{line} {text}".encode()).hexdigest()
    noise = np.random.default_rng(int(key[:8], 16))
    length = int(noise.integers(RATE, 3 * RATE))
    samples = noise.normal(0.0, 0.05, length).astype(np.float32)
    samples[: RATE // 5] = samples[-RATE // 5 :] = 0.0
    samples[length // 2] = 0.9
    marks = Marks((Mark(text, 0.2, length / RATE - 0.2, "mei"),), (), (Mark("ア", 0.2, length / RATE - 0.2),))
    segments.write(store, key, Audio(samples, RATE, marks))
    return Placed(key, "mei", text, Placement(index=line, line=line, pause=0.35, chapter=line * 2 // LINES))


@pytest.fixture(scope="module")
def script(store: LocalStore) -> list[Placed]:
    return [spoken(store, line, "これは二秒ほどの文です。") for line in range(LINES)]


class Counted(StoreShelf):
    """A shelf that counts what was found and what was made."""

    def __init__(self, store: LocalStore) -> None:
        super().__init__(store)
        self.found: list[str] = []
        self.made: list[str] = []

    def get(self, name: str) -> bytes | None:
        data = super().get(name)
        if data is not None:
            self.found.append(name)
        return data

    def put(self, name: str, data: bytes) -> None:
        self.made.append(name)
        super().put(name, data)


def render(store: LocalStore, script: list[Placed], folder: Path, lufs: float | None) -> tuple[Programme, Counted]:
    folder.mkdir()
    shelf = Counted(store)
    wanted = Deliverables(
        formats=("flac", "wav"),
        per_chapter=True,
        loudness_lufs=lufs,
        subtitles=("json", "srt"),
        sample_rate_hz=RATE,
        player=True,
    )
    return render_programme(cut(store, script, ("一", "二")), wanted, folder, shelf=shelf), shelf


def forget(store: LocalStore) -> None:
    for key in list(store.list("pieces/")):
        store.delete(key)


def digests(programme: Programme) -> dict[str, str]:
    return {file.path.name: file.sha256 for file in programme.files}


@pytest.mark.parametrize("lufs", [None, pytest.param(-20.0, marks=pytest.mark.slow)])
def test_a_changed_line_makes_its_neighbourhood_again(
    lufs: float | None, store: LocalStore, script: list[Placed], tmp_path: Path
) -> None:
    forget(store)
    render(store, script, tmp_path / "first", lufs)
    blocks = len(cut(store, script, ("一", "二")))
    assert blocks > 6
    changed = [*script[:70], spoken(store, 70, "変わりました。"), *script[71:]]
    warm, shelf = render(store, changed, tmp_path / "warm", lufs)
    outlines = [name for name in shelf.made if name.endswith("outline.json")]
    frames = [name for name in shelf.made if name.endswith("frames")]
    assert 1 <= len(outlines) <= 3
    assert len(frames) == len(outlines)
    assert sum(name.endswith("frames") for name in shelf.found) >= blocks - 3
    forget(store)
    cold, again = render(store, changed, tmp_path / "cold", lufs)
    assert digests(cold) == digests(warm)
    assert warm.report == cold.report
    assert not again.found


def test_a_moved_line_changes_numbers_and_no_sound(store: LocalStore, script: list[Placed], tmp_path: Path) -> None:
    before, _ = render(store, script, tmp_path / "before", None)
    moved = [replace(one, place=one.place.model_copy(update={"line": one.place.line + 7})) for one in script]
    after, shelf = render(store, moved, tmp_path / "after", None)
    assert not shelf.made, "a line's number decides nothing of its sound"
    assert {n: d for n, d in digests(before).items() if n != "index.html"} == {
        n: d for n, d in digests(after).items() if n != "index.html"
    }


def test_joined_blocks_are_one_programme(store: LocalStore, script: list[Placed], tmp_path: Path) -> None:
    import pyloudnorm

    programme, _ = render(store, script, tmp_path / "one", -20.0)
    wav, _ = soundfile.read(tmp_path / "one" / "programme.wav", dtype="int16")
    flac, _ = soundfile.read(tmp_path / "one" / "programme.flac", dtype="float64")
    assert len(wav) == len(flac) == programme.report["frames"]
    assert np.abs(wav / 32768 - flac).max() < 2 / 32768
    loudness = programme.report["loudness"]
    assert pyloudnorm.Meter(RATE).integrated_loudness(flac) == pytest.approx(loudness["lufs"], abs=0.1)
    assert loudness["lufs"] == pytest.approx(-20.0, abs=0.15)
    assert loudness["limited_db"] > 0.0
    assert loudness["true_peak_dbtp"] <= -0.9


@pytest.mark.parametrize("damage", ["cut", pytest.param("flipped", marks=pytest.mark.slow)])
def test_what_is_damaged_is_made_again(damage: str, store: LocalStore, script: list[Placed], tmp_path: Path) -> None:
    good, _ = render(store, script, tmp_path / "good", -20.0)
    pieces = list(store.list("pieces/"))
    assert {key.partition(".")[2] for key in pieces} == {"outline.json", "section.json", "frames"}
    for key in pieces:
        path = Path(store.url(key).removeprefix("file://"))
        data = bytearray(path.read_bytes())
        middle = len(data) // 2
        data[middle:] = b"" if damage == "cut" else bytes([data[middle] ^ 1]) + data[middle + 1 :]
        path.write_bytes(data)
    mended, shelf = render(store, script, tmp_path / "mended", -20.0)
    assert digests(good) == digests(mended)
    assert len(shelf.made) == len(shelf.found), "all of it"
