"""The exported graphs in ONNX Runtime against the torch network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from koebin.engine.errors import InvalidCheckpoint
from koebin.engine.models.card import read_card
from koebin.engine.models.jp_extra.export import export_voice
from koebin.engine.models.jp_extra.onnx.flow import Flow
from koebin.engine.models.jp_extra.onnx.mapped_weights import mapped
from koebin.engine.models.jp_extra.torch.checkpoint import checksum, find_weights
from koebin.engine.models.jp_extra.torch.synthesizer import Synthesizer
from koebin.engine.models.jp_extra.voice_format import FILES
from koebin.engine.models.jp_extra.windows import one_by_one
from tests.unit.engine.models.jp_extra.aivm_files import CREATORS, write_file

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def exported(voice: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_voice(voice, tmp_path_factory.mktemp("exported") / "voice")


@pytest.fixture(scope="module")
def graphs(exported: Path) -> dict[str, Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return {
        name: onnxruntime.InferenceSession(str(exported / f"{name}.onnx"), options, ["CPUExecutionProvider"])
        for name in ("encoder", "decoder")
    }


def run(graph: Any, **inputs: Tensor) -> list[np.ndarray[Any, Any]]:
    outputs: list[np.ndarray[Any, Any]] = graph.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
    return outputs


def assert_close(graph: np.ndarray[Any, Any], network: Tensor) -> None:
    np.testing.assert_allclose(graph, network.numpy(), atol=TOLERANCE, rtol=0)


@torch.inference_mode()
@pytest.mark.slow
def test_the_encoder_graph(
    exported: Path,
    graphs: dict[str, Any],
    network: Synthesizer,
    batch: dict[str, Tensor],
    items: list[dict[str, Tensor]],
) -> None:
    weights = {name: torch.tensor(array) for name, array in mapped(exported / "encoder.data").items()}
    for inputs in (batch, *items):
        durations, m, logs = run(graphs["encoder"], **inputs, **weights)
        frames, own_m, own_logs = network.encode(**inputs)
        assert durations.dtype == np.int64
        np.testing.assert_array_equal(durations, frames.long().numpy())
        assert_close(m, own_m)
        assert_close(logs, own_logs)


@torch.inference_mode()
@pytest.mark.parametrize("frames", [1, 2, 57, 65, 300])
def test_the_flow(exported: Path, network: Synthesizer, frames: int) -> None:
    flow = Flow(exported)
    for speaker in range(3):
        z_p = torch.randn(1, network.sizes.inter_channels, frames)
        z = network.transform(z_p, torch.tensor([frames]), torch.tensor([speaker]))
        assert_close(flow.run(z_p[0].numpy(), speaker, one_by_one), z[0])


@torch.inference_mode()
@pytest.mark.parametrize("lengths", [[1], [2], [57], [40, 40]])
def test_the_decoder_graph(graphs: dict[str, Any], network: Synthesizer, lengths: list[int]) -> None:
    z = torch.randn(len(lengths), network.sizes.inter_channels, max(lengths))
    speaker = torch.arange(len(lengths))
    whole = torch.zeros(2, dtype=torch.int64)
    assert_close(run(graphs["decoder"], z=z, speaker_id=speaker, trim=whole)[0], network.decode(z, None, speaker))


def test_windows_of_the_decoder_graph(graphs: dict[str, Any], exported: Path) -> None:
    description = json.loads((exported / "voice.json").read_text("utf-8"))
    overlap, hop = description["receptive_field_frames"], description["hop_length"]
    z, speaker = torch.randn(1, description["channels"], 50), torch.tensor([2])
    whole = run(graphs["decoder"], z=z, speaker_id=speaker, trim=torch.tensor([0, 0]))[0]
    around = z[:, :, 20 - overlap : 30 + overlap]
    window = run(graphs["decoder"], z=around, speaker_id=speaker, trim=torch.tensor([overlap, overlap]))[0]
    np.testing.assert_allclose(window, whole[:, 20 * hop : 30 * hop], atol=1e-5, rtol=0)


def test_the_description(exported: Path, voice: Path) -> None:
    description = json.loads((exported / "voice.json").read_text("utf-8"))
    assert description["format"] == "koebin-voice-5"
    assert description["source_sha256"] == checksum(find_weights(voice))
    assert (description["sample_rate_hz"], description["hop_length"], description["speakers"]) == (22050, 24, 3)
    assert description["styles"] == {"Neutral": 0, "喜び": 1}
    files = {path.name: checksum(path) for path in exported.iterdir() if path.name != "voice.json"}
    assert description["files"] == files
    assert files.keys() == set(FILES)


def test_nothing_is_overwritten_and_nothing_is_left_half_done(voice: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    with pytest.raises(InvalidCheckpoint, match="empty folder"):
        export_voice(voice, tmp_path / "full")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text('{"version": "2.0-JP-Extra"}')
    with pytest.raises(InvalidCheckpoint):
        export_voice(tmp_path / "broken", tmp_path / "target")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "full"]


@pytest.mark.slow
def test_a_file_is_exported_as_its_folder_is(voice: Path, exported: Path, tmp_path: Path) -> None:
    file = write_file(voice, find_weights(voice), tmp_path / "rin.aivm")
    folder = export_voice(file, tmp_path / "out")
    for name in ("encoder.data", "flow.data", "decoder.data", "style_vectors.npy"):
        assert (folder / name).read_bytes() == (exported / name).read_bytes()
    assert read_card(folder).creators == tuple(CREATORS)
    assert json.loads((folder / "voice.json").read_text("utf-8"))["styles"] == {"ノーマル": 0, "喜び": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02}q\x00.", r"pickle.*never loaded"),
        (b"PK\x03\x04rest", r"PyTorch pickle.*never loaded"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"\x08\x08rest", r"for ONNX Runtime already.*--speakers"),
        (b"\x02\0\0\0\0\0\0\0{}", "without AIVM metadata"),
        (b"{}", "is JSON"),
    ],
)
def test_a_file_that_cannot_be_exported_is_refused_by_what_it_is(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "G_1000.pth").write_bytes(content)
    with pytest.raises(InvalidCheckpoint, match=message):
        export_voice(tmp_path / "G_1000.pth", tmp_path / "out")
    assert not (tmp_path / "out").exists()
