"""107 texts with the words and labels of the original Open JTalk, and what the voices were trained to expect."""

import json
from pathlib import Path
from typing import Any

import pytest

from koebin.engine.models.jp_extra.network_input import network_input
from koebin.engine.text.analysis import Analysis, Node
from koebin.engine.text.prosody import phonemes
from koebin.engine.text.tokens import token_ids

CASES: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "text.jsonl").read_text("utf-8").splitlines()
]


def analysis_of(case: dict[str, Any]) -> Analysis:
    nodes = tuple(Node(node["string"], node["pron"], node["pos"]) for node in case["nodes"])
    return Analysis(case["text"], case["norm"], nodes, lambda: case["labels"])


def test_all_texts_are_here() -> None:
    assert len(CASES) == 107


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"][:12])
def test_words_and_labels_become_exactly_this(case: dict[str, Any]) -> None:
    result = phonemes(analysis_of(case))
    assert list(result.phones) == case["phones"]
    assert list(result.tones) == case["tones"]
    assert list(result.word2ph) == case["word2ph"]
    assert result.bert_text == case["surfaces"]
    ids = network_input(result, add_blank=True)
    assert ids.phone_ids.tolist() == case["phone_ids"]
    assert ids.tone_ids.tolist() == case["tone_ids"]
    assert ids.language_ids.tolist() == case["language_ids"]
    assert list(ids.phones_per_token) == case["word2ph_blank"]


def test_tokens_are_the_characters() -> None:
    """The vocabulary is too large to lie here; that every text agrees on it shows the rule."""
    vocabulary = {"[CLS]": 1, "[SEP]": 2, "[UNK]": 3}
    for case in CASES:
        for char, token in zip(case["surfaces"], case["bert_ids"][1:-1], strict=True):
            assert vocabulary.setdefault(char, token) == token
    assert all(token_ids(case["surfaces"], vocabulary) == case["bert_ids"] for case in CASES)
