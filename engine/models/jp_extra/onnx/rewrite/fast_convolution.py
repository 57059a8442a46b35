"""Fast convolutions (Toom-Cook, Winograd) with half of the multiplications, written with ONNX's own ``Conv``.

Toom and Cook: a tile of m = 4 outputs of a convolution with r taps needs n = m + r - 1 products instead of m * r. The
inputs are brought to n combinations of neighbours (additions), each is multiplied by combined weights, and the products
are combined to outputs (additions). The more taps, the
fewer products and weights for each, but the more additions, and the larger the error of float32: two times that of a
plain convolution for 4 taps, 4 times for 7, 20 times for 11. Longer filters are groups of r taps, whose products are
summed before the last step.

How it fits ONNX Runtime: the signal stands in *phases*, [B, C, 4, W], with sample 4 w + p in row p, so that all three
steps are 2-D convolutions, which its blocked kernels take. Each row needs weights of its own there, which a convolution
does not offer; but with strides, dilations and padding of the height chosen so that all rows of the filter save those
meant for an output row fall into the padding, each row picks its own. The kernels skip what lies in the padding.

Sources: Toom 1963, Cook 1966; Winograd, Arithmetic Complexity of Computations, 1980; for networks: Lavin and Gray,
arXiv 1509.09308.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from koebin.engine.models.jp_extra.onnx.rewrite.builder import Builder

Array = NDArray[np.float64]

PHASES: Final = 4
"""Outputs per tile: m."""
_POINTS: Final = {
    3: (0.0, 1.0, -1.0, 2.0, -0.5),
    4: (0.0, 1.0, -1.0, 2.0, -2.0, 0.5),
    7: (0.0, 0.4, -0.4, 0.8, -0.8, 1.25, -1.25, 2.5, -2.5),
    11: (0.0, 0.3, -0.3, 0.6, -0.6, 0.85, -0.85, 1.2, -1.2, 1.6, -1.6, 3.2, -3.2),
}
"""Evaluation points of the polynomials, by r; infinity is one more. Found by a search for the least error."""
_WIDE: Final = 256
"""Channels from which on additions cost so little beside multiplications that 11 taps are one group."""


@dataclass(frozen=True)
class Algorithm:
    """y = after @ ((weights @ g) * (before @ x)) for r taps g, n = m + r - 1 samples x and m outputs y.

    Attributes:
        taps: r: 3, 4, 7 or 11.
    """

    taps: int

    @property
    def products(self) -> int:
        return PHASES + self.taps - 1

    @cached_property
    def after(self) -> Array:
        """Shape (m, n)."""
        return self._powers(PHASES).T

    @cached_property
    def before(self) -> Array:
        """Shape (n, n), rows scaled to about 1."""
        return self._interpolation / self._scale

    @cached_property
    def weights(self) -> Array:
        """Shape (n, r)."""
        return self._powers(self.taps) * self._scale

    @cached_property
    def _interpolation(self) -> Array:
        return np.asarray(np.linalg.inv(self._powers(self.products)).T, np.float64)

    @property
    def _scale(self) -> Array:
        return np.asarray(np.abs(self._interpolation).max(axis=1, keepdims=True))

    def _powers(self, count: int) -> Array:
        """Powers 0 to count - 1 of each point; the last row is infinity's, the highest power alone."""
        finite = np.vander(_POINTS[self.taps], count, increasing=True)
        return np.vstack([finite, np.eye(count)[-1]])


def convolve_phases(
    build: Builder, x: str, weight: NDArray[np.float32], bias: NDArray[np.float32], dilation: int
) -> str:
    """Add a convolution that keeps the length, like ``Conv`` with zero padding.

    Args:
        build: receives the nodes.
        x: name of a tensor [B, C, 4, W].
        weight: shape (O, C, K), K odd.
        bias: shape (O,).
        dilation: odd.

    Returns:
        Name of a tensor [B, O, 4, W].
    """
    outputs, inputs, kernel = weight.shape
    algorithm = Algorithm(_taps(kernel, inputs))
    taps, products = algorithm.taps, algorithm.products
    groups = -(-kernel // taps)
    # Output i of the tile at 4 t is sample 4 t + i * dilation, and input l of its first group lies at
    # 4 t + (l - kernel // 2) * dilation: as phases, row and column.
    read = [divmod((index - kernel // 2) * dilation, PHASES) for index in range(products)]
    written = [divmod(index * dilation, PHASES) for index in range(PHASES)]
    first, last, late = min(read)[0], max(read)[0], max(written)[0]

    before = np.zeros((products, PHASES, last - first + 1))
    for index, (column, row) in enumerate(read):
        before[:, row, column - first] += algorithm.before[:, index]
    padded = np.zeros((outputs, inputs, groups * taps))
    padded[..., :kernel] = weight
    multiply = np.einsum("nr,ocgr->nocg", algorithm.weights, padded.reshape(outputs, inputs, groups, taps))
    after = np.zeros((PHASES, products, late + 1))
    for index, (column, row) in enumerate(written):
        after[row, :, late - column] = algorithm.after[index]

    combined = build.convolution(  # [B, C, n, W']
        x,
        np.broadcast_to(_stacked(before), (inputs, 1, products * PHASES, last - first + 1)),
        strides=(PHASES, 1),
        pads=_both(PHASES * (products - 1), late - first, (groups - 1) * dilation + last),
        group=inputs,
    )
    multiplied = build.convolution(  # [B, O, n, W + late]
        combined,
        multiply[::-1].transpose(1, 2, 0, 3),
        strides=(products + 1, 1),
        dilations=(products, dilation),
        pads=_both(products * (products - 1)),
    )
    return build.convolution(
        multiplied,
        np.broadcast_to(_stacked(after), (outputs, 1, products * PHASES, late + 1)),
        bias,
        strides=(products, 1),
        pads=_both(products * (PHASES - 1)),
        group=outputs,
    )


def _taps(kernel: int, channels: int) -> int:
    """Taps of a group. If there are several groups, they have ``PHASES``: each then lies whole columns behind the one
    before.
    """
    longest = 11 if channels >= _WIDE else 7
    one_group = [taps for taps in _POINTS if kernel <= taps <= longest]
    return one_group[0] if one_group else PHASES


def _stacked(rows: Array) -> Array:
    """Filters of the output rows, shape (rows, height, width), as one of height rows * height, the last row's on top.

    With the height as the stride and padding by height * (rows - 1), output row r finds its own filter on the input.
    """
    return rows[::-1].reshape(-1, rows.shape[2])


def _both(height: int, left: int = 0, right: int = 0) -> tuple[int, int, int, int]:
    return height, left, height, right
