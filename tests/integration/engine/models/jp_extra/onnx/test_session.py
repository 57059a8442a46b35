"""Sessions that voices share."""

from __future__ import annotations

import gc
import shutil
import weakref
from pathlib import Path

import onnx
from onnx import TensorProto

from koebin.engine.models.jp_extra.onnx.mapped_weights import mapped
from koebin.engine.models.jp_extra.onnx.session import shared_session


def test_one_session_for_all_graphs_that_are_the_same(exported: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(exported / "encoder.onnx", tmp_path / "encoder.onnx"))
    session = shared_session(exported / "encoder.onnx")
    assert shared_session(other) is session
    assert shared_session(exported / "flow_layer.onnx") is not session


def test_a_session_ends_with_the_last_voice_that_uses_it(exported: Path, tmp_path: Path) -> None:
    graph = tmp_path / "flow_layer.onnx"
    graph.write_bytes((exported / "flow_layer.onnx").read_bytes() + b"\x12\x00")  # one that no voice has
    held = weakref.ref(session := shared_session(graph))
    del session
    gc.collect()
    assert held() is None


def test_processors_with_sme_do_not_quantise_in_another_way(exported: Path) -> None:
    """Looks at the option alone: its effect shows on such a processor, or under QEMU's ``max``, with an 8-bit BERT."""
    options = shared_session(exported / "encoder.onnx")._session.get_session_options()
    assert options.get_session_config_entry("mlas.disable_kleidiai") == "1"


def test_the_encoders_graph_has_nothing_of_its_voice(exported: Path, prepared: Path) -> None:
    """Else each voice would have a session, and a copy of its weights, of its own."""
    for folder in (exported, prepared):
        graph = onnx.load(str(folder / "encoder.onnx")).graph
        assert not [
            tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT and tensor.dims
        ]
        assert mapped(folder / "encoder.data").keys() <= {value.name for value in graph.input}
