"""A whole voice in torch: from the front end's analysis to samples, marks and pauses."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode

from koebin.engine.errors import BackendMissing, EngineNotReady, InferenceFailed, InvalidOption, UnknownStyle
from koebin.engine.models.base import Utterance
from koebin.engine.models.jp_extra.torch.batches import BatchLimits, batches_within
from koebin.engine.models.jp_extra.torch.bert import TorchBert
from koebin.engine.models.jp_extra.torch.voice import JpExtraTorch
from koebin.engine.options import SynthesisOptions
from koebin.engine.seeds import utterance_seed
from koebin.engine.text.analysis import Analysis, Node
from koebin.engine.text.frontend import analyze
from koebin.engine.text.prosody import phonemes

TEXTS = ["こんにちは、世界！", "はい。", "柿と牡蠣を食べる季節ですが、何もありません。", "ええ？"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> TorchBert:
    from transformers import DebertaV2Config, DebertaV2Model

    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(1)
    config = DebertaV2Config(
        vocab_size=97,
        hidden_size=1024,
        num_hidden_layers=3,
        num_attention_heads=16,
        intermediate_size=32,
        relative_attention=True,
        position_buckets=8,
        pos_att_type=["p2c", "c2p"],
        share_att_key=True,
        norm_rel_ebd="layer_norm",
        conv_kernel_size=3,
        type_vocab_size=0,
        position_biased_input=False,
        max_position_embeddings=64,
    )
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    save_file(DebertaV2Model(config).state_dict(), folder / "model.safetensors")
    return TorchBert(folder)


def tokens(text: str) -> list[int]:
    return [1, *(5 + ord(char) % 90 for char in text), 2]


@pytest.fixture(scope="module")
def single(voice: Path, bert: TorchBert) -> JpExtraTorch:
    return JpExtraTorch(voice, bert, tokens)


def utterance(text: str, **options: object) -> Utterance:
    return Utterance(analyze(text), replace(SynthesisOptions(), **options), utterance_seed(text, 0))


def test_a_padded_batch_says_the_same_as_one_after_another(voice: Path, bert: TorchBert, single: JpExtraTorch) -> None:
    batched = JpExtraTorch(voice, bert, tokens, limits=BatchLimits(utterances=3))
    assert (single.batch_size, batched.batch_size) == (1, 3)
    utterances = [utterance(text, speaker_id=index % 3, speed=1 + index / 3) for index, text in enumerate(TEXTS)]
    alone = single.synthesize(utterances)
    together = batched.synthesize(utterances)
    for one, other in zip(alone, together, strict=True):
        assert one.samples.dtype == np.float32
        assert np.abs(one.samples).max() > 0.01
        np.testing.assert_allclose(one.samples, other.samples, atol=1e-5, rtol=0)
        assert one.marks == other.marks
    assert single.revision == batched.revision


def test_the_same_utterance_is_the_same_to_the_byte(single: JpExtraTorch) -> None:
    first, second = single.synthesize([utterance(TEXTS[0]), utterance(TEXTS[0])])
    assert first.samples.tobytes() == second.samples.tobytes()
    other = replace(utterance(TEXTS[0]), seed=utterance_seed("another take", 0))
    assert single.synthesize([other])[0].samples.tobytes() != first.samples.tobytes()


def test_marks_cover_the_audio_and_hold_every_word(single: JpExtraTorch) -> None:
    spoken = utterance(TEXTS[2])
    rendering = single.synthesize([spoken])[0]
    marks, read = rendering.marks, phonemes(spoken.analysis)
    assert tuple(mark.text for mark in marks.phones) == read.phones
    assert marks.phones[0].start == 0
    assert marks.phones[-1].end == len(rendering.samples) / single.sample_rate_hz
    assert [mark.text for mark in marks.words] == [word.text for word in read.word_spans()]
    assert "".join(mark.text for mark in marks.moras).startswith("カキト")
    for level in (marks.words, marks.moras, marks.phones):
        assert all(one.end <= other.start + 1e-9 for one, other in pairwise(level))


@pytest.mark.parametrize(
    "options",
    [
        *({"style": "喜び"}, {"style": "喜び", "style_weight": 3.0}, {"speaker_id": 2}, {"noise_scale": 0.0}),
        *({"accent_strength": 1.5}, {"accent_strength": 0.0}),
    ],
)
def test_every_option_is_heard(single: JpExtraTorch, options: dict[str, object]) -> None:
    plain, changed = single.synthesize([utterance(TEXTS[0]), utterance(TEXTS[0], **options)])
    length = min(len(plain.samples), len(changed.samples))
    assert np.abs(plain.samples[:length] - changed.samples[:length]).max() > 1e-4


def test_speed_divides_the_length(single: JpExtraTorch) -> None:
    calm = {"noise_scale_w": 0.0}
    slow, fast = single.synthesize([utterance(TEXTS[2], speed=0.5, **calm), utterance(TEXTS[2], speed=2.0, **calm)])
    assert 2.5 < len(slow.samples) / len(fast.samples) < 4.5


def test_pitch_leaves_length_and_marks(single: JpExtraTorch) -> None:
    plain, high = single.synthesize([utterance(TEXTS[0]), utterance(TEXTS[0], pitch=4.0, intonation=0.5)])
    assert plain.samples.shape == high.samples.shape
    assert plain.marks == high.marks


def test_what_the_voice_does_not_have_is_refused(single: JpExtraTorch) -> None:
    with pytest.raises(InvalidOption, match="Use 0 to 2"):
        single.synthesize([utterance(TEXTS[0]), utterance(TEXTS[1], speaker_id=3)])
    with pytest.raises(UnknownStyle):
        single.synthesize([utterance(TEXTS[0], style="Angry")])


def test_an_utterance_without_a_sound_is_still_spoken(single: JpExtraTorch) -> None:
    silent = Utterance(Analysis("…", "…", (Node("…", "、", "記号"),), tuple), SynthesisOptions(), 1)
    rendering = single.synthesize([silent])[0]
    assert len(rendering.samples) > 0
    assert not rendering.marks.words
    assert single.predict_pause(silent, utterance(TEXTS[0])) is None


def test_a_pause_lies_between_two_sentences_and_repeats(single: JpExtraTorch) -> None:
    first, second = utterance("はい。"), utterance("そうです。")
    pause = single.predict_pause(first, second)
    assert pause is not None
    assert 3 * 24 / 22050 <= pause < 1  # the mark and both blanks, of a frame each at least
    assert pause == single.predict_pause(first, second)
    longer = single.predict_pause(utterance("はい...。"), second)
    assert longer is not None
    assert longer > pause


def test_a_network_that_gives_no_numbers_is_an_error(voice: Path, bert: TorchBert, tmp_path: Path) -> None:
    for name, value, what in (("dp.proj.bias", 1e9, "duration"), ("dp.proj.bias", 12.0, "seconds of speech")):
        folder = tmp_path / what
        folder.mkdir()
        for path in voice.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        weights = load_file(folder / "random_e3_s200.safetensors")
        weights[name].fill_(value)
        save_file(weights, folder / "random_e3_s200.safetensors")
        with pytest.raises(InferenceFailed, match=what):
            JpExtraTorch(folder, bert, tokens).synthesize([utterance(TEXTS[1], sdp_ratio=0.0)])


def test_a_closed_voice_says_so(voice: Path, bert: TorchBert) -> None:
    model = JpExtraTorch(voice, bert, tokens)
    model.close()
    with pytest.raises(EngineNotReady):
        model.synthesize([utterance(TEXTS[1])])


@pytest.mark.parametrize("device", ["gpu", "mps", "CUDA", "cuda:99"])
def test_a_device_that_is_not_there_is_named(voice: Path, bert: TorchBert, device: str) -> None:
    with pytest.raises(BackendMissing, match=device):
        JpExtraTorch(voice, bert, tokens, device)


def test_batches_hold_similar_lengths_within_the_budget() -> None:
    lengths = [5, 90, 10, 100, 3, 95]
    batches = batches_within(lengths, budget=200, most=3)
    assert batches == [[3, 5], [1, 2], [0, 4]]
    assert batches_within([300, 1], budget=200, most=9) == [[0], [1]]
    assert batches_within([1] * 5, budget=200, most=2) == [[0, 1], [2, 3], [4]]
    assert batches_within([], budget=200, most=2) == []


class Card(TorchDispatchMode):
    """``meta`` as if it were a graphics card: it computes no numbers, refuses tensors that lie elsewhere, and waits are
    counted."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = self.fetched = 0

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        aten, kwargs = torch.ops.aten, kwargs or {}
        if args and isinstance(args[0], torch.Tensor) and args[0].is_meta:
            if operator in (aten.is_nonzero.default, aten.item.default):
                self.asked += 1
                return True
            if operator is aten.to.dtype_layout and kwargs["device"].type == "cpu":  # Tensor.cpu()
                self.fetched += 1
                return torch.ones(args[0].shape)
        return operator(*args, **kwargs)


def test_a_batch_lies_on_the_card_and_is_waited_for_three_times(
    voice: Path, bert: TorchBert, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its features are numbers, for its durations, for its samples."""
    for module in ("voice", "bert"):
        monkeypatch.setattr(
            f"koebin.engine.models.jp_extra.torch.{module}.open_device", lambda name: torch.device("meta")
        )
    on_card = JpExtraTorch(
        voice, TorchBert(bert._folder, "cuda"), tokens, "cuda", limits=BatchLimits(utterances=len(TEXTS))
    )
    utterances = [utterance(text) for text in TEXTS]
    with Card() as card:
        spoken = on_card.synthesize(utterances)
    assert (card.asked, card.fetched) == (1, 2)
    blanks_too = [2 * len(one.marks.phones) + 1 for one in spoken]  # of a frame each
    assert [len(one.samples) for one in spoken] == [24 * phones for phones in blanks_too]
