"""Random voices are voices that the engine loads, with lengths like those of speech."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from benchmarks.voices import TINY, frames_per_symbol, random_network, write_vocabulary, write_voice
from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.styles import Styles
from koebin.engine.models.jp_extra.torch.checkpoint import find_weights, load_synthesizer
from koebin.engine.text.tokens import load_vocabulary


def test_a_random_voice_is_read_back_as_it_was_made(tmp_path: Path) -> None:
    folder = write_voice(tmp_path / "first", TINY, seed=1)
    sizes = HyperParameters.load(folder / "config.json")
    assert Styles.load(folder / "style_vectors.npy", sizes).names == ("Neutral", "Happy")
    made, read = random_network(sizes, 1).state_dict(), load_synthesizer(find_weights(folder), sizes).state_dict()
    for name, tensor in read.items():
        torch.testing.assert_close(tensor, made[name], msg=name)


def test_the_same_seed_makes_the_same_voice_and_another_one_another(tmp_path: Path) -> None:
    files = [find_weights(write_voice(tmp_path / str(n) / "v", TINY, seed)) for n, seed in enumerate((1, 1, 2))]
    one, same, other = (path.read_bytes() for path in files)
    assert one == same != other
    vectors = [np.load(path.parent / "style_vectors.npy", allow_pickle=False) for path in files]
    assert (vectors[0] == vectors[1]).all()
    assert (vectors[0] != vectors[2]).any()


def test_symbols_last_4_to_5_frames() -> None:
    sizes = HyperParameters.parse({"version": "2.7.0-JP-Extra", "model": TINY.voice})
    assert 4 <= frames_per_symbol(random_network(sizes, 1)) <= 5


def test_the_vocabulary_has_a_token_for_kana_and_kanji(tmp_path: Path) -> None:
    write_vocabulary(tmp_path / "tokenizer", TINY)
    vocabulary = load_vocabulary(tmp_path / "tokenizer")
    assert len(vocabulary) == TINY.vocabulary
    assert {"[CLS]", "[SEP]", "[UNK]", "あ", "ン", "。", "一"} <= set(vocabulary)
