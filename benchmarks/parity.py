"""Parity check ``python -m benchmarks.parity TREE PEER``: equal output of both engines.

TREE is made by ``benchmarks.voices``; PEER is a Python with hayakoe 1.3.1 and torch. Both get the same front-end output
and speak it without noise, on ONNX Runtime and in torch: durations must be equal and samples within ``TOLERANCE``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.processes import ROOT
from koebin.engine.models.base import AcousticModel, Utterance
from koebin.engine.models.jp_extra.network_input import network_input
from koebin.engine.models.jp_extra.onnx.bert import OnnxBert
from koebin.engine.models.jp_extra.onnx.idle_threads import IdleThreads
from koebin.engine.models.jp_extra.onnx.published import prepare
from koebin.engine.models.jp_extra.onnx.voice import JpExtraOnnx
from koebin.engine.models.jp_extra.timings import marks_of
from koebin.engine.models.jp_extra.torch.bert import TorchBert
from koebin.engine.models.jp_extra.torch.voice import JpExtraTorch
from koebin.engine.options import SynthesisOptions
from koebin.engine.text.frontend import analyze
from koebin.engine.text.prosody import phonemes
from koebin.engine.text.tokens import load_vocabulary, token_ids

TOLERANCE: Final = 1e-4
_TEXTS: Final = (
    "こんにちは。",
    "えっ？！",
    "2026/11/23の10:30に、A/Bテストの結果は50%でした。",
    "どこで生れたかとんと見当がつかぬ、何でも薄暗いじめじめした所でニャーニャー泣いていた事だけは記憶している。",
)
_OPTIONS: Final = (
    SynthesisOptions(noise_scale=0.0, noise_scale_w=0.0),
    SynthesisOptions(noise_scale=0.0, noise_scale_w=0.0, style="Happy", speed=0.8, sdp_ratio=0.7),
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How near a back end comes to the peer's.

    Attributes:
        seconds: of audio that were compared.
        durations: whether every phone lasts as long.
        difference: largest between two samples; infinite where lengths differ.
    """

    backend: str
    seconds: float
    durations: bool
    difference: float

    @property
    def holds(self) -> bool:
        return self.durations and self.difference <= TOLERANCE


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity", description=__doc__)
    parser.add_argument("tree", type=Path)
    parser.add_argument("peer", type=Path)
    chosen = parser.parse_args()
    found = compare(chosen.tree.resolve(), chosen.peer)
    for agreement in found:
        print(agreement)
    sys.exit(not all(agreement.holds for agreement in found))


def compare(tree: Path, peer: Path) -> list[Agreement]:
    """Speak all texts with all options on both sides."""
    tokenize = partial(token_ids, vocabulary=load_vocabulary(tree / "bert/tokenizer"))
    utterances = [Utterance(analyze(text), options, seed=0) for text in _TEXTS for options in _OPTIONS]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "given.json").write_text(json.dumps([_given(each, tokenize) for each in utterances]))
        script = ROOT / "benchmarks" / "peer_parity.py"
        command = [peer, script, tree, work / "peer", work / "given.json", work / "said.npz"]
        subprocess.run([str(part) for part in command], cwd=work, check=True)
        said = np.load(work / "said.npz", allow_pickle=False)
        onnx = prepare(tree / "onnx/speakers/first", work)
        voices: dict[str, AcousticModel] = {
            "onnx": JpExtraOnnx(onnx, OnnxBert(tree / "onnx/bert/q8", work), tokenize, IdleThreads(1)),
            "torch": JpExtraTorch(tree / "pytorch/speakers/first", TorchBert(tree / "pytorch/bert/fp32"), tokenize),
        }
        return [_agreement(name, voice, utterances, said) for name, voice in voices.items()]


def _given(utterance: Utterance, tokenize: Callable[[str], Sequence[int]]) -> dict[str, Any]:
    spoken = phonemes(utterance.analysis)
    ids, options = network_input(spoken, add_blank=True), utterance.options
    return {
        "phone_ids": ids.phone_ids.tolist(),
        "tone_ids": ids.tone_ids.tolist(),
        "language_ids": ids.language_ids.tolist(),
        "phones_per_token": [int(count) for count in ids.phones_per_token],
        "tokens": list(tokenize(spoken.bert_text)),
        "style": options.style or "Neutral",
        "speed": options.speed,
        "sdp_ratio": options.sdp_ratio,
    }


def _agreement(backend: str, voice: AcousticModel, utterances: Sequence[Utterance], said: Any) -> Agreement:
    durations, difference, seconds = True, 0.0, 0.0
    for number, utterance in enumerate(utterances):
        samples, frames = said[f"{backend}/{number}/0"], said[f"{backend}/{number}/1"].astype(np.int64)
        (ours,) = voice.synthesize([utterance])
        length = len(samples) / voice.sample_rate_hz
        wanted = marks_of(phonemes(utterance.analysis), frames, length / max(1, frames.sum()), length)
        durations &= [mark.text for mark in ours.marks.phones] == [mark.text for mark in wanted.phones] and np.allclose(
            [mark.end for mark in ours.marks.phones], [mark.end for mark in wanted.phones]
        )
        same_length = len(samples) == len(ours.samples)
        difference = max(difference, float(np.abs(samples - ours.samples).max()) if same_length else np.inf)
        seconds += length
    return Agreement(backend, round(seconds, 1), durations, difference)


if __name__ == "__main__":
    main()
