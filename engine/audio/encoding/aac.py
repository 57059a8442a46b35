"""AAC encoder for MP4 (M4A, and M4B with chapters and a cover) through PyAV, an optional extra."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from koebin.engine.audio.encoding.files import translated
from koebin.engine.audio.encoding.tags import Chapter, Cover, Tags
from koebin.engine.errors import BackendMissing

if TYPE_CHECKING:
    from av import AudioFrame
    from av.container import OutputContainer

FloatArray = NDArray[np.float32]

_FRAME = 1024
_MILLISECOND = Fraction(1, 1000)


class AacEncoder:
    """One open MP4 file; its index precedes the sound, so that a player can start early."""

    def __init__(
        self,
        path: Path,
        brand: str,
        sample_rate_hz: int,
        bitrate_kbps: int,
        tags: Tags,
        chapters: Sequence[Chapter],
        cover: Cover | None,
    ) -> None:
        try:
            import av
        except ImportError as error:
            raise BackendMissing(
                "M4A and M4B files need the package av", "", "Install koebin[m4b], or choose another format"
            ) from error
        self._av = av
        self._path = path
        self._broken = False
        self._rate = sample_rate_hz
        self._position = 0
        self._pending = np.zeros(0, dtype=np.float32)
        options = {
            "brand": brand,
            "movflags": "+faststart",
            # Sample-exact length; the default is milliseconds.
            "movie_timescale": str(sample_rate_hz),
            # Omits the library's version and all dates.
            "fflags": "+bitexact",
        }
        self._container = av.open(str(path), "w", format="mp4", options=options)
        self._stream = self._container.add_stream("aac", rate=sample_rate_hz, layout="mono")
        self._stream.bit_rate = bitrate_kbps * 1000
        self._container.metadata.update(_metadata(tags, brand))
        self._container.set_chapters(
            [
                {
                    "id": number,
                    "start": round(chapter.start * 1000),
                    "end": round(chapter.end * 1000),
                    "time_base": _MILLISECOND,
                    "metadata": {"title": chapter.title},
                }
                for number, chapter in enumerate(chapters)
            ]
        )
        if cover is not None:
            _attach(self._container, cover)

    def write(self, block: FloatArray) -> None:
        """Encode the next samples: shape (N,), float32."""
        self._pending = np.concatenate([self._pending, block])
        whole = len(self._pending) // _FRAME * _FRAME
        for first in range(0, whole, _FRAME):
            self._encode(self._pending[first : first + _FRAME])
        self._pending = self._pending[whole:]

    def close(self) -> None:
        """Write the last frames and the index."""
        if self._broken:
            # FFmpeg crashes on further input after a failed write.
            with suppress(OSError):
                self._container.close()
            return
        if len(self._pending):
            self._encode(self._pending)
        self._mux(None)
        with translated(self._path):
            self._container.close()

    def _encode(self, samples: FloatArray) -> None:
        frame = self._av.AudioFrame.from_ndarray(samples[np.newaxis, :], format="fltp", layout="mono")
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = self._position
        self._position += len(samples)
        self._mux(frame)

    def _mux(self, frame: AudioFrame | None) -> None:
        self._broken = True
        with translated(self._path):
            self._container.mux(self._stream.encode(frame))
        self._broken = False


def _metadata(tags: Tags, brand: str) -> dict[str, str]:
    fields = {
        "title": tags.title,
        "artist": tags.artist,
        "album_artist": tags.artist,
        "album": tags.album,
        "track": tags.track_of,
        "date": tags.date,
        "genre": tags.genre,
        "comment": tags.comment,
        # iTunes' media kind: 2 is an audiobook.
        "media_type": "2" if brand == "M4B " else "",
    }
    return {name: value for name, value in fields.items() if value}


def _attach(container: OutputContainer, cover: Cover) -> None:
    import av
    from av.stream import Disposition

    demuxer = "png_pipe" if cover.media_type == "image/png" else "jpeg_pipe"
    with av.open(io.BytesIO(cover.data), "r", format=demuxer) as picture:
        source = picture.streams.video[0]
        stream = container.add_stream_from_template(source)
        stream.disposition = Disposition.attached_pic
        for packet in picture.demux(source):
            if packet.size:
                packet.stream = stream
                packet.pts = packet.dts = 0
                container.mux(packet)
