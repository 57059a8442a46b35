import json
from pathlib import Path

import pytest

from koebin.engine.errors import InvalidCheckpoint
from koebin.engine.text.tokens import load_vocabulary, token_ids

TOKENS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", "あ", "A", "."]


def test_both_kinds_of_vocabulary_are_the_same(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.mkdir()
    packed.mkdir()
    (plain / "vocab.txt").write_text("\n".join(TOKENS) + "\n", "utf-8")
    (packed / "tokenizer.json").write_text(
        json.dumps({"model": {"vocab": {t: i for i, t in enumerate(TOKENS)}}}), "utf-8"
    )
    assert load_vocabulary(plain) == load_vocabulary(packed)


def test_one_token_a_character() -> None:
    vocabulary = {token: index for index, token in enumerate(TOKENS)}
    assert token_ids("あＡ.漢㈱", vocabulary) == [1, 5, 6, 7, 3, 3, 2]


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"model": {}}', '{"model": {"vocab": {"a": "b"}}}', '{"model": {"vocab": {}}}']
)
def test_a_broken_tokenizer_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content, "utf-8")
    with pytest.raises(InvalidCheckpoint):
        load_vocabulary(tmp_path)


def test_a_missing_vocabulary_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidCheckpoint, match=r"no vocab\.txt"):
        load_vocabulary(tmp_path)
