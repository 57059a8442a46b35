"""Which files make a voice."""

import pytest

from engine.errors import BackendMissing, InvalidName, SourceCorrupt, SourceNotFound
from engine.sources import fetch_bert, fetch_voice
from engine.sources.layout import voices
from engine.sources.local import LocalSource
from tests.unit.sources.voices import tree, write


@pytest.fixture
def source(tmp_path):
    return LocalSource(write(tmp_path / "tree", tree()))


def test_a_published_voice_has_its_graphs_for_onnx_and_its_weights_for_torch(source):
    onnx, torch = fetch_voice(source, "hana", "onnx"), fetch_voice(source, "hana", "torch")

    assert onnx.prefix == "onnx/speakers/hana"
    assert set(onnx.graphs) == {"synthesizer"}
    assert onnx.weights is None
    assert torch.weights.name == "hana_e10_s2000.safetensors"
    assert torch.config.parent == torch.style_vectors.parent == torch.folder
    assert len(onnx.revision) == 64
    assert onnx.revision != torch.revision


def test_the_bert_model_of_each_back_end_comes_with_the_tokenizer(source):
    assert fetch_bert(source, "onnx").model.name == "bert_q8.onnx"
    assert fetch_bert(source, "torch").model.name == "fp32"
    assert (fetch_bert(source, "onnx").tokenizer / "vocab.txt").is_file()
    with pytest.raises(SourceNotFound, match="q8"):
        fetch_bert(source, "onnx", precision="fp32")


def test_a_folder_of_style_bert_vits2_models_and_one_model_alone(tmp_path):
    model = {"config.json": b"{}", "style_vectors.npy": b"v", "mine_e9_s900.safetensors": b"9"}
    write(tmp_path / "models" / "mine", {**model, "mine_e10_s1000.safetensors": b"10", "G_0.pth": b"pickle"})

    for root in (tmp_path / "models", tmp_path / "models" / "mine"):
        assert fetch_voice(LocalSource(root), "mine", "torch").weights.name == "mine_e10_s1000.safetensors"
    with pytest.raises(BackendMissing, match="koebin export mine"):
        fetch_voice(LocalSource(tmp_path / "models"), "mine", "onnx")


def test_weights_that_do_not_tell_which_is_meant_are_refused_by_name(tmp_path):
    files = {"config.json": b"{}", "style_vectors.npy": b"v", "a.safetensors": b"a", "b.safetensors": b"b"}
    source = LocalSource(write(tmp_path, files))

    with pytest.raises(SourceCorrupt, match=r"a\.safetensors, b\.safetensors"):
        fetch_voice(source, "mine", "torch")


def test_a_misspelt_voice_is_an_error_that_lists_the_voices_nearest_first(source):
    with pytest.raises(SourceNotFound, match="It has: hana, hane, only"):
        fetch_voice(source, "hanna", "onnx")
    assert voices(source) == ["hana", "hane", "only"]


def test_a_voice_with_weights_only_names_the_way_out(source):
    with pytest.raises(BackendMissing, match="koebin export only"):
        fetch_voice(source, "only", "onnx")


@pytest.mark.parametrize("name", ["../hana", "*", "", ".hana", "a/b"])
def test_a_name_is_no_path(source, name):
    with pytest.raises(InvalidName):
        fetch_voice(source, name, "onnx")


@pytest.mark.parametrize("missing", ["config.json", "style_vectors.npy"])
def test_a_voice_that_lacks_a_file_is_named_with_it(source, tmp_path, missing):
    (tmp_path / "tree" / "onnx/speakers/hana" / missing).unlink()

    with pytest.raises((SourceCorrupt, SourceNotFound, BackendMissing), match=missing.replace("config.json", "hana")):
        fetch_voice(source, "hana", "onnx")
