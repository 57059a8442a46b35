"""Cover pictures in the two formats that audio files hold."""

from __future__ import annotations

import io
from typing import Final

from koebin.engine import limits
from koebin.tasks.script import Cover

MAX_COVER_BYTES: Final = 10 << 20
_PICTURES: Final = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


def cover_from(data: bytes) -> Cover | None:
    """The picture as JPEG or PNG; WebP, GIF, AVIF and BMP are converted where Pillow is installed.

    None where it is no picture, too large, or of a kind that cannot be converted here.
    """
    for magic, media_type in _PICTURES:
        if data.startswith(magic):
            return Cover(data, media_type) if len(data) <= MAX_COVER_BYTES else None  # type: ignore[arg-type]
    converted = _converted(data)
    return Cover(converted, "image/jpeg") if converted and len(converted) <= MAX_COVER_BYTES else None


def _converted(data: bytes) -> bytes | None:
    try:
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError:
        return None
    try:
        with Image.open(io.BytesIO(data), formats=("WEBP", "GIF", "AVIF", "BMP")) as picture:
            if picture.width * picture.height > limits.PICTURE_PIXELS:
                return None
            out = io.BytesIO()
            picture.convert("RGB").save(out, "JPEG", quality=90)
            return out.getvalue()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
