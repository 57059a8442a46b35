"""AIVM and AIVMX: metadata, bounds, refusals, and the samples of the plain voice. Needs no torch."""

from __future__ import annotations

import base64
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from koebin.engine.errors import BackendMissing, InvalidCheckpoint, UnknownStyle
from koebin.engine.models.base import Utterance
from koebin.engine.models.jp_extra.aivm import read_aivm, unpack
from koebin.engine.models.jp_extra.onnx.bert import OnnxBert
from koebin.engine.models.jp_extra.onnx.idle_threads import IdleThreads
from koebin.engine.models.jp_extra.onnx.published import prepare
from koebin.engine.models.jp_extra.onnx.voice import JpExtraOnnx
from koebin.engine.options import SynthesisOptions
from koebin.engine.seeds import utterance_seed
from koebin.engine.text.frontend import analyze
from tests.unit.engine.models.jp_extra.aivm_files import CREATORS, LICENCE, write_file
from tests.unit.engine.models.jp_extra.onnx_voices import ONNX, small_bert, small_tokens

WEIGHTS = ONNX / "weights"
GRAPH = ONNX / "published" / "synthesizer.onnx"


@pytest.fixture(scope="module")
def aivmx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_file(ONNX / "published", GRAPH, tmp_path_factory.mktemp("file") / "声.aivmx")


@pytest.fixture(scope="module")
def aivm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_file(WEIGHTS, next(WEIGHTS.glob("*.safetensors")), tmp_path_factory.mktemp("file") / "声.aivm")


def test_the_metadata_are_read_from_both_forms(aivm: Path, aivmx: Path) -> None:
    for path, form in ((aivm, "aivm"), (aivmx, "aivmx")):
        found = read_aivm(path)
        assert found.form == form
        assert found.card.name == "声の名前"
        assert found.card.creators == tuple(CREATORS)
        assert found.card.licence == LICENCE
        assert found.card.licence_title == "ACML 1.0"
        assert found.card.version == "1.2.0"
        assert [speaker.styles for speaker in found.card.speakers] == [(("ノーマル", 0), ("Happy", 1))]
        assert found.style_vectors == (WEIGHTS / "style_vectors.npy").read_bytes()


@pytest.mark.slow
def test_an_aivmx_gives_the_samples_of_the_plain_voice(aivmx: Path, tmp_path: Path) -> None:
    bert = OnnxBert(small_bert(tmp_path / "bert" / "bert_q8.onnx", quantize=True).parent)
    folders = [prepare(unpack(aivmx, tmp_path), tmp_path), prepare(ONNX / "published", tmp_path)]
    file, plain = (JpExtraOnnx(folder, bert, small_tokens, IdleThreads(1)) for folder in folders)
    assert file.card.creators == tuple(CREATORS)
    assert plain.card.creators == ()
    for style in ("Happy", "Neutral"):
        said = Utterance(analyze("こんにちは、世界。"), SynthesisOptions(style=style), utterance_seed("x", 0))
        one, other = (voice.synthesize([said])[0] for voice in (file, plain))
        assert np.abs(one.samples).max() > 0.01
        assert one.samples.tobytes() == other.samples.tobytes()
        assert one.marks == other.marks
    with pytest.raises(UnknownStyle, match="ノーマル"):
        file.synthesize([Utterance(analyze("はい。"), SynthesisOptions(style="ノーマ"), 0)])


def test_a_style_that_two_speakers_name_differently_has_both_names(tmp_path: Path) -> None:
    manifest = [
        {"name": name, "local_id": row, "uuid": f"00000000-0000-0000-0000-00000000000{row}"}
        | {"icon": "data:image/png;base64,AAAA", "supported_languages": ["ja"]}
        | {"styles": [{"name": style, "local_id": 0}]}
        for row, (name, style) in enumerate([("甲", "普通"), ("乙", "ふつう")])
    ]
    path = hand_made(tmp_path / "x.aivm", manifest={"speakers": manifest}, style2id={"普通": 0, "ふつう": 0})
    found = read_aivm(path)
    assert found.config["data"]["style2id"] == {"普通": 0, "ふつう": 0, "1": 1}
    assert found.config["data"]["num_styles"] == 2


def hand_made(path: Path, *, manifest: Any = None, style2id: Any = None, **texts: str | None) -> Path:
    """A file whose metadata are as they are given, valid or not."""
    whole = {
        "manifest_version": "1.0",
        "name": "x",
        "model_architecture": "Style-Bert-VITS2 (JP-Extra)",
        "speakers": [],
    }
    config = json.loads((WEIGHTS / "config.json").read_text())
    if style2id is not None:
        config["data"]["style2id"] = style2id
    metadata: dict[str, str | None] = {
        "aivm_manifest": json.dumps(whole | (manifest or {})),
        "aivm_hyper_parameters": json.dumps(config),
        "aivm_style_vectors": base64.b64encode((WEIGHTS / "style_vectors.npy").read_bytes()).decode(),
    }
    metadata |= texts
    header = json.dumps({"__metadata__": {key: value for key, value in metadata.items() if value is not None}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    return path


def npy(header: str, content: bytes = b"") -> str:
    padded = header.encode().ljust(117) + b"\n"
    return base64.b64encode(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + content).decode()


def huge(shape: str) -> str:
    return npy("{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + ")}")


def pickled() -> str:
    stream = io.BytesIO()
    np.save(stream, np.array([[None] * 256], dtype=object), allow_pickle=True)
    return base64.b64encode(stream.getvalue()).decode()


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"manifest": {"model_architecture": "Style-Bert-VITS2"}}, r"architecture is Style-Bert-VITS2.*JP-Extra"),
        ({"manifest": {"model_architecture": "2.7.0-Nanairo"}}, "2.7.0-Nanairo"),
        ({"manifest": {"manifest_version": "2.0"}}, r"version 2\.0"),
        ({"manifest": {"speakers": [{"name": "x", "local_id": -1}]}}, "local_id"),
        ({"manifest": {"speakers": 3}}, "speakers"),
        ({"manifest": {"license": 3}}, "license"),
        ({"aivm_manifest": None}, "without AIVM metadata"),
        ({"aivm_manifest": DEEP}, "nested too deeply"),
        ({"aivm_hyper_parameters": None}, "no aivm_hyper_parameters"),
        ({"aivm_hyper_parameters": '{"version": "2.7.0-Nanairo", "data": {}}'}, "2.7.0-Nanairo"),
        ({"aivm_hyper_parameters": '{"version": 1' + "0" * 5000 + "}"}, "5001 digits"),
        ({"aivm_hyper_parameters": DEEP}, "nested too deeply"),
        ({"aivm_style_vectors": None}, "no style vectors"),
        ({"aivm_style_vectors": "%%%"}, "not base64"),
        ({"aivm_style_vectors": pickled()}, "pickle"),
        (
            {"aivm_style_vectors": huge("4000000000, 256")},
            "promises",
        ),
        (
            {"aivm_style_vectors": huge("9" * 40 + ",")},
            "promises",
        ),
        ({"aivm_style_vectors": npy("(" * 100)}, "cannot be read"),
    ],
)
def test_a_file_that_breaks_the_format_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = hand_made(tmp_path / "x.aivm", **change)
    with pytest.raises(InvalidCheckpoint, match=message):
        unpack(path, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", r"Git LFS pointer.*git lfs pull"),
        (b"PK\x03\x04" + b"x" * 50, r"ZIP archive.*never loaded"),
        (b"\x80\x02}q\x00.", r"pickle.*never loaded"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b'{"version": 1}', "is JSON"),
        (b"RIFF....WAVE", "neither safetensors nor ONNX"),
        (struct.pack("<Q", 5_000) + b'{"__metadata__":', "cut off"),
        (struct.pack("<Q", 1 << 40) + b"{" + b" " * 20, "neither safetensors nor ONNX"),
        (struct.pack("<Q", 20) + b"{" + b" " * 30, "not usable JSON"),
        (struct.pack("<Q", 2) + b"{}", "without AIVM metadata"),
        (b"\x08\x08\x72\xff\xff\xff\xff\x7f", "ends too early"),
        (b"\x08\x08\x0b", "not a readable ONNX"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_what_it_is(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "voice.aivmx"
    path.write_bytes(content)
    with pytest.raises(InvalidCheckpoint, match=message):
        read_aivm(path)


def test_a_plain_graph_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidCheckpoint, match="ONNX file without AIVM metadata"):
        read_aivm(GRAPH)
    with pytest.raises(BackendMissing, match="no such file"):
        read_aivm(tmp_path / "x.aivm")


def test_the_metadata_of_a_graph_are_found_without_reading_it(aivmx: Path, tmp_path: Path) -> None:
    """They may lie before the graph, too, and twice: the last one counts, as for protobuf itself."""
    model = onnx.load(str(aivmx))
    props = {entry.key: entry.value for entry in model.metadata_props}
    first = onnx.ModelProto(ir_version=8)
    for key, value in props.items():
        first.metadata_props.add(key=key, value=value)
    del model.metadata_props[:]
    path = tmp_path / "turned.aivmx"
    path.write_bytes(first.SerializeToString() + model.SerializeToString())
    assert read_aivm(path) == read_aivm(aivmx)
