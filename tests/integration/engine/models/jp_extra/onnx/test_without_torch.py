"""A CPU machine without torch and transformers speaks, and says the same as any other process."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from koebin.engine.content_id import content_id
from koebin.engine.models.base import Utterance
from koebin.engine.models.jp_extra.onnx.bert import OnnxBert
from koebin.engine.models.jp_extra.onnx.idle_threads import IdleThreads
from koebin.engine.models.jp_extra.onnx.published import prepare
from koebin.engine.models.jp_extra.onnx.voice import JpExtraOnnx
from koebin.engine.options import SynthesisOptions
from koebin.engine.seeds import utterance_seed
from koebin.engine.text.frontend import analyze
from koebin.engine.text.tokens import load_vocabulary, token_ids
from tests.servers.waiting import PATIENCE
from tests.unit.engine.models.jp_extra.onnx_voices import ONNX, small_bert

TEXTS = ["今日はいい天気ですね。", "明日の朝、京都へ行きます。"]

BLOCK = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "transformers"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Block())
from tests.integration.engine.models.jp_extra.onnx.test_without_torch import speak
"""


def speak(published: Path, bert: Path, cache: Path) -> list[str]:
    """Checksums of what is spoken."""
    vocabulary = load_vocabulary(bert)
    voice = JpExtraOnnx(
        prepare(published, cache), OnnxBert(bert), lambda text: token_ids(text, vocabulary), IdleThreads(1)
    )
    sums = []
    for text in TEXTS:
        options = SynthesisOptions()
        seed = utterance_seed(content_id(text, "small", options), 0)
        (rendering,) = voice.synthesize([Utterance(analyze(text), options, seed)])
        assert len(rendering.samples) > voice.sample_rate_hz / 4
        sums.append(hashlib.sha256(rendering.samples.tobytes()).hexdigest())
    return sums


@pytest.mark.slow
def test_a_machine_without_torch_says_the_same(tmp_path: Path) -> None:
    bert = small_bert(tmp_path / "bert" / "bert_q8.onnx", quantize=True).parent
    tokens = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *"今日はいい天気ですね.明日の朝,京都へ行きます"]
    (bert / "vocab.txt").write_text("\n".join(tokens), "utf-8")
    code = (
        BLOCK
        + f"""
import json, pathlib
paths = [pathlib.Path(path) for path in {[str(ONNX / "published"), str(bert), str(tmp_path / "cache")]!r}]
sums = speak(*paths)
assert not {{"torch", "transformers"}} & {{name.split(".")[0] for name in sys.modules}}
print(json.dumps(sums))
"""
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == speak(ONNX / "published", bert, tmp_path / "cache")
