"""Character tokens of ku-nlp/deberta-v2-large-japanese-char-wwm, without its tokenizer's library."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from koebin.engine.errors import InvalidCheckpoint

CLS: Final = "[CLS]"
SEP: Final = "[SEP]"
UNK: Final = "[UNK]"


def load_vocabulary(folder: Path) -> dict[str, int]:
    """Token ids from ``vocab.txt`` (one token a line) or else from ``tokenizer.json``.

    Raises:
        InvalidCheckpoint: neither file is there, or it holds no vocabulary of characters.
    """
    plain, packed = folder / "vocab.txt", folder / "tokenizer.json"
    if plain.is_file():
        lines = plain.read_text("utf-8").split("\n")
        vocabulary = {line.rstrip("\r"): index for index, line in enumerate(lines) if line.rstrip("\r")}
    elif packed.is_file():
        vocabulary = _packed_vocabulary(packed)
    else:
        raise InvalidCheckpoint("no vocab.txt and no tokenizer.json", str(folder), "Fetch the BERT's folder again")
    missing = [token for token in (CLS, SEP, UNK) if token not in vocabulary]
    if missing:
        raise InvalidCheckpoint(f"the vocabulary has no {missing[0]}", str(folder), "Fetch the BERT's folder again")
    return vocabulary


def token_ids(text: str, vocabulary: Mapping[str, int]) -> list[int]:
    """One id a character, between those of [CLS] and [SEP].

    Args:
        text: N characters; each stands for itself after NFKC.

    Returns:
        N + 2 ids.
    """
    unknown = vocabulary[UNK]
    return [vocabulary[CLS], *[vocabulary.get(_FOLDED[char], unknown) for char in text], vocabulary[SEP]]


class _Folded(dict[str, str]):
    """NFKC, where that is one character: the number of tokens must stay the number of characters."""

    def __missing__(self, char: str) -> str:
        folded = unicodedata.normalize("NFKC", char)
        self[char] = folded if len(folded) == 1 else char
        return self[char]


_FOLDED: Final = _Folded()


def _packed_vocabulary(path: Path) -> dict[str, int]:
    try:
        vocabulary = json.loads(path.read_text("utf-8"))["model"]["vocab"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidCheckpoint("tokenizer.json holds no model.vocab", str(path), "Fetch the folder again") from error
    if not isinstance(vocabulary, dict) or not all(isinstance(index, int) for index in vocabulary.values()):
        raise InvalidCheckpoint("tokenizer.json's model.vocab is no table of ids", str(path), "Fetch the folder again")
    return vocabulary
