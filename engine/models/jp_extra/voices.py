"""Loader of JP-Extra voices, from a source to a model; BERT, its vocabulary and idle threads are shared."""

from __future__ import annotations

import logging
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from koebin.engine.bfloat16_units import why_no_bfloat16
from koebin.engine.checked_names import DecoderMode
from koebin.engine.models.base import AcousticModel
from koebin.engine.models.jp_extra.files import VoiceFiles, fetch_voice
from koebin.engine.models.jp_extra.onnx.freed_memory import give_back
from koebin.engine.models.jp_extra.onnx.idle_threads import IdleThreads
from koebin.engine.models.jp_extra.onnx.published import is_published, prepare, prepare_halves
from koebin.engine.sources.base import SourceOptions
from koebin.engine.sources.uri import open_source, parse
from koebin.engine.text.tokens import load_vocabulary, token_ids

if TYPE_CHECKING:
    from koebin.engine.models.jp_extra.onnx.bert import OnnxBert
    from koebin.engine.models.jp_extra.onnx.mixed_decoder import MixedDecoder
    from koebin.engine.models.jp_extra.torch.bert import TorchBert

log = logging.getLogger(__name__)


class JpExtraVoices:
    """``VoiceLoader`` for the voices that hayakoe and Style-Bert-VITS2 publish. Any thread may use it.

    Args:
        sources: options of the sources and their cache.
        bert_source: has BERT for voices whose own source has none.
        threads: number of utterances spoken at once on a CPU.
        decoder: arithmetic of the decoder.
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
        if files.backend != "onnx":
            return files.voice
        if not self._why_float32(files.voice):
            prepare_halves(files.voice, self._sources.cache_root)
        return prepare(files.voice, self._sources.cache_root)

    def open(self, name: str, source: str, device: str) -> AcousticModel:
        """Load the voice; BERT too, if this is the first."""
        files = self._files(name, source, device)
        tokenize = partial(token_ids, vocabulary=self._vocabulary(files.tokenizer))
        if files.backend == "onnx":
            from koebin.engine.models.jp_extra.onnx.voice import JpExtraOnnx

            folder = prepare(files.voice, self._sources.cache_root)
            mixed = self._mixed_decoder(name, files.voice)
            voice = JpExtraOnnx(folder, self._onnx_bert(files.bert), tokenize, self._idle, mixed)
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

    def _mixed_decoder(self, name: str, folder: Path) -> MixedDecoder | None:
        """Decoder in bfloat16, if that is asked for and of use here."""
        if why := self._why_float32(folder):
            if self._decoder == "bfloat16":
                log.warning("the decoder of %s is in float32 instead of bfloat16: %s", name, why)
            return None
        from koebin.engine.models.jp_extra.onnx.mixed_decoder import MixedDecoder

        return MixedDecoder(prepare_halves(folder, self._sources.cache_root), self._idle.threads)

    def _why_float32(self, folder: Path) -> str:
        """Why the decoder of a voice speaks in float32 on a CPU, "" if it does in bfloat16."""
        if self._decoder != "bfloat16":
            return "nothing else is asked for"
        if not is_published(folder):
            return "the voice was exported; its published graph is needed"
        return why_no_bfloat16()

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
