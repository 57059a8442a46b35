"""Published voices are prepared once, completely, and in any of their forms."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from koebin.engine.errors import BackendMissing, InvalidCheckpoint
from koebin.engine.models.jp_extra.onnx.network import OnnxNetwork
from koebin.engine.models.jp_extra.onnx.published import is_published, prepare
from koebin.engine.models.jp_extra.voice_format import FILES
from tests.integration.engine.models.jp_extra.onnx.test_network import draw
from tests.unit.engine.models.jp_extra.onnx_voices import small_bert


def test_an_exported_voice_is_ready_as_it_is(exported: Path, tmp_path: Path) -> None:
    assert not is_published(exported)
    assert prepare(exported, tmp_path) == exported


def test_preparing_again_finds_what_is_there(published: Path, prepared: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in prepared.iterdir()}
    assert is_published(published)
    assert prepare(published, prepared.parents[1]) == prepared
    assert {path.name: path.stat().st_mtime_ns for path in prepared.iterdir()} == before
    assert sorted(before) == sorted([*FILES, "voice.json"])


@pytest.mark.slow
def test_newer_files_and_external_weights_come_out_the_same(published: Path, prepared: Path, tmp_path: Path) -> None:
    """A second output, the weights beside the graph, and a duration predictor that nobody needs."""
    folder = Path(shutil.copytree(published, tmp_path / "voice"))
    model = onnx.load(str(folder / "synthesizer.onnx"))
    frames = next(node for node in model.graph.node if node.op_type == "Ceil").output[0]
    model.graph.output.append(onnx.helper.make_tensor_value_info("durations", onnx.TensorProto.FLOAT, None))
    model.graph.node.append(onnx.helper.make_node("Identity", [frames], ["durations"]))
    onnx.save_model(
        model, str(folder / "synthesizer.onnx"), save_as_external_data=True, location="synthesizer.onnx.data"
    )
    (folder / "duration_predictor.onnx").write_bytes(b"not read")
    other = prepare(folder, tmp_path / "cache")
    assert other.name != prepared.name
    given = draw(9)
    spoken = [
        OnnxNetwork(path).encode(given.ids, given.bert, given.control, given.sdp_noise) for path in (prepared, other)
    ]
    assert (spoken[0].durations == spoken[1].durations).all()
    assert np.abs(spoken[0].m - spoken[1].m).max() < 1e-6
    (folder / "synthesizer.onnx.data").unlink()
    with pytest.raises(InvalidCheckpoint, match=r"synthesizer\.onnx"):
        prepare(folder, tmp_path / "cache")


@pytest.mark.slow
def test_two_processes_prepare_a_voice_once(published: Path, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, koebin.engine.models.jp_extra.onnx.published as p\n"
        "print(p.prepare(*map(pathlib.Path, sys.argv[1:])), end='')"
    )
    command = [sys.executable, "-c", code, str(published), str(tmp_path)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = {worker.communicate(timeout=120)[0] for worker in workers}
    assert [worker.returncode for worker in workers] == [0, 0]
    assert len(folders) == 1
    assert [str(path) for path in (tmp_path / "prepared").iterdir() if path.is_dir()] == [*folders]


@pytest.mark.parametrize("name", ["synthesizer.onnx", "config.json", "style_vectors.npy"])
def test_a_missing_file_is_named(published: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(published, tmp_path / "voice"))
    (folder / name).unlink()
    with pytest.raises(BackendMissing, match=name):
        prepare(folder, tmp_path / "cache")


def test_a_graph_of_another_kind_is_refused_and_nothing_is_left(published: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(published, tmp_path / "voice"))
    small_bert(folder / "synthesizer.onnx", quantize=False)
    with pytest.raises(InvalidCheckpoint, match="lacks inputs"):
        prepare(folder, tmp_path / "cache")
    (folder / "synthesizer.onnx").write_bytes(b"no graph")
    with pytest.raises(InvalidCheckpoint, match=r"synthesizer\.onnx"):
        prepare(folder, tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache" / "prepared").iterdir() if path.is_dir()]


def test_a_cache_that_cannot_be_written_is_named(published: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(BackendMissing, match="cannot be written to the cache"):
        prepare(published, tmp_path / "cache")


@pytest.mark.slow
def test_tables_of_positions_that_a_simplifier_made_one(published: Path, tmp_path: Path) -> None:
    """Keys and values of a layer take one constant, padded once and turned for the keys, as exporters write it."""
    folder = Path(shutil.copytree(published, tmp_path / "voice"))
    model = onnx.load(str(folder / "synthesizer.onnx"))
    tables = {tensor.name: tensor for tensor in model.graph.initializer if len(tensor.dims) == 3}
    uses = [
        (node, tables[node.input[1]])
        for node in model.graph.node
        if node.op_type == "MatMul" and node.input[1] in tables
    ]
    turned = [node for node, table in uses if list(table.dims) == [1, 4, 9]]
    plain = [node for node, table in uses if list(table.dims) == [1, 9, 4]]
    assert len(turned) == len(plain) > 3
    for keys, values in zip(turned, plain, strict=True):
        name = values.input[1]
        padded, flipped = f"{name}_padded", f"{name}_flipped"
        pads = onnx.numpy_helper.from_array(np.zeros(6, np.int64), f"{name}_pads")
        model.graph.initializer.append(pads)
        place = list(model.graph.node).index(keys)
        model.graph.node.insert(place, onnx.helper.make_node("Pad", [name, pads.name], [padded]))
        model.graph.node.insert(place + 1, onnx.helper.make_node("Transpose", [padded], [flipped], perm=[0, 2, 1]))
        keys.input[1], values.input[1] = flipped, padded
    onnx.save(model, str(folder / "synthesizer.onnx"))
    # What comes out is compared with the whole graph while it is prepared.
    assert (prepare(folder, tmp_path / "cache") / "flow.data").is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [("quantised", "eight bits"), ("half", "float16"), ("pickle", "ZIP archive"), ("pointer", "Git LFS pointer")],
)
def test_a_graph_that_cannot_be_spoken_with_is_refused_by_what_it_is(
    published: Path, tmp_path: Path, change: str, message: str
) -> None:
    folder = Path(shutil.copytree(published, tmp_path / "voice"))
    graph = (folder / "synthesizer.onnx").rename(folder / "synthesizer_q8.onnx")
    model = onnx.load(str(graph))
    if change == "quantised":
        model.graph.node.append(onnx.helper.make_node("MatMulInteger", ["x", "x"], ["unused"]))
    else:
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(2, np.float16), "unused"))
    contents = {"pickle": b"PK\x03\x04rest", "pointer": b"version https://git-lfs.github.com/spec/v1\noid"}
    graph.write_bytes(contents.get(change) or model.SerializeToString())
    with pytest.raises(InvalidCheckpoint, match=message):
        prepare(folder, tmp_path / "cache")
