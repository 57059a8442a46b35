"""A bound on loaded voices: memory stays flat while they are swapped."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil
import pytest

from koebin import TTS
from tests.chaos.voice import NAME, small_voice

NAMES = ("sora", "umi", "yama")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_swaps_leave_memory_as_it_was(tmp_path: Path) -> None:
    voices = small_voice(tmp_path / "voices")
    for name in NAMES:
        shutil.copytree(voices / "onnx/speakers" / NAME, voices / "onnx/speakers" / name)
    tree = voices.as_uri()
    process = psutil.Process()
    sizes = []
    with TTS(cache=tmp_path / "cache", max_loaded=1, bert_source=tree, threads=1) as tts:
        for name in NAMES:
            tts.load(name, tree)
        tts.prepare(warmup=False)
        for number in range(100):
            name = NAMES[number % len(NAMES)]
            tts.speakers[name].generate("はい。")
            assert tts.loaded == (name,)
            sizes.append(process.memory_info().rss / 2**20)
    early, late = max(sizes[10:30]), max(sizes[-20:])
    assert late < early + 15, f"from {early:.0f} to {late:.0f} MiB"
