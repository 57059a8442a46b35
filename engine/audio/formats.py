"""Audio file formats: one row each says everything that the project knows of a format. Light: no codec is loaded."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from koebin.engine.checked_names import nearest
from koebin.engine.errors import InvalidOption


@dataclass(frozen=True, slots=True)
class Format:
    """One audio file format.

    Attributes:
        name: how users call it.
        media_type: for HTTP and HTML.
        codec: who encodes it: libsndfile, or PyAV (the extra ``m4b``).
        container: libsndfile's name of the file type, or MP4's major brand.
        subtype: libsndfile's name of the sample encoding.
        tags: how tags, chapters and a cover are written.
        player_rank: place among the sources of an HTML player; what browsers seek best comes first.
        aliases: further names and suffixes.
        rates: sample rates in Hz that the codec takes, ascending; empty where it takes any.
        bitrates: lowest and highest bit rate in kbit/s; None where nothing is lost.
        default_kbps: for mono speech.
    """

    name: str
    media_type: str
    codec: Literal["libsndfile", "aac"]
    container: str
    subtype: str
    tags: Literal["riff", "flac", "id3", "ogg", "mp4"]
    player_rank: int
    aliases: tuple[str, ...] = ()
    rates: tuple[int, ...] = ()
    bitrates: tuple[int, int] | None = None
    default_kbps: int | None = None

    @property
    def suffix(self) -> str:
        """Of the files, with its dot."""
        return f".{self.name}"

    @property
    def suffixes(self) -> tuple[str, ...]:
        """All that its files may have, with their dots."""
        return tuple(f".{name}" for name in (self.name, *self.aliases))

    def rate_for(self, sample_rate_hz: int) -> int:
        """The codec's lowest sample rate without loss for ``sample_rate_hz``, or its highest."""
        if not self.rates:
            return sample_rate_hz
        return next((rate for rate in self.rates if rate >= sample_rate_hz), self.rates[-1])

    def bitrate_for(self, bitrate_kbps: int | None) -> int | None:
        """Bit rate in kbit/s.

        Raises:
            InvalidOption: out of the codec's range.
        """
        if self.bitrates is None or bitrate_kbps is None:
            return self.default_kbps
        low, high = self.bitrates
        if not low <= bitrate_kbps <= high:
            raise InvalidOption(
                f"bit rate is out of {self.name}'s range", str(bitrate_kbps), f"Use {low} to {high} kbps"
            )
        return bitrate_kbps


_OPUS_RATES: Final = (8_000, 12_000, 16_000, 24_000, 48_000)
_MPEG_RATES: Final = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
# Players' support of AAC below 16 kHz and above 48 kHz is patchy.
_AAC_RATES: Final = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)

FORMATS: Final[dict[str, Format]] = {
    known.name: known
    for known in (
        Format("wav", "audio/wav", "libsndfile", "WAV", "PCM_16", "riff", 6, ("wave",)),
        Format("flac", "audio/flac", "libsndfile", "FLAC", "PCM_24", "flac", 5),
        Format("mp3", "audio/mpeg", "libsndfile", "MP3", "MPEG_LAYER_III", "id3", 3, (), _MPEG_RATES, (8, 320), 96),
        Format("opus", "audio/ogg", "libsndfile", "OGG", "OPUS", "ogg", 4, ("ogg", "oga"), _OPUS_RATES, (6, 256), 48),
        Format("m4a", "audio/mp4", "aac", "M4A ", "", "mp4", 2, (), _AAC_RATES, (16, 320), 96),
        Format("m4b", "audio/mp4", "aac", "M4B ", "", "mp4", 1, (), _AAC_RATES, (16, 320), 96),
    )
}
EPUB_FORMATS: Final = {"mp3": "audio/mpeg", "m4a": "audio/mp4", "opus": "audio/ogg; codecs=opus"}
"""Formats that every reader of EPUB plays, the best known first, with the media types of EPUB 3.3, section 3.2."""
STREAMED_FORMATS: Final = tuple(known.name for known in FORMATS.values() if known.codec == "libsndfile")
"""Formats that every installation with the engine can write."""
_ALIASES: Final = {alias: known.name for known in FORMATS.values() for alias in known.aliases}


def writable() -> tuple[str, ...]:
    """Names of the formats that this installation can write: AAC needs the extra ``m4b``."""
    aac = importlib.util.find_spec("av") is not None
    return tuple(known.name for known in FORMATS.values() if aac or known.codec != "aac")


def find_format(name: str) -> Format:
    """Format called ``name`` (a suffix with or without its dot, any case).

    Raises:
        InvalidOption: unknown; names the nearest.
    """
    key = name.lower().removeprefix(".")
    key = _ALIASES.get(key, key)
    if key not in FORMATS:
        likely = nearest(key, FORMATS) or sorted(FORMATS)
        raise InvalidOption("not a known audio format", name, f"Use {', '.join(likely)}")
    return FORMATS[key]


def format_of(path: Path, name: str | None = None) -> Format:
    """Format from ``name``, or from the suffix of ``path``."""
    if name is None and not path.suffix:
        raise InvalidOption(
            "the file name has no suffix, so its format is unknown",
            str(path),
            "Add a suffix such as .wav, or give the format",
        )
    return find_format(name if name is not None else path.suffix)
