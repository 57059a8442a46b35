"""The flow in tiles: the same bytes whoever computes them, and nothing but the flow that was published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from koebin.engine.errors import InferenceFailed, InvalidCheckpoint
from koebin.engine.models.jp_extra.onnx.flow import LONGEST_TILE, Flow, tiles_of
from koebin.engine.models.jp_extra.onnx.idle_threads import IdleThreads
from koebin.engine.models.jp_extra.onnx.mapped_weights import mapped
from koebin.engine.models.jp_extra.onnx.rewrite.split import read, split
from koebin.engine.models.jp_extra.voice_format import FLOW_FILES
from koebin.engine.models.jp_extra.windows import one_by_one, windows


@pytest.fixture(scope="module", params=["exported", "prepared"])
def flow(request: pytest.FixtureRequest) -> Flow:
    return Flow(request.getfixturevalue(request.param))


def sample(frames: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(frames).standard_normal((8, frames), np.float32)


@pytest.mark.parametrize("frames", [1, 64, 65, 131, 600])
def test_threads_give_the_bytes_of_one(flow: Flow, frames: int) -> None:
    alone = flow.run(sample(frames), 1, one_by_one)
    idle = IdleThreads(3)
    with idle.caller():
        assert flow.run(sample(frames), 1, idle.each).tobytes() == alone.tobytes()
    idle.close()
    backwards = flow.run(sample(frames), 1, lambda work, places: one_by_one(work, places[::-1]))
    assert backwards.tobytes() == alone.tobytes()


@pytest.mark.parametrize("longest", [1, 3, 17, 100])
def test_tiles_equal_the_whole(flow: Flow, longest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    z_p = sample(150)
    spoken = []
    for size in (150, longest):
        monkeypatch.setattr(
            "koebin.engine.models.jp_extra.onnx.flow.tiles_of", lambda frames, size=size: windows(frames, size)
        )
        spoken.append(flow.run(z_p, 0, one_by_one))
    assert np.abs(spoken[0] - z_p).max() > 0.1
    assert np.abs(spoken[0] - spoken[1]).max() < 1e-5


def test_tiles_need_the_frames_about_them(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(exported)
    whole = flow.run(sample(60), 0, one_by_one)
    monkeypatch.setattr("koebin.engine.models.jp_extra.onnx.flow.tiles_of", lambda frames: windows(frames, 20))
    flow._reach = 1
    assert np.abs(flow.run(sample(60), 0, one_by_one) - whole).max() > 1e-4


def test_speakers_differ(flow: Flow) -> None:
    assert np.abs(flow.run(sample(20), 0, one_by_one) - flow.run(sample(20), 1, one_by_one)).max() > 1e-3


def test_two_threads_can_share_all_but_short_utterances() -> None:
    assert tiles_of(64) == [(0, 64)]
    assert tiles_of(247) == [(0, 123), (123, 247)]
    assert max(stop - start for start, stop in tiles_of(5000)) <= LONGEST_TILE


def test_what_is_not_a_number_is_an_error(flow: Flow) -> None:
    with pytest.raises(InferenceFailed, match="not finite numbers"):
        flow.run(np.full_like(sample(20), np.nan), 0, one_by_one)


@pytest.mark.parametrize("data", [b"", b"\xff" * 40, b"\x02" + bytes(7) + b"[]", b"\x04" + bytes(7) + b'{"a"'])
def test_weights_that_cannot_be_read_are_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "flow.data").write_bytes(data)
    with pytest.raises(InvalidCheckpoint, match=r"flow\.data"):
        mapped(tmp_path / "flow.data")


def test_a_flow_that_is_built_in_another_way_is_refused(published: Path) -> None:
    model = read(published / "synthesizer.onnx")
    last = [node for node in model.graph.node if node.op_type == "LayerNormalization"][-1]
    last.op_type = "Softplus"
    del last.input[1:]
    last.ClearField("attribute")
    with pytest.raises(InvalidCheckpoint, match=r"the flow has an unknown structure.*Conv where LayerNorm"):
        split(model)


def test_whoever_may_read_the_graphs_may_read_the_weights(prepared: Path) -> None:
    assert len({(prepared / name).stat().st_mode for name in FLOW_FILES}) == 1


def test_weights_are_those_of_the_voice(exported: Path, published: Path) -> None:
    published_weights = {
        array.tobytes()
        for array in map(numpy_helper.to_array, onnx.load(str(published / "synthesizer.onnx")).graph.initializer)
        if array.ndim == 3
    }
    up = [array for name, array in mapped(exported / "flow.data").items() if name.endswith("up_weight")]
    assert len(up) == 24
    assert all(array.tobytes() in published_weights for array in up)
