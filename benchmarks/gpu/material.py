"""Material of the check: random voices, a random BERT, and a book that the front end has read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.analyses import Analyses
from benchmarks.voices import FULL, NAMES, TINY, write_bert, write_vocabulary, write_voice
from koebin.engine.checked_names import DecoderMode
from koebin.engine.models.base import AcousticModel, Utterance
from koebin.engine.models.jp_extra.torch.batches import BatchLimits
from koebin.engine.models.jp_extra.torch.bert import TorchBert
from koebin.engine.models.jp_extra.torch.voice import JpExtraTorch
from koebin.engine.options import SynthesisOptions
from koebin.engine.request import Request
from koebin.engine.seeds import utterance_seed
from koebin.engine.speaker import Speaker, SpeakerInfo
from koebin.engine.text.tokens import load_vocabulary, token_ids


@dataclass(frozen=True)
class Material:
    """What is measured with.

    Attributes:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        tiny: whether sizes are those of a test.
        root: the check's folder.
        work: folder for voices and stores.
        analyses: of the book's sentences.
    """

    device: str
    tiny: bool
    root: Path
    work: Path
    analyses: Analyses

    @property
    def on_cuda(self) -> bool:
        return self.device != "cpu"

    @property
    def torch_device(self) -> torch.device:
        return torch.device(self.device)

    @property
    def sentences(self) -> list[str]:
        return list(self.analyses)

    def make_files(self) -> None:
        """Write the voices and BERT, unless that was done before."""
        size = TINY if self.tiny else FULL
        if self._tree.exists():
            return
        staging = self._tree.with_suffix(".part")
        for number, name in enumerate(NAMES):
            write_voice(staging / name, size, 1 + number)
        write_bert(staging / "bert", size, 1)
        write_vocabulary(staging / "tokenizer", size)
        staging.rename(self._tree)

    def voice_folder(self, name: str) -> Path:
        return self._tree / name

    def voice(
        self,
        name: str = NAMES[0],
        decoder: DecoderMode = "float32",
        limits: BatchLimits | None = None,
        device: str | None = None,
    ) -> JpExtraTorch:
        """One of the random voices, on the measured device if no other is given."""
        where = device or self.device
        return JpExtraTorch(self.voice_folder(name), self._bert(where), self._tokens, where, decoder, limits)

    def speaker(self, model: AcousticModel) -> Speaker:
        """Speaker with a model that stays loaded."""

        @contextmanager
        def lease() -> Iterator[AcousticModel]:
            yield model

        return Speaker(SpeakerInfo.of(NAMES[0], model), lease, _no_executor)

    def requests(self, takes: int) -> list[Request]:
        """The book so many times over, with other noise each time."""
        options = [SynthesisOptions(take=take) for take in range(takes)]
        return [Request(sentence, option) for option in options for sentence in self.sentences]

    def utterances(self, count: int, take: int = 0) -> list[Utterance]:
        """The book's first utterances, the book begun again as often as needed."""
        options = SynthesisOptions(take=take)
        known = [analysis for read in self.analyses.values() for analysis in read]
        return [
            Utterance(known[number % len(known)], options, utterance_seed(f"{take}", number)) for number in range(count)
        ]

    @property
    def _tree(self) -> Path:
        return self.work / ("tiny" if self.tiny else "full")

    @cached_property
    def _tokens(self) -> Callable[[str], list[int]]:
        return partial(token_ids, vocabulary=load_vocabulary(self._tree / "tokenizer"))

    @cached_property
    def _berts(self) -> dict[str, TorchBert]:
        return {}

    def _bert(self, device: str) -> TorchBert:
        if device not in self._berts:
            self._berts[device] = TorchBert(self._tree / "bert", device)
        return self._berts[device]


def seconds_of(work: Callable[[], Any], device: torch.device, times: int = 3) -> float:
    """Least wall seconds of several calls, after one that warms up; the device's work is waited for."""

    def once() -> float:
        began = time.perf_counter()
        work()
        wait_for(device)
        return time.perf_counter() - began

    once()
    return min(once() for _ in range(times))


def wait_for(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _no_executor() -> Any:
    raise RuntimeError("nothing is awaited here")
