"""Voices in one file against the torch network and the plain folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from koebin.engine.models.jp_extra.aivm import unpack
from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.onnx.network import OnnxNetwork, sample_prior
from koebin.engine.models.jp_extra.onnx.published import prepare
from koebin.engine.models.jp_extra.torch.checkpoint import find_weights, load_synthesizer
from koebin.engine.models.jp_extra.torch.synthesizer import Synthesizer
from tests.unit.engine.models.jp_extra.aivm_files import write_file
from tests.unit.engine.models.jp_extra.make_onnx_voices import publish_as_style_bert_vits2


@pytest.mark.slow
@pytest.mark.timeout(1200)  # traces, rewrites and loads a whole network
@pytest.mark.parametrize("opset", [17, 18])
@torch.inference_mode()
def test_an_aivmx_speaks_as_torch_does(voice: Path, network: Synthesizer, tmp_path: Path, opset: int) -> None:
    graph = publish_as_style_bert_vits2(voice, tmp_path / "rin.onnx", opset)
    exported = onnx.load(str(graph))
    assert (exported.ir_version, exported.opset_import[0].version, len(exported.graph.output)) == (8, opset, 7)
    file = write_file(voice, graph, tmp_path / "rin.aivmx")
    spoken = OnnxNetwork(prepare(unpack(file, tmp_path / "cache"), tmp_path / "cache"))
    assert spoken.speakers == network.sizes.n_speakers == 3
    from tests.integration.engine.models.jp_extra.onnx.test_network import draw

    for phones in (1, 23):
        given = draw(phones)
        control, speaker = given.control, torch.tensor([given.control.speaker_id])
        prior = spoken.encode(given.ids, given.bert, control, given.sdp_noise)
        frames, m, logs = network.encode(
            *(torch.from_numpy(ids)[None] for ids in (given.ids.phone_ids, given.ids.tone_ids, given.ids.language_ids)),
            torch.tensor([phones]),
            *(torch.from_numpy(part)[None] for part in (given.bert, control.style)),
            speaker,
            torch.from_numpy(given.sdp_noise)[None],
            *(torch.tensor([value]) for value in (control.noise_scale_w, control.sdp_ratio, control.length_scale)),
        )
        assert (prior.durations == frames[0].numpy()).all()
        assert np.abs(prior.m - m[0].numpy()).max() < 1e-4
        assert np.abs(prior.logs - logs[0].numpy()).max() < 1e-4
        noise = given.draws.standard_normal((network.sizes.inter_channels, int(frames.sum())), np.float32)
        z_p = sample_prior(prior, 0.6, noise)
        z = spoken.transform(z_p, control)
        whole = network.transform(torch.from_numpy(z_p)[None], frames.sum(1).long(), speaker)
        assert np.abs(z - whole[0].numpy()).max() < 1e-4
        audio = spoken.decode(z, control)
        assert np.abs(audio).max() > 0.01
        assert np.abs(audio - network.decode(whole, None, speaker)[0].numpy()).max() < 1e-4


def test_an_aivm_has_the_plain_voices_network(voice: Path, tmp_path: Path) -> None:
    folder = unpack(write_file(voice, find_weights(voice), tmp_path / "rin.aivm"), tmp_path / "cache")
    sizes = HyperParameters.load(folder / "config.json")
    ours, plain = load_synthesizer(find_weights(folder), sizes), load_synthesizer(find_weights(voice), sizes)
    assert all(torch.equal(tensor, ours.state_dict()[name]) for name, tensor in plain.state_dict().items())
    assert (folder / "style_vectors.npy").read_bytes() == (voice / "style_vectors.npy").read_bytes()
    for network in (ours, plain):  # elsewhere kernels round otherwise: the samples would differ
        assert all(tensor.data_ptr() % 64 == 0 for tensor in network.state_dict().values())
    own = HyperParameters.load(voice / "config.json")
    assert {name for name, _ in sizes.style2id} == {"ノーマル", "喜び"}
    assert (sizes.n_speakers, sizes.hop_length, sizes.sampling_rate) == (own.n_speakers, own.hop_length, 22050)
