"""Loader of JP-Extra voices, from a source to a model; BERT, its vocabulary and idle threads are shared."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from koebin.engine.checked_names import DecoderMode
from koebin.engine.models.base import AcousticModel
from koebin.engine.models.jp_extra.files import VoiceFiles, fetch_voice
from koebin.engine.models.jp_extra.onnx.freed_memory import give_back
from koebin.engine.models.jp_extra.onnx.idle_threads import IdleThreads
from koebin.engine.models.jp_extra.onnx.published import prepare
from koebin.engine.sources.base import SourceOptions
from koebin.engine.sources.uri import open_source, parse
from koebin.engine.text.tokens import load_vocabulary, token_ids

if TYPE_CHECKING:
    from koebin.engine.models.jp_extra.onnx.bert import OnnxBert
    from koebin.engine.models.jp_extra.torch.bert import TorchBert


class JpExtraVoices:
    """``VoiceLoader`` for the voices that hayakoe and Style-Bert-VITS2 publish. Any thread may use it.

    Args:
        sources: options of the sources and their cache.
        bert_source: has BERT for voices whose own source has none.
        threads: number of utterances spoken at once on a CPU.
        decoder: arithmetic of the decoder on CUDA.
    """

    def __init__(self, sources: SourceOptions, bert_source: str, threads: int, decoder: DecoderMode) -> None:
        self._sources = sources
        self._bert_source = bert_source
        self._decoder = decoder
        self._onnx_berts: dict[Path, OnnxBert] = {}
        self._torch_berts: dict[tuple[Path, str], TorchBert] = {}
        self._vocabularies: dict[Path, dict[str, int]] = {}
        self._idle = IdleThreads(threads)
        self._lock = threading.Lock()

    def fetch(self, name: str, source: str, device: str) -> Path:
        """Folder of the voice, with everything else that it needs on the device in the cache."""
        files = self._files(name, source, device)
        return prepare(files.voice, self._sources.cache_root) if files.backend == "onnx" else files.voice

    def open(self, name: str, source: str, device: str) -> AcousticModel:
        """Load the voice; BERT too, if this is the first."""
        files = self._files(name, source, device)
        tokenize = partial(token_ids, vocabulary=self._vocabulary(files.tokenizer))
        if files.backend == "onnx":
            from koebin.engine.models.jp_extra.onnx.voice import JpExtraOnnx

            folder = prepare(files.voice, self._sources.cache_root)
            voice = JpExtraOnnx(folder, self._onnx_bert(files.bert), tokenize, self._idle)
            give_back()  # memory freed after parsing graphs, several MiB per voice
            return voice
        from koebin.engine.models.jp_extra.torch.voice import JpExtraTorch

        return JpExtraTorch(files.voice, self._torch_bert(files.bert, device), tokenize, device, self._decoder)

    def close(self) -> None:
        """Release BERT and the threads; voices that use them cannot speak afterwards."""
        self._idle.close()
        with self._lock:
            for bert in self._torch_berts.values():
                bert.close()
            self._torch_berts.clear()
            self._onnx_berts.clear()

    def _files(self, name: str, source: str, device: str) -> VoiceFiles:
        fallback = parse(self._bert_source, self._sources)
        return fetch_voice(open_source(source, self._sources), fallback, name, device, self._sources.cache_root)

    def _vocabulary(self, folder: Path) -> dict[str, int]:
        with self._lock:
            if folder not in self._vocabularies:
                self._vocabularies[folder] = load_vocabulary(folder)
            return self._vocabularies[folder]

    def _onnx_bert(self, folder: Path) -> OnnxBert:
        from koebin.engine.models.jp_extra.onnx.bert import OnnxBert

        with self._lock:
            if folder not in self._onnx_berts:
                self._onnx_berts[folder] = OnnxBert(folder, self._sources.cache_root)
            return self._onnx_berts[folder]

    def _torch_bert(self, folder: Path, device: str) -> TorchBert:
        from koebin.engine.models.jp_extra.torch.bert import TorchBert

        with self._lock:
            if (folder, device) not in self._torch_berts:
                self._torch_berts[folder, device] = TorchBert(folder, device)
            return self._torch_berts[folder, device]
