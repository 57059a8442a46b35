"""Files: exact lengths, tags, chapters, covers, and the same bytes every time."""

import hashlib
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from koebin.engine.audio.encoding import FORMATS, Chapter, Cover, Encoding, Tags, libsndfile, ogg, open_writer
from koebin.engine.audio.encoding.writer import Writer
from koebin.engine.errors import BackendMissing, InferenceFailed, InvalidOption

RATES = (16_000, 22_050, 24_000, 44_100, 48_000)


def noise(frames: int) -> np.ndarray:
    return np.random.default_rng(5).normal(0.0, 0.1, frames).astype(np.float32)


def png(width: int = 8, height: int = 8) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + bytes([200, 60, 40]) * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def write(path: Path, encoding: Encoding, samples: np.ndarray, block: int = 1_000) -> Path:
    with open_writer(path, encoding) as writer:
        for first in range(0, len(samples), block):
            writer.write(samples[first : first + block])
    return path


def decoded(path: Path) -> tuple[np.ndarray, int]:
    """By FFmpeg, which encoded none but the AAC."""
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].rate
        frames = [frame.to_ndarray()[0].astype(np.float64) for frame in container.decode(audio=0)]
        scale = {"s16": 2**15, "s32": 2**31}.get(container.streams.audio[0].format.name.rstrip("p"), 1)
    return np.concatenate(frames) / scale, rate


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "opus"])
def test_length_is_exact(name: str, rate: int, tmp_path: Path) -> None:
    frames = rate // 3 + 17
    info = soundfile.info(str(write(tmp_path / "a", Encoding(name, rate, frames), noise(frames))))
    codec_rate = FORMATS[name].rate_for(rate)
    assert info.samplerate == codec_rate
    assert info.frames == round(frames * codec_rate / rate)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", ["m4a", "m4b"])
def test_length_of_aac_is_exact(name: str, rate: int, tmp_path: Path) -> None:
    frames = rate // 3 + 17
    with av.open(str(write(tmp_path / "a", Encoding(name, rate, frames), noise(frames)))) as container:
        stream = container.streams.audio[0]
        assert stream.rate == rate
        assert stream.duration * stream.time_base * rate == frames


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_sound_survives_at_its_level(name: str, tmp_path: Path) -> None:
    rate = 24_000
    tone = (0.4 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.float32)
    samples, codec_rate = decoded(write(tmp_path / "a", Encoding(name, rate, rate), tone))
    middle = samples[codec_rate // 4 : codec_rate * 3 // 4]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.4 / np.sqrt(2), rel=0.01)
    crossings = np.count_nonzero(np.diff(np.signbit(middle)))
    assert crossings == pytest.approx(440, abs=2)


@pytest.mark.parametrize("bitrate", [48, 128, 192, 224, 320])
def test_lame_takes_no_level_away(bitrate: int, tmp_path: Path) -> None:
    tone = (0.4 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 48_000)).astype(np.float32)
    path = write(tmp_path / "a", Encoding("mp3", 48_000, 24_000, bitrate), tone)
    samples, _ = decoded(path)
    assert np.sqrt(np.mean(samples[6_000:18_000] ** 2)) == pytest.approx(0.4 / np.sqrt(2), rel=0.005)
    assert path.stat().st_size * 8 / 0.5 / 1000 == pytest.approx(bitrate, rel=0.15)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_blocks_do_not_matter(name: str, tmp_path: Path) -> None:
    samples = noise(22_050)
    encoding = Encoding(name, 22_050, len(samples))
    one = write(tmp_path / "one", encoding, samples, 313).read_bytes()
    if name == "opus":  # resampled as a stream: equal sound, cut otherwise
        other, _ = decoded(write(tmp_path / "other", encoding, samples, 22_050))
        assert decoded(tmp_path / "one")[0] == pytest.approx(other, abs=1e-3)
    else:
        assert write(tmp_path / "other", encoding, samples, 22_050).read_bytes() == one


@pytest.mark.parametrize("name", ["flac", "mp3", "opus", "m4b"])
def test_tags_chapters_and_cover_are_read_by_ffmpeg(name: str, tmp_path: Path) -> None:
    samples = noise(48_000)
    encoding = Encoding(
        name,
        48_000,
        len(samples),
        tags=Tags("吾輩は猫である", "夏目漱石", "全集", 2, 11, "1905", "Speech"),
        chapters=[Chapter("第一章 😀", 0.0, 0.4), Chapter("第二章", 0.4, 1.0)],
        # Larger than an Ogg page.
        cover=Cover(png() + bytes(150_000)),
    )
    with av.open(str(write(tmp_path / "a", encoding, samples))) as container:
        said = {key.lower(): value for key, value in {**container.metadata, **container.streams[0].metadata}.items()}
        assert (said["title"], said["artist"], said["album"]) == ("吾輩は猫である", "夏目漱石", "全集")
        assert said["track"].split("/")[0] == "2"
        assert said["date"] == "1905"
        chapters = container.chapters()
        assert [chapter["metadata"]["title"] for chapter in chapters] == ["第一章 😀", "第二章"]
        assert [float(chapter["start"] * chapter["time_base"]) for chapter in chapters] == pytest.approx([0.0, 0.4])
        picture = container.streams.video[0]
        assert (picture.codec_context.width, picture.codec_context.height) == (8, 8)
        assert sum(frame.samples for frame in container.decode(audio=0)) >= 48_000


def test_wav_carries_tags(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", Encoding("wav", 16_000, 100, tags=Tags("題", "人", track=3)), noise(100))
    with soundfile.SoundFile(tmp_path / "a.wav") as file:
        assert (file.title, file.artist, file.tracknumber) == ("題", "人", "3")


def test_m4b_says_audiobook_and_holds_no_date(tmp_path: Path) -> None:
    data = write(tmp_path / "a.m4b", Encoding("m4b", 24_000, 5_000, tags=Tags("題")), noise(5_000)).read_bytes()
    assert data[4:12] == b"ftypM4B "
    assert data.index(b"moov") < data.index(b"mdat")
    assert b"stik" in data
    header = data.index(b"mvhd") + 8
    assert data[header : header + 8] == bytes(8)


def test_bytes_are_the_same_in_every_process(tmp_path: Path) -> None:
    script = (
        "import hashlib, numpy as np\n"
        "from koebin.engine.audio.audio import Audio\n"
        "samples = np.random.default_rng(5).normal(0.0, 0.1, 30_000).astype(np.float32)\n"
        f"for name in {sorted(FORMATS)}:\n"
        "    print(hashlib.sha256(Audio(samples, 22_050).to_bytes(name)).hexdigest())\n"
    )
    runs = [subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True) for _ in "ab"]
    assert runs[0].stdout == runs[1].stdout
    assert len(set(runs[0].stdout.split())) == len(FORMATS)


def test_ogg_serial_follows_from_the_sound(tmp_path: Path) -> None:
    def serial(samples: np.ndarray) -> bytes:
        return write(tmp_path / "a", Encoding("opus", 48_000, 4_800), samples).read_bytes()[14:18]

    assert serial(noise(4_800)) == serial(noise(4_800))
    assert serial(noise(4_800)) != serial(-noise(4_800))


def test_ogg_checksum_is_the_polynomial_division() -> None:
    def plainly(data: bytes) -> int:
        register = 0
        for byte in data:
            register ^= byte << 24
            for _ in range(8):
                register = (register << 1) ^ (0x04C11DB7 if register & 0x80000000 else 0)
                register &= 0xFFFFFFFF
        return register

    data = hashlib.sha512(b"page").digest() * 3
    assert ogg.checksum(data) == plainly(data)
    assert ogg.checksum(b"") == 0


def test_large_wav_becomes_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libsndfile, "RIFF_LIMIT_BYTES", 1_000)
    assert write(tmp_path / "a.wav", Encoding("wav", 16_000, 499), noise(499)).read_bytes()[:4] == b"RIFF"
    path = write(tmp_path / "b.wav", Encoding("wav", 16_000, 501), noise(501))
    assert path.read_bytes()[:4] == b"RF64"
    assert decoded(path)[0] == pytest.approx(noise(501), abs=1e-4)


@pytest.mark.parametrize("written", [0, 99, 101])
def test_a_file_of_another_length_is_never_finished(written: int, tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(b"before")
    with pytest.raises(InferenceFailed, match="differs from the announced"):
        write(tmp_path / "a.flac", Encoding("flac", 16_000, 100), noise(written))
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"before"]


def test_an_error_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def fail(writer: Writer) -> None:
        writer.write(noise(50))
        raise RuntimeError("half way")

    for name in FORMATS:
        with (
            pytest.raises(RuntimeError, match="half way"),
            open_writer(tmp_path / "a", Encoding(name, 16_000, 100)) as w,
        ):
            fail(w)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_no_more_leaves_nothing(tmp_path: Path) -> None:
    """The limit on a file's size stands for a full disk; FFmpeg is known to crash when it goes on after an error."""
    script = (
        "import resource, numpy as np, pathlib\n"
        "from koebin.engine.audio.audio import Audio\n"
        "from koebin.engine.errors import StoreError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "audio = Audio(np.random.default_rng(5).normal(0.0, 0.1, 480_000).astype(np.float32), 48_000)\n"
        f"for name in {sorted(FORMATS)}:\n"
        "    try:\n"
        f"        audio.save(pathlib.Path({str(tmp_path)!r}, 'a'), format=name)\n"
        "    except StoreError:\n"
        "        print(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == sorted(FORMATS)
    assert list(tmp_path.iterdir()) == []


def test_aac_without_its_extra_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(BackendMissing, match=r"koebin\[m4b\]"):
        write(tmp_path / "a.m4b", Encoding("m4b", 16_000, 100), noise(100))
    assert list(tmp_path.iterdir()) == []


def test_refuses_bit_rates_and_covers_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="Use 8 to 320"):
        write(tmp_path / "a.mp3", Encoding("mp3", 16_000, 100, 321), noise(100))
    with pytest.raises(InvalidOption, match="neither PNG nor JPEG"):
        Cover(b"GIF89a")
    with pytest.raises(InvalidOption, match="too large"):
        Cover(png() + bytes(10_000_000))
