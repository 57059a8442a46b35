"""A small random JP-Extra voice with a small BERT, as a folder that a worker can be pointed at."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from tests.chaos.texts import SENTENCES
from tests.unit.engine.models.jp_extra.onnx_voices import ONNX, small_bert

NAME: Final = "small"
_MOST_TOKENS: Final = 64  # of the small BERT


def small_voice(folder: Path) -> Path:
    """Lay the published tree of a voice called ``small`` into ``folder``."""
    shutil.copytree(ONNX / "exported", folder / "onnx/speakers" / NAME)
    small_bert(folder / "onnx/bert/fp32/bert_fp32.onnx", quantize=False)
    tokens = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *dict.fromkeys("".join(SENTENCES))][:_MOST_TOKENS]
    tokenizer = folder / "bert/tokenizer"
    tokenizer.mkdir(parents=True)
    (tokenizer / "vocab.txt").write_text("\n".join(tokens), "utf-8")
    return folder
