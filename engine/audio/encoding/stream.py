"""One continuous file, encoded while it is spoken: what is finished can be sent before the rest is known."""

from __future__ import annotations

import io
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from koebin.engine.audio.encoding.libsndfile import LibsndfileEncoder
from koebin.engine.audio.encoding.tags import Tags
from koebin.engine.audio.encoding.wav_header import wav_header
from koebin.engine.audio.formats import FORMATS, Format, find_format
from koebin.engine.errors import BackendMissing, InvalidOption

FloatArray = NDArray[np.float32]

STREAM_TYPES: Final = {
    "wav": "audio/wav",
    "pcm": "audio/pcm",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
}
"""Media types of the formats that can be streamed."""
PCM_RATE: Final = 24_000
"""Raw samples have no header to tell their rate: 24 kHz, 16 bit, mono, little endian."""
_AAC: Final = FORMATS["m4a"]
"""The same codec, in frames of its own instead of MP4."""


class _Sink(Protocol):
    def write(self, samples: FloatArray) -> bytes: ...

    def finish(self) -> bytes: ...


class StreamEncoder:
    """Samples in, bytes of one file out.

    The file's header cannot know its length: it says that it is unknown, as each format provides for.

    Args:
        format: one of ``STREAM_TYPES``.
        sample_rate_hz: of the samples.
        bitrate_kbps: of a lossy format; None takes the format's default for speech.

    Raises:
        InvalidOption: no such format, or a bit rate out of its range.
        BackendMissing: AAC without the extra ``m4b``.
    """

    def __init__(self, format: str, sample_rate_hz: int, bitrate_kbps: int | None = None) -> None:  # noqa: A002
        if format not in STREAM_TYPES:
            raise InvalidOption("not a format that can be streamed", format, f"Use {', '.join(STREAM_TYPES)}")
        rate = sample_rate_hz
        if format == "pcm":
            rate = PCM_RATE
        elif format != "wav":
            rate = (_AAC if format == "aac" else find_format(format)).rate_for(sample_rate_hz)
        self._resampler = None
        if rate != sample_rate_hz:
            import soxr

            self._resampler = soxr.ResampleStream(sample_rate_hz, rate, 1, dtype="float32")
        self._sink = _sink(format, rate, bitrate_kbps)

    def write(self, samples: FloatArray) -> bytes:
        """Bytes that are finished after these samples: shape (N,), float32, within [-1, 1]; perhaps none yet."""
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples)
        return self._sink.write(samples)

    def finish(self) -> bytes:
        """The last bytes; nothing is written after that."""
        last = b""
        if self._resampler is not None:
            rest: FloatArray = self._resampler.resample_chunk(np.zeros(0, np.float32), last=True)
            last = self._sink.write(rest)
        return last + self._sink.finish()


def _sink(name: str, rate: int, bitrate_kbps: int | None) -> _Sink:
    match name:
        case "wav":
            return _Samples(wav_header(rate))
        case "pcm":
            return _Samples(b"")
        case "aac":
            return _Adts(rate, _AAC.bitrate_for(bitrate_kbps) or 0)
        case _:
            return _Libsndfile(find_format(name), rate, bitrate_kbps)


class _Samples:
    """16-bit samples, perhaps after a header."""

    def __init__(self, header: bytes) -> None:
        self._header = header

    def write(self, samples: FloatArray) -> bytes:
        head, self._header = self._header, b""
        data: bytes = np.rint(np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
        return head + data

    def finish(self) -> bytes:
        head, self._header = self._header, b""
        return head


class _Growing(io.RawIOBase):
    """A file for libsndfile that only grows; what it would write over at the end is gone by then, and is dropped."""

    def __init__(self) -> None:
        self._new = bytearray()
        self._length = 0
        self._position = 0

    def take(self) -> bytes:
        data = bytes(self._new)
        self._new.clear()
        return data

    def write(self, data: Any) -> int:
        size = len(data)
        fresh = max(0, self._position + size - self._length)
        self._new += bytes(data)[size - fresh :]
        self._position += size
        self._length = max(self._length, self._position)
        return size

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        del size
        return b""

    def readinto(self, buffer: Any) -> int:
        del buffer
        return 0

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


class _Libsndfile:
    def __init__(self, chosen: Format, rate: int, bitrate_kbps: int | None) -> None:
        self._file = _Growing()
        bitrate = chosen.bitrate_for(bitrate_kbps)
        self._encoder = LibsndfileEncoder(self._file, chosen, rate, 0, bitrate, Tags())

    def write(self, samples: FloatArray) -> bytes:
        self._encoder.write(samples)
        return self._file.take()

    def finish(self) -> bytes:
        self._encoder.close()
        return self._file.take()


class _Adts:
    """AAC in frames that each have a header of their own."""

    _FRAME: Final = 1024

    def __init__(self, rate: int, bitrate_kbps: int) -> None:
        try:
            import av
        except ImportError as error:
            raise BackendMissing(
                "AAC needs the package av", "", "Install koebin[m4b] where `koebin serve` runs, or choose mp3 or opus"
            ) from error
        self._av = av
        self._file = _Growing()
        self._container = av.open(self._file, "w", format="adts", options={"fflags": "+bitexact"})
        self._stream = self._container.add_stream("aac", rate=rate, layout="mono")
        self._stream.bit_rate = bitrate_kbps * 1000
        self._rate = rate
        self._position = 0
        self._pending = np.zeros(0, np.float32)

    def write(self, samples: FloatArray) -> bytes:
        self._pending = np.concatenate([self._pending, samples])
        whole = len(self._pending) // self._FRAME * self._FRAME
        for first in range(0, whole, self._FRAME):
            self._encode(self._pending[first : first + self._FRAME])
        self._pending = self._pending[whole:]
        return self._file.take()

    def finish(self) -> bytes:
        if len(self._pending):
            self._encode(self._pending)
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._file.take()

    def _encode(self, samples: FloatArray) -> None:
        frame = self._av.AudioFrame.from_ndarray(samples[np.newaxis, :], format="fltp", layout="mono")
        frame.sample_rate = self._rate
        frame.pts = self._position
        self._position += len(samples)
        self._container.mux(self._stream.encode(frame))
