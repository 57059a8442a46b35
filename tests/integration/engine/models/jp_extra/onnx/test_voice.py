"""A voice as an acoustic model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from koebin.engine.errors import (
    BackendMissing,
    EngineNotReady,
    InferenceFailed,
    InvalidCheckpoint,
    InvalidOption,
    UnknownStyle,
)
from koebin.engine.models.base import Utterance
from koebin.engine.models.jp_extra.onnx.bert import OnnxBert
from koebin.engine.models.jp_extra.onnx.flow import tiles_of
from koebin.engine.models.jp_extra.onnx.idle_threads import IdleThreads, Item
from koebin.engine.models.jp_extra.onnx.network import Prior, utterance_windows
from koebin.engine.models.jp_extra.onnx.session import sha256
from koebin.engine.models.jp_extra.onnx.voice import JpExtraOnnx
from koebin.engine.models.jp_extra.voice_format import FILES
from koebin.engine.models.jp_extra.windows import Window
from koebin.engine.options import SynthesisOptions
from koebin.engine.text.analysis import Analysis, Node
from tests.unit.engine.models.jp_extra.onnx_voices import small_tokens


def utterance(text: str = "はい", seed: int = 1, **options: object) -> Utterance:
    """Every character of ``text`` is a word that is read as it is written."""
    nodes = tuple(Node(char, chr(ord(char) + 96) if "ぁ" <= char <= "ゖ" else char, "感動詞") for char in text)
    return Utterance(Analysis(text, text, nodes, tuple), SynthesisOptions(**options), seed)  # type: ignore[arg-type]


SENTENCES = ["はい", "こんにちは", "おはようございます。", "そうですか？", "またあした"]


def test_threads_speak_the_same_bytes_as_one_after_another(voice: JpExtraOnnx) -> None:
    wanted = [utterance(text, seed) for seed, text in enumerate(SENTENCES * 2)]
    alone = [voice.synthesize([one])[0] for one in wanted]
    assert len({one.samples.tobytes() for one in alone}) == len(alone)
    with ThreadPoolExecutor(voice.parallel) as pool:
        together = list(pool.map(lambda one: voice.synthesize([one])[0], wanted))
    assert [one.samples.tobytes() for one in together] == [one.samples.tobytes() for one in alone]
    assert [one.marks for one in together] == [one.marks for one in alone]


class Noted(IdleThreads):
    """Keeps what it is given to share."""

    shared: list[list[Window]]

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.shared = []

    def each(self, work: Callable[[Item], None], items: Sequence[Item]) -> None:
        self.shared.append(cast("list[Window]", list(items)))
        super().each(work, items)


def test_idle_threads_share_the_flow_s_tiles_and_the_decoder_s_windows_the_longest_first(
    exported: Path, bert: OnnxBert
) -> None:
    idle = Noted(2)
    voice = JpExtraOnnx(exported, bert, small_tokens, idle)
    rendering = voice.synthesize([utterance("こんにちは" * 20)])[0]
    idle.close()
    frames = len(rendering.samples) // voice._network.hop_length
    tiles, places = tiles_of(frames), utterance_windows(frames)
    *flow, decoder = idle.shared
    assert len(tiles) > 1
    assert flow
    assert all(each == tiles for each in flow)
    assert sorted(decoder) == places
    lengths = [stop - start for start, stop in decoder]
    assert lengths == sorted(lengths, reverse=True) != [stop - start for start, stop in places]


def test_company_changes_nothing(voice: JpExtraOnnx) -> None:
    wanted = [utterance(text) for text in SENTENCES[:3]]
    for one, together in zip(wanted, voice.synthesize(wanted), strict=True):
        assert voice.synthesize([one])[0].samples.tobytes() == together.samples.tobytes()


@pytest.mark.parametrize(
    "changed",
    [
        *({"seed": 2}, {"style": "Happy"}, {"style": "Happy", "style_weight": 3.0}, {"speaker_id": 1}),
        *({"sdp_ratio": 1.0}, {"noise_scale": 0.1}, {"noise_scale_w": 0.1}, {"speed": 0.5}, {"pitch": 3.0}),
        *({"accent_strength": 1.5}, {"accent_strength": 0.0}),
    ],
)
def test_every_option_is_heard(voice: JpExtraOnnx, changed: dict[str, object]) -> None:
    plain = voice.synthesize([utterance()])[0].samples
    other = voice.synthesize([utterance(**{"seed": 1, **changed})])[0].samples  # type: ignore[arg-type]
    assert other.tobytes() != plain.tobytes()


def test_slower_is_longer(voice: JpExtraOnnx) -> None:
    lengths = [len(voice.synthesize([utterance("こんにちは", speed=speed)])[0].samples) for speed in (2.0, 1.0, 0.5)]
    assert lengths == sorted(lengths)
    assert lengths[2] > 1.5 * lengths[1]


def test_marks_cover_the_audio(voice: JpExtraOnnx) -> None:
    rendering = voice.synthesize([utterance("こんにちは。")])[0]
    phones = rendering.marks.phones
    assert [mark.text for mark in phones] == [*["_", "k", "o", "N", "n", "i", "ch", "i", "h", "a", ".", "_"]]
    assert phones[0].start == 0.0
    assert phones[-1].end == len(rendering.samples) / voice.sample_rate_hz
    assert all(one.end == other.start for one, other in pairwise(phones))
    assert [mark.text for mark in rendering.marks.words] == list("こんにちは")
    assert [mark.text for mark in rendering.marks.moras] == list("コンニチハ")


def test_the_pause_between_two_sentences_comes_from_the_durations(voice: JpExtraOnnx) -> None:
    first, second = utterance("はい。"), utterance("そうです。")
    pause = voice.predict_pause(first, second)
    assert pause is not None
    assert 0.0 < pause < 2.0
    assert voice.predict_pause(first, second) == pause
    slow = voice.predict_pause(utterance("はい。", speed=0.25), second)
    assert slow is not None
    assert slow > 2 * pause
    assert voice.predict_pause(first, utterance("…")) is None


def test_whoever_predicts_a_pause_is_not_idle(voice: JpExtraOnnx, monkeypatch: pytest.MonkeyPatch) -> None:
    encode, working = voice._network.encode, []

    def noted(*arguments: Any) -> Prior:
        working.append(voice._idle._working)
        return encode(*arguments)

    monkeypatch.setattr(voice._network, "encode", noted)
    voice.predict_pause(utterance("はい。"), utterance("そうです。"))
    assert (working, voice._idle._working) == ([1], 0)


def test_an_option_that_the_voice_does_not_have_is_refused(voice: JpExtraOnnx) -> None:
    assert voice.speaker_count == 2
    with pytest.raises(InvalidOption, match="2 speakers"):
        voice.synthesize([utterance(speaker_id=2)])
    with pytest.raises(UnknownStyle, match="Happy"):
        voice.synthesize([utterance(style="Hapy")])


def test_nothing_to_speak_is_short_and_finite(voice: JpExtraOnnx) -> None:
    rendering = voice.synthesize([utterance("")])[0]
    assert 0 < len(rendering.samples) < 10 * voice.sample_rate_hz
    assert [mark.text for mark in rendering.marks.phones] == ["_", "_"]


def test_a_closed_voice_says_so(exported: Path, bert: OnnxBert) -> None:
    voice = JpExtraOnnx(exported, bert, small_tokens, IdleThreads(1))
    voice.close()
    with pytest.raises(EngineNotReady, match="closed"):
        voice.synthesize([utterance()])


@pytest.mark.slow
def test_the_revision_follows_the_files(exported: Path, prepared: Path, bert: OnnxBert, voice: JpExtraOnnx) -> None:
    assert JpExtraOnnx(exported, bert, small_tokens, IdleThreads(1)).revision == voice.revision
    assert JpExtraOnnx(prepared, bert, small_tokens, IdleThreads(1)).revision != voice.revision


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_damaged_file_is_named(exported: Path, bert: OnnxBert, tmp_path: Path, name: str) -> None:
    broken = Path(shutil.copytree(exported, tmp_path / "voice"))
    (broken / name).write_bytes((broken / name).read_bytes()[:-100])
    with pytest.raises(InvalidCheckpoint, match=name.replace(".", r"\.")):
        JpExtraOnnx(broken, bert, small_tokens, IdleThreads(1))
    (broken / name).unlink()
    with pytest.raises((BackendMissing, InvalidCheckpoint), match=name.replace(".", r"\.")):
        JpExtraOnnx(broken, bert, small_tokens, IdleThreads(1))


def test_a_description_that_cannot_be_used_is_named(exported: Path, bert: OnnxBert, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(exported, tmp_path / "voice"))
    for text in ("{", "[]", '{"format": "koebin-voice-9"}', '{"format": "koebin-voice-5"}'):
        (broken / "voice.json").write_text(text)
        with pytest.raises(InvalidCheckpoint, match=r"voice\.json|checksum"):
            JpExtraOnnx(broken, bert, small_tokens, IdleThreads(1))


def test_a_graph_that_is_damaged_where_the_checksum_agrees_is_named(
    exported: Path, bert: OnnxBert, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(exported, tmp_path / "voice"))
    (broken / "flow_layer.onnx").write_bytes(b"no graph")
    _agree(broken, "flow_layer.onnx")
    with pytest.raises(InvalidCheckpoint, match=r"flow_layer\.onnx"):
        JpExtraOnnx(broken, bert, small_tokens, IdleThreads(1))


def test_a_voice_that_gives_no_numbers_is_an_error(exported: Path, bert: OnnxBert, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(exported, tmp_path / "voice"))
    model = onnx.load(str(broken / "decoder.onnx"))
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    weight.CopyFrom(numpy_helper.from_array(np.full(list(weight.dims), np.nan, np.float32), weight.name))
    onnx.save(model, str(broken / "decoder.onnx"))
    _agree(broken, "decoder.onnx")
    with pytest.raises(InferenceFailed, match="not finite numbers"):
        JpExtraOnnx(broken, bert, small_tokens, IdleThreads(1)).synthesize([utterance()])


def _agree(folder: Path, name: str) -> None:
    description = json.loads((folder / "voice.json").read_text())
    description["files"][name] = sha256(folder / name)
    (folder / "voice.json").write_text(json.dumps(description))
