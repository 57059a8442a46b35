"""Small files of a voice, read with bounds: JSON and style vectors. Never a pickle."""

from __future__ import annotations

import io
from pathlib import Path
from tokenize import TokenError
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from koebin.engine.bounded_json import loads
from koebin.engine.errors import InvalidCheckpoint, InvalidInput
from koebin.engine.limits import STYLE_VECTORS_BYTES, VOICE_CONFIG_BYTES

LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_HEADER_ERRORS: Final = (
    *(ValueError, EOFError, SyntaxError, TokenError, TypeError),
    *(RecursionError, MemoryError, OverflowError),
)
"""What numpy's reader of headers, a Python parser, ends with."""
_BOM: Final = b"\xef\xbb\xbf"


def read_json(path: Path, limit: int = VOICE_CONFIG_BYTES) -> Any:
    """The JSON of a file, with or without a byte order mark.

    Raises:
        InvalidCheckpoint: larger than ``limit`` bytes, not JSON, or nested too deeply.
        FileNotFoundError
    """
    return parse_json(read_small(path, limit), str(path))


def parse_json(data: bytes, where: str) -> Any:
    """The same of bytes that were read from ``where``.

    Raises:
        InvalidCheckpoint: not JSON, or nested too deeply.
    """
    try:
        return loads(data.removeprefix(_BOM))
    except InvalidInput as error:
        detail = f"{error.what}, {error.value}" if error.value else error.what
        raise InvalidCheckpoint(f"the file is not usable JSON ({detail})", where, "Fetch it again") from None


def read_small(path: Path, limit: int) -> bytes:
    """The content of a file of at most ``limit`` bytes.

    Raises:
        InvalidCheckpoint: it is larger, no regular file, or a Git LFS pointer.
        FileNotFoundError
    """
    try:
        if path.exists() and not path.is_file():
            raise InvalidCheckpoint("not a regular file", str(path))
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InvalidCheckpoint(f"the file cannot be read ({error.strerror})", str(path)) from error
    if len(data) > limit:
        raise InvalidCheckpoint(f"the file has more than {limit} bytes", str(path), "Fetch the voice again")
    refuse_pointer(data[: len(LFS_POINTER)], path)
    return data


def refuse_pointer(start: bytes, path: Path) -> None:
    """Tell a Git LFS pointer by the first bytes of a file.

    Raises:
        InvalidCheckpoint: it is one.
    """
    if start.startswith(LFS_POINTER):
        raise InvalidCheckpoint(
            "the file is a Git LFS pointer, not the file itself",
            str(path),
            "Run git lfs pull, or download the file itself",
        )


def array_from(data: bytes, where: str) -> NDArray[Any]:
    """The array of an .npy file of a type that holds no objects; its header must agree with its length.

    Raises:
        InvalidCheckpoint: something else.
    """
    if len(data) > STYLE_VECTORS_BYTES:
        raise InvalidCheckpoint(f"an array of more than {STYLE_VECTORS_BYTES} bytes", where)
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read_header is None:
            raise ValueError(f"version {version} of the format")
        shape, turned, dtype = read_header(stream)
    except (
        ValueError,
        EOFError,
        SyntaxError,
        RecursionError,
        MemoryError,
        OverflowError,
        TypeError,
        TokenError,
    ) as error:
        what = str(error).split("\n", 1)[0][:200] or type(error).__name__
        raise InvalidCheckpoint(f"the array cannot be read ({what})", where, "Fetch it again") from None
    if dtype.hasobject:
        raise InvalidCheckpoint("the array holds objects, which would be a pickle", where, "Write it as float32")
    wanted = dtype.itemsize
    for size in shape:
        wanted *= size
    content = data[stream.tell() :]
    if any(size < 0 for size in shape) or wanted != len(content):
        what = f"the array's header promises {_digits(wanted)} bytes, and {len(content)} follow"
        raise InvalidCheckpoint(what, where, "Fetch it again")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if turned else "C")


def _digits(number: int) -> str:
    return str(number) if number.bit_length() < 200 else f"some 2^{number.bit_length()}"
