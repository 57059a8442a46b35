"""Duration model of an HTS voice: length of each phone as in the HTS engine.

The engine says how many samples an utterance has, not where one phone ends and the next begins; the voice file says it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from koebin.engine.errors import InvalidCheckpoint

DoubleArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_DATA: Final = b"[DATA]\n"
_QUESTION: Final = re.compile(r"^QS\s+(\S+)\s*\{([^}]*)\}", re.MULTILINE)
_NODE: Final = re.compile(r'^\s*(-?\d+)\s+(\S+)\s+(-\d+|"[^"]*")\s+(-\d+|"[^"]*")\s*$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Node:
    question: re.Pattern[str]
    no: int
    yes: int


@dataclass(frozen=True, slots=True)
class HtsDurations:
    """State duration distributions of an HTS voice, chosen by a decision tree over full-context labels.

    Attributes:
        sample_rate_hz, frame_period: of the voice; a frame is ``frame_period`` samples.
        nodes: the tree; a branch >= 0 is a node, a branch < 0 is the leaf ``-branch - 1``.
        means, variances: shape (leaves, states), float64, in frames.

    Source: Yoshimura et al., "Duration modeling for HMM-based speech synthesis", ICSLP 1998.
    """

    sample_rate_hz: int
    frame_period: int
    nodes: tuple[_Node, ...]
    means: DoubleArray
    variances: DoubleArray

    @classmethod
    def load(cls, path: Path) -> HtsDurations:
        """Read header, duration tree and its Gaussians from a ``.htsvoice`` file (HTS voice version 1.0).

        Raises:
            InvalidCheckpoint: not such a file, or one whose parts do not fit together.
        """
        try:
            head, data = path.read_bytes().split(_DATA, 1)
            header = dict(line.split(":", 1) for line in head.decode("ascii").splitlines() if ":" in line)
            states = int(header["NUM_STATES"])
            means, variances = _gaussians(_section(data, header["DURATION_PDF"]), states)
            nodes = _tree(_section(data, header["DURATION_TREE"]).decode("utf-8"))
            rate, period = int(header["SAMPLING_FREQUENCY"]), int(header["FRAME_PERIOD"])
        except (ValueError, KeyError) as error:
            raise InvalidCheckpoint(f"not a readable HTS voice ({error})", path.name) from error
        if any(-branch > len(means) for node in nodes for branch in (node.no, node.yes)):
            raise InvalidCheckpoint("the duration tree of the HTS voice has leaves without a distribution", path.name)
        return cls(rate, period, nodes, means, variances)

    def frames(self, labels: Sequence[str], speed: float = 1.0) -> IntArray:
        """Frames that the HTS engine gives to each label.

        Args:
            labels: full-context labels of one utterance.
            speed: the engine's speaking rate, above 0; at 1.0 a label's length does not depend on the others.

        Returns:
            Shape (labels,), int64, each at least the number of states.
        """
        if not labels:
            return np.zeros(0, np.int64)
        leaves = [self._leaf(label) for label in labels]
        means, variances = self.means[leaves], self.variances[leaves]
        if speed == 1.0:
            states = _rounded(means.ravel(), variances.ravel(), 0.0)
        else:
            states = fit_durations(means.ravel(), variances.ravel(), _sum(means.ravel()) / speed)
        frames: IntArray = states.reshape(means.shape).sum(axis=1, dtype=np.int64)
        return frames

    def reachable_speed(self, labels: Sequence[str], speed: float) -> float:
        """The speed, or the highest one below it at which every state still has one frame.

        The engine speaks the same at both, and complains about the higher one on standard error.
        """
        means = self.means[[self._leaf(label) for label in labels]].ravel()
        fastest = _sum(means) / len(means)
        return fastest if int(_sum(means) / speed + 0.5) < len(means) else speed

    def _leaf(self, label: str) -> int:
        position = 0
        while position >= 0:
            node = self.nodes[position]
            position = node.yes if node.question.search(label) else node.no
        return -position - 1


def fit_durations(means: DoubleArray, variances: DoubleArray, length: float) -> IntArray:
    """State durations whose sum is ``length`` rounded: mean + rho * variance, with the same rho for all states.

    Rounding leaves a few frames over; they go one by one to (or come from) the state that strays least from rho.

    Args:
        means, variances: shape (S,), in frames, variances above 0.
        length: wanted total in frames.

    Returns:
        Shape (S,), int64, each at least 1; the sum is max(S, round half up of length).
    """
    target = max(1, int(length + 0.5))
    if target <= len(means):
        return np.ones(len(means), np.int64)
    rho = (target - _sum(means)) / _sum(variances)
    states = _rounded(means, variances, rho)
    surplus = target - int(states.sum())
    step = 1 if surplus > 0 else -1
    strays = np.abs(rho - (states + step - means) / variances)
    for _ in range(abs(surplus)):
        strays_allowed = strays if step > 0 else np.where(states > 1, strays, np.inf)
        chosen = int(strays_allowed.argmin())
        states[chosen] += step
        strays[chosen] = abs(rho - (states[chosen] + step - means[chosen]) / variances[chosen])
    return states


def _sum(values: DoubleArray) -> float:
    """Sum in order, as in the engine; numpy's own could differ in the last bit, and then in a rounding."""
    return float(np.add.accumulate(values)[-1])


def _rounded(means: DoubleArray, variances: DoubleArray, rho: float) -> IntArray:
    return np.maximum(means + rho * variances + 0.5, 1.0).astype(np.int64)


def _section(data: bytes, span: str) -> bytes:
    first, last = (int(number) for number in span.split("-"))
    if last >= len(data):
        raise ValueError("cut off")
    return data[first : last + 1]


def _gaussians(section: bytes, states: int) -> tuple[DoubleArray, DoubleArray]:
    leaves = int.from_bytes(section[:4], "little")
    values = np.frombuffer(section, "<f4", offset=4).astype(np.float64).reshape(leaves, 2, states)
    return values[:, 0], values[:, 1]


def _tree(text: str) -> tuple[_Node, ...]:
    questions = {name: _compile(patterns) for name, patterns in _QUESTION.findall(text)}
    rows = _NODE.findall(text[text.index("{*}") :])
    position = {row[0]: index for index, row in enumerate(rows)}
    nodes = tuple(_Node(questions[name], _branch(no, position), _branch(yes, position)) for _, name, no, yes in rows)
    if not nodes:
        raise ValueError("no duration tree")
    return nodes


def _branch(text: str, position: dict[str, int]) -> int:
    """Index of a node, or minus the 1-based number at the end of a leaf's name."""
    return -int(text.strip('"').rsplit("_", 1)[1]) if text.startswith('"') else position[text]


def _compile(patterns: str) -> re.Pattern[str]:
    """Question as one regular expression to search with; in its patterns ``*`` is any run and ``?`` any character."""
    return re.compile("|".join(_alternatives(patterns)), re.DOTALL)


def _alternatives(patterns: str) -> Iterator[str]:
    for pattern in re.findall(r'"([^"]*)"', patterns):
        inner = "".join({"*": ".*", "?": "."}.get(char) or re.escape(char) for char in pattern.strip("*"))
        start = "" if pattern.startswith("*") else r"\A"
        end = "" if pattern.endswith("*") else r"\Z"
        yield f"{start}{inner}{end}"
