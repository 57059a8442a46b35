"""Speaking styles: rows of ``style_vectors.npy``, row 0 being the mean of all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from koebin.engine.checked_names import known_style, nearest
from koebin.engine.errors import InvalidCheckpoint, UnknownStyle
from koebin.engine.limits import STYLE_VECTORS_BYTES
from koebin.engine.models.jp_extra.configuration import array_from, read_small
from koebin.engine.models.jp_extra.hyper_parameters import STYLE_DIMENSION, HyperParameters

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Styles:
    """Styles of one voice.

    Attributes:
        names: the default first.
        rows: row of ``vectors`` per name.
        vectors: shape (styles, 256), float32.
    """

    names: tuple[str, ...]
    rows: dict[str, int]
    vectors: FloatArray

    @classmethod
    def load(cls, path: Path, sizes: HyperParameters) -> Styles:
        """Read ``style_vectors.npy``.

        A configuration that names no styles (older files) gets ``Neutral`` for row 0 and ``1``, ``2``, ... after it.

        Raises:
            InvalidCheckpoint: no array, a pickle, or not as many rows as the configuration has styles.
        """
        vectors = _read(path)
        names = dict(sizes.style2id) or {("Neutral" if row == 0 else str(row)): row for row in range(len(vectors))}
        if sorted(set(names.values())) != list(range(len(vectors))):
            raise InvalidCheckpoint(
                f"the configuration names {len(names)} styles, but there are {len(vectors)} style vectors",
                str(path),
                "style2id must give every row of style_vectors.npy a name",
            )
        if sizes.num_styles not in (0, len(vectors)):
            raise InvalidCheckpoint(
                f"num_styles is {sizes.num_styles}, but there are {len(vectors)} style vectors", str(path)
            )
        return cls(tuple(sorted(names, key=names.__getitem__)), names, vectors)

    def vector(self, style: str, weight: float) -> FloatArray:
        """Style vector: ``mean + (row - mean) * weight``, shape (256,), float32.

        Args:
            style: a name, "" for the first one.
            weight: 0 is the mean, 1 the style as trained, more exaggerates it.

        Raises:
            UnknownStyle: no such style.
        """
        name = known_style(style or self.names[0], self.names)
        if not name:
            name = style
            close = nearest(name, self.names)
            hint = f"Did you mean {', '.join(close)}?" if close else f"Use one of {', '.join(self.names)}"
            raise UnknownStyle("the speaker has no such style", name, hint)
        mean = self.vectors[0]
        vector: FloatArray = mean + (self.vectors[self.rows[name]] - mean) * np.float32(weight)
        return vector


def _read(path: Path) -> FloatArray:
    try:
        vectors = array_from(read_small(path, STYLE_VECTORS_BYTES), str(path))
    except FileNotFoundError as error:
        raise InvalidCheckpoint(
            "the voice has no style vectors", str(path), "Add style_vectors.npy beside the configuration"
        ) from error
    if vectors.ndim != 2 or vectors.shape[1] != STYLE_DIMENSION or not len(vectors):
        raise InvalidCheckpoint(f"style vectors are rows of {STYLE_DIMENSION} numbers", str(vectors.shape))
    if not np.issubdtype(vectors.dtype, np.floating) or not np.isfinite(vectors).all():
        raise InvalidCheckpoint("the style vectors are not finite numbers", str(path))
    return vectors.astype(np.float32)
