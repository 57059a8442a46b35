"""Parity output of hayakoe 1.3.1 for phones, tones and tokens, without noise. Run by a Python that has it and torch."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from hayakoe import TTS
from hayakoe.models.hyper_parameters import HyperParameters
from hayakoe.models.models_jp_extra import SynthesizerTrn
from safetensors.torch import load_file
from transformers import AutoModelForMaskedLM

NAMES = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}


def main():
    tree, cache, given, target = map(Path, sys.argv[1:5])
    speaker = TTS("cpu", cache_dir=str(cache), bert_source=str(tree)).load("first", source=str(tree)).prepare()
    speaker = speaker.speakers["first"]
    network = load_network(tree / "pytorch/speakers/first")
    bert = AutoModelForMaskedLM.from_pretrained(str(tree / "pytorch/bert/fp32"), dtype=torch.float32).eval()
    said = {}
    for number, each in enumerate(json.loads(given.read_text())):
        tokens, style = np.array([each["tokens"]]), speaker._get_style_vector(each["style"], 1.0)
        ids = each["phone_ids"], each["tone_ids"], each["language_ids"]
        control = 0, 1 / each["speed"], each["sdp_ratio"], 0.0, 0.0
        feeds = {"input_ids": tokens, "attention_mask": np.ones_like(tokens)}
        hidden = speaker._bert_session.run(None, feeds)[0][0]
        said[f"onnx/{number}"] = speaker._synth_with_features_onnx(*ids, expand(hidden, each), style, *control)
        with torch.no_grad():
            found = bert(*map(torch.from_numpy, feeds.values()), output_hidden_states=True)["hidden_states"]
        features = torch.from_numpy(expand(found[-3][0].numpy(), each)[None].copy())
        said[f"torch/{number}"] = speak(network, ids, features, style, each)
    np.savez(target, **{f"{key}/{i}": array for key, pair in said.items() for i, array in enumerate(pair)})


def load_network(folder):
    """With what only training needs left as it is made: random voices do not hold it."""
    hyper = HyperParameters.load_from_json(folder / "config.json")
    network = SynthesizerTrn(112, 1025, 32, n_speakers=hyper.data.n_speakers, **hyper.model.model_dump()).eval()
    weights = {}
    for name, tensor in load_file(next(folder.glob("*.safetensors"))).items():
        layer, _, last = name.rpartition(".")
        weights[f"{layer}.{NAMES.get(last, last)}"] = tensor
    unknown = network.load_state_dict(weights, strict=False).unexpected_keys
    assert not unknown, unknown
    return network


def expand(hidden, each):
    return np.repeat(hidden, each["phones_per_token"], axis=0).T


def speak(network, ids, features, style, each):
    phones, tones, languages = (torch.tensor([row]) for row in ids)
    with torch.no_grad():
        audio, path, *_ = network.infer(
            *(phones, torch.tensor([phones.shape[1]]), torch.tensor([0]), tones, languages, features),
            style_vec=torch.from_numpy(style)[None],
            length_scale=1 / each["speed"],
            sdp_ratio=each["sdp_ratio"],
            noise_scale=0.0,
            noise_scale_w=0.0,
        )
    return audio[0, 0].numpy(), path.sum(2)[0, 0].numpy()


if __name__ == "__main__":
    main()
