"""Finding the files of a voice in the layouts that people publish."""

from __future__ import annotations

from pathlib import Path

import pytest

from koebin.engine.errors import InvalidCheckpoint, SourceNotFound
from koebin.engine.models.jp_extra.files import VoiceFiles, fetch_voice
from koebin.engine.sources.local import LocalSource
from tests.unit.engine.models.jp_extra.aivm_files import write_file
from tests.unit.engine.models.jp_extra.onnx_voices import ONNX as GOLDEN_VOICES

GOLDEN = GOLDEN_VOICES / "published"
BERT = ("onnx/bert/q8/bert_q8.onnx", "pytorch/bert/fp32/config.json", "bert/tokenizer/vocab.txt")
ONNX = ("config.json", "style_vectors.npy", "synthesizer.onnx")
TORCH = ("config.json", "style_vectors.npy", "voice_e1_s2.safetensors")


def tree(root: Path, *files: str) -> LocalSource:
    root.mkdir(parents=True, exist_ok=True)
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"x")
    return LocalSource(root)


@pytest.fixture
def published(tmp_path: Path) -> LocalSource:
    return tree(
        tmp_path / "published",
        *BERT,
        *(f"onnx/speakers/rin/{name}" for name in ONNX),
        *(f"pytorch/speakers/rin/{name}" for name in TORCH),
        *(f"pytorch/speakers/only_torch/{name}" for name in TORCH),
        *(f"onnx/speakers/only_onnx/{name}" for name in ONNX),
    )


def test_a_published_tree(published: LocalSource, tmp_path: Path) -> None:
    root = tmp_path / "published"
    assert fetch_voice(published, published, "rin", "cpu") == VoiceFiles(
        "onnx", root / "onnx/speakers/rin", root / "onnx/bert/q8", root / "bert/tokenizer"
    )
    assert fetch_voice(published, published, "rin", "cuda:1") == VoiceFiles(
        "torch", root / "pytorch/speakers/rin", root / "pytorch/bert/fp32", root / "bert/tokenizer"
    )


def test_a_voice_without_onnx_files_is_spoken_with_torch_on_a_cpu(published: LocalSource) -> None:
    files = fetch_voice(published, published, "only_torch", "cpu")
    assert (files.backend, files.bert.name) == ("torch", "fp32")


def test_a_voice_without_safetensors_is_not_for_cuda(published: LocalSource) -> None:
    with pytest.raises(SourceNotFound, match="only_torch"):
        fetch_voice(published, published, "only_onnx", "cuda")


@pytest.mark.parametrize("inside", ["", "rin/"])
def test_a_plain_model_folder_takes_bert_from_elsewhere(published: LocalSource, tmp_path: Path, inside: str) -> None:
    source = tree(tmp_path / "models", *(inside + name for name in TORCH))
    files = fetch_voice(source, published, "rin", "cpu")
    assert files.backend == "torch"
    assert files.voice == tmp_path / "models" / inside.rstrip("/")
    assert files.tokenizer == tmp_path / "published/bert/tokenizer"


def test_an_exported_voice_lies_anywhere(published: LocalSource, tmp_path: Path) -> None:
    source = tree(tmp_path / "exported", "rin/voice.json", "rin/config.json", "rin/encoder.onnx")
    assert fetch_voice(source, published, "rin", "cpu").backend == "onnx"


def test_a_misspelt_name_is_told_what_is_there(published: LocalSource) -> None:
    with pytest.raises(SourceNotFound, match=r"there is: rin, only_onnx"):
        fetch_voice(published, published, "rim", "cpu")


def test_a_folder_without_a_voice_is_no_voice(published: LocalSource, tmp_path: Path) -> None:
    source = tree(tmp_path / "empty", "onnx/speakers/rin/readme.txt")
    with pytest.raises(SourceNotFound, match="holds no voice"):
        fetch_voice(source, published, "rin", "cpu")


def test_a_source_without_bert_and_no_other_says_so(tmp_path: Path) -> None:
    source = tree(tmp_path / "models", *(f"rin/{name}" for name in TORCH))
    with pytest.raises(SourceNotFound, match="pytorch/bert/fp32"):
        fetch_voice(source, source, "rin", "cpu")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("config.json", "style_vectors.npy", "G_1000.pth"), r"pickle, G_1000\.pth.*never loaded"),
        (("style_vectors.npy", "rin_e1_s2.safetensors"), r"no config\.json.*Put the config\.json"),
        (("style_vectors.npy", "rin.onnx"), r"no config\.json"),
        (("a.aivmx", "b.aivmx"), r"not clear \(a\.aivmx, b\.aivmx\)"),
        (("config.json", "style_vectors.npy", "a.onnx", "b.onnx"), r"several graphs \(a\.onnx, b\.onnx\)"),
    ],
)
def test_a_folder_that_nearly_is_a_voices_is_told_what_it_lacks(
    published: LocalSource, tmp_path: Path, names: tuple[str, ...], message: str
) -> None:
    source = tree(tmp_path / "models", *(f"rin/{name}" for name in names))
    with pytest.raises(InvalidCheckpoint, match=message):
        fetch_voice(source, published, "rin", "cpu")


@pytest.mark.parametrize("graph", ["synthesizer_q8.onnx", "rin_e1_s2.onnx"])
def test_a_graph_of_another_name_is_a_voices(published: LocalSource, tmp_path: Path, graph: str) -> None:
    source = tree(tmp_path / "models", *(f"rin/{name}" for name in (*TORCH, graph, "duration_predictor.onnx")))
    assert fetch_voice(source, published, "rin", "cpu").backend == "onnx"
    assert fetch_voice(source, published, "rin", "cuda").backend == "torch"


@pytest.mark.parametrize("names", [("a.aivmx",), ("a.aivmx", "rin.aivmx"), ("a.aivm", "rin.aivmx", "b.aivm")])
def test_a_file_in_a_folder_is_a_voice(published: LocalSource, tmp_path: Path, names: tuple[str, ...]) -> None:
    meant = "rin.aivmx" if "rin.aivmx" in names else names[0]
    source = tree(tmp_path / "models", *names)
    write_file(GOLDEN, GOLDEN / "synthesizer.onnx", tmp_path / "models" / meant)
    files = fetch_voice(source, published, "rin", "cpu", tmp_path / "cache")
    assert files.backend == "onnx"
    assert (files.voice / "synthesizer.onnx").resolve() == tmp_path / "models" / meant
    assert files.tokenizer == tmp_path / "published/bert/tokenizer"
