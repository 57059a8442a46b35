"""FLAC frames that are stored without their position and joined to a stream later.

A frame depends on no other one; only its header says where it stands. So a programme can be encoded in stretches, side
by side or years apart, and joined without looking at the sound again: each header gets its number, and each of the two
checksums what follows from that. Source: RFC 9639, section 9.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from koebin.engine.bounded_json import loads
from koebin.engine.errors import InvalidInput

FloatArray = NDArray[np.float32]
Rows = NDArray[np.uint8]
Numbers = NDArray[np.int64]

BLOCK_FRAMES: Final = 4096
"""Samples of every FLAC frame but the last of a stretch: libFLAC's default."""
SHORTEST_FRAME: Final = 16
"""Least samples of a FLAC frame, unless it is a stream's last one."""

_FIXED, _VARIABLE = b"\xff\xf8", b"\xff\xf9"
_POLYNOMIAL_8, _POLYNOMIAL_16 = 0x07, 0x8005
_PERIOD: Final = 32_767  # of x modulo the polynomial of 16 bits
_LIMITS: Final = (0x80, 0x800, 0x1_0000, 0x20_0000, 0x400_0000, 0x8000_0000, 1 << 36)
"""Bounds of the numbers that take 1, 2, ... bytes in a header."""
_PLACE: Final = 4
"""Offset of a header's number."""


@dataclass(frozen=True, slots=True)
class Frames:
    """FLAC frames of a stretch of sound, without their positions.

    Attributes:
        samples: of the stretch; every frame but the last holds ``BLOCK_FRAMES`` of them.
        heads: the header before its number, of all frames but the last, and of the last.
        extras: what follows the number, likewise.
        sizes: bytes of each frame between header and checksum, shape (N,).
        checks: CRC-16 of those bytes, shape (N,).
        bodies: those bytes, one frame's after the other's.
    """

    samples: int
    heads: tuple[bytes, bytes]
    extras: tuple[bytes, bytes]
    sizes: Numbers
    checks: Numbers
    bodies: bytes | memoryview

    def numbered(self, first_sample: int, *, variable: bool) -> bytes:
        """Frames with their positions in a stream.

        Args:
            first_sample: place of the stretch in the stream.
            variable: some stretch before the stream's last one ends with a shorter frame; frames are then numbered by
                their first sample instead of being counted.
        """
        numbers = first_sample + BLOCK_FRAMES * np.arange(len(self.sizes))
        if not variable:
            numbers //= BLOCK_FRAMES
        sync = _VARIABLE if variable else _FIXED
        headers = [
            *_headers(sync + self.heads[0], numbers[:-1], self.extras[0]),
            *_headers(sync + self.heads[1], numbers[-1:], self.extras[1]),
        ]
        whole = [header for rows in headers for header in rows]
        crc = np.concatenate([_crc16(rows) for rows in headers])
        ends = (_shifted(crc, self.sizes) ^ self.checks).astype(">u2").tobytes()
        bodies, position = memoryview(self.bodies), 0
        pieces: list[bytes | memoryview] = []
        for index, (header, size) in enumerate(zip(whole, self.sizes.tolist(), strict=True)):
            pieces += (header.tobytes(), bodies[position : position + size], ends[2 * index : 2 * index + 2])
            position += size
        return b"".join(pieces)

    def dump(self) -> bytes:
        """Bytes that ``load`` reads."""
        head = {
            "samples": self.samples,
            "frames": len(self.sizes),
            "heads": [part.hex() for part in self.heads],
            "extras": [part.hex() for part in self.extras],
        }
        tables = self.sizes.astype("<u4").tobytes() + self.checks.astype("<u2").tobytes()
        return b"".join((json.dumps(head).encode(), b"\n", tables, self.bodies))

    @classmethod
    def load(cls, data: bytes) -> Frames:
        """Frames from ``dump``. Raises: InvalidInput: not FLAC frames, or incomplete."""
        end = data.find(b"\n")
        rest = memoryview(data)[end + 1 :]  # a view: copying half a minute would dominate the cost
        try:
            said: dict[str, Any] = loads(data[: max(end, 0)])
            count = said["frames"]
            if not _is_count(count) or not _is_count(said["samples"]):
                raise ValueError("its numbers are none")
            sizes = np.frombuffer(rest, "<u4", count).astype(np.int64)
            checks = np.frombuffer(rest, "<u2", count, offset=4 * count).astype(np.int64)
            (head, last), (extra, last_extra) = ([bytes.fromhex(p) for p in said[name]] for name in ("heads", "extras"))
            frames = cls(said["samples"], (head, last), (extra, last_extra), sizes, checks, rest[6 * count :])
        except (ValueError, KeyError, TypeError, InvalidInput) as error:
            raise InvalidInput("FLAC frames cannot be read", str(error)) from error
        if len(frames.bodies) != sizes.sum():
            raise InvalidInput("FLAC frames are truncated", f"{len(frames.bodies)} of {sizes.sum()} bytes")
        return frames


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 36


def encode_frames(sound: FloatArray, sample_rate_hz: int) -> Frames:
    """Encode a stretch of sound with libFLAC, 24 bit; samples outside [-1, 1] are clipped.

    Args:
        sound: shape (N,), float32, N >= 1.
    """
    import soundfile

    sink = _Sink()
    with soundfile.SoundFile(sink, "w", sample_rate_hz, 1, format="FLAC", subtype="PCM_24") as file:
        file.write(sound)
    data = sink.getvalue()
    starts = [start for start in sink.starts if data[start : start + 2] == _FIXED and start >= _metadata_end(data)]
    return _taken_apart(data, [*starts, len(data)], len(sound))


class _Sink(io.BytesIO):
    """File object that notes the start of each append: libFLAC writes frame by frame."""

    def __init__(self) -> None:
        super().__init__()
        self.starts: list[int] = []

    def write(self, data: Any, /) -> int:
        if self.tell() == self.getbuffer().nbytes:
            self.starts.append(self.tell())
        return super().write(data)


def _metadata_end(data: bytes) -> int:
    position, last = 4, False
    while not last:
        last = bool(data[position] & 0x80)
        position += 4 + int.from_bytes(data[position + 1 : position + 4], "big")
    return position


def _taken_apart(data: bytes, bounds: list[int], samples: int) -> Frames:
    if len(bounds) - 1 != -(-samples // BLOCK_FRAMES):
        raise InvalidInput("libFLAC has written unexpected frames", f"{len(bounds) - 1} for {samples} samples")
    heads, extras, sizes, checks, bodies = [], [], [], [], []
    for start, end in pairwise(bounds):
        number = 1 if data[start + _PLACE] < 0x80 else 8 - (data[start + _PLACE] ^ 0xFF).bit_length()
        size_code, rate_code = data[start + 2] >> 4, data[start + 2] & 0x0F
        extra = {6: 1, 7: 2}.get(size_code, 0) + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
        first = start + _PLACE + number + extra + 1
        heads.append(data[start + 2 : start + _PLACE])
        extras.append(data[first - 1 - extra : first - 1])
        bodies.append(data[first : end - 2])
        sizes.append(end - 2 - first)
        header = np.frombuffer(data, np.uint8, first - start, offset=start)[np.newaxis]
        behind = _shifted(_crc16(header), np.array([end - 2 - first]))
        checks.append(int.from_bytes(data[end - 2 : end], "big") ^ int(behind[0]))
    ends = (heads[0], heads[-1]), (extras[0], extras[-1])
    return Frames(samples, *ends, np.array(sizes), np.array(checks), b"".join(bodies))


def _headers(head: bytes, numbers: Numbers, extra: bytes) -> Iterator[Rows]:
    """Complete headers, shape (N, L), in runs of numbers with the same size."""
    start = 0
    for length, limit in enumerate(_LIMITS, start=1):
        end = int(np.searchsorted(numbers, limit))
        if end > start:
            rows = np.empty((end - start, len(head) + length + len(extra) + 1), np.uint8)
            rows[:, : len(head)] = np.frombuffer(head, np.uint8)
            rows[:, len(head) : len(head) + length] = _coded(numbers[start:end], length)
            rows[:, len(head) + length : -1] = np.frombuffer(extra, np.uint8)
            rows[:, -1] = _crc8(rows[:, :-1])
            yield rows
        start = end


def _coded(numbers: Numbers, length: int) -> Rows:
    """Numbers in UTF-8's scheme, extended to 36 bits: shape (N, length)."""
    rows = np.empty((len(numbers), length), np.uint8)
    for column in range(length):
        bits = numbers >> (6 * (length - 1 - column))
        rows[:, column] = bits & 0x3F | 0x80 if column else bits | (0xFF00 >> length & 0xFF if length > 1 else 0)
    return rows


def _crc8(rows: Rows) -> Rows:
    table, crc = _table(8, _POLYNOMIAL_8), np.zeros(len(rows), np.int64)
    for column in rows.T:
        crc = table[crc ^ column]
    return crc.astype(np.uint8)


def _crc16(rows: Rows) -> Numbers:
    table, crc = _table(16, _POLYNOMIAL_16), np.zeros(len(rows), np.int64)
    for column in rows.T:
        crc = (crc << 8 & 0xFF00) ^ table[crc >> 8 ^ column]
    return crc


def _shifted(crc: Numbers, zeros: Numbers) -> Numbers:
    """CRC-16 after that many further zero bytes."""
    factor = _powers()[8 * zeros % _PERIOD]
    product = np.zeros_like(crc)
    for bit in range(15, -1, -1):
        product = product << 1 ^ np.where(product & 0x8000, 0x1_0000 | _POLYNOMIAL_16, 0)
        product ^= np.where(factor >> bit & 1, crc, 0)
    return product


@lru_cache(maxsize=2)
def _table(bits: int, polynomial: int) -> Numbers:
    """CRC remainders of all bytes: shape (256,)."""
    crc = np.arange(256) << (bits - 8)
    for _ in range(8):
        crc = crc << 1 ^ np.where(crc >> (bits - 1) & 1, 1 << bits | polynomial, 0)
    return crc


@lru_cache(maxsize=1)
def _powers() -> Numbers:
    """Powers 0, 1, ... of x modulo the 16-bit polynomial: shape (_PERIOD,)."""
    powers = [1]
    for _ in range(_PERIOD - 1):
        doubled = powers[-1] << 1
        powers.append(doubled ^ (0x1_0000 | _POLYNOMIAL_16) if doubled & 0x1_0000 else doubled)
    return np.array(powers)
