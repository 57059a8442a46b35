"""config.json and style_vectors.npy: what they mean, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from koebin.engine.errors import InvalidCheckpoint, UnknownStyle
from koebin.engine.models.jp_extra.hyper_parameters import HyperParameters
from koebin.engine.models.jp_extra.styles import Styles
from koebin.engine.models.jp_extra.torch.checkpoint import read_tensors


def test_what_a_configuration_leaves_out_takes_the_published_values() -> None:
    sizes = HyperParameters.parse({"version": "2.7.0-JP-Extra", "train": {"eps": 1}, "unknown": 1})
    assert (sizes.hidden_channels, sizes.n_heads, sizes.gin_channels) == (192, 2, 512)
    assert (sizes.sampling_rate, sizes.hop_length, sizes.n_speakers, sizes.add_blank) == (44100, 512, 1, True)


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({"version": "2.7.0"}, "not a JP-Extra voice"),
        ({"version": "2.7.0-jp-extra"}, "not a JP-Extra voice"),
        ({"version": 2}, "not a JP-Extra voice"),
        ([], "not a JSON object"),
        ({"model": {"n_heads": 5}}, "not a multiple of n_heads"),
        ({"model": {"n_layers": 10**9}}, "n_layers"),
        ({"model": {"n_layers": True}}, "n_layers"),
        ({"model": {"hidden_channels": "192"}}, "hidden_channels"),
        ({"model": {"gin_channels": 0}}, "gin_channels"),
        ({"model": {"upsample_rates": [8, 8]}}, "differ in number"),
        ({"model": {"upsample_rates": [8, 8, 2, 2, 3]}}, "does not fit its rate"),
        ({"model": {"upsample_rates": []}}, "upsample_rates"),
        ({"model": {"upsample_initial_channel": 31}}, "halved"),
        ({"model": {"resblock": "2"}}, "residual block"),
        ({"model": {"use_spk_conditioned_encoder": False}}, "speaker-conditioned"),
        ({"data": {"n_speakers": 0}}, "n_speakers"),
        ({"data": {"style2id": {"Neutral": "0"}}}, "row number"),
        ({"data": {"add_blank": "yes"}}, "add_blank"),
        ({"data": 3}, "not a JSON object"),
    ],
)
def test_a_configuration_that_no_voice_has_is_refused(config: Any, what: str) -> None:
    if isinstance(config, dict):
        config.setdefault("version", "2.0-JP-Extra")
    with pytest.raises(InvalidCheckpoint, match=what):
        HyperParameters.parse(config)


def test_files_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    sizes = HyperParameters(version="JP-Extra")
    with pytest.raises(InvalidCheckpoint, match=r"config\.json"):
        HyperParameters.load(tmp_path / "config.json")
    with pytest.raises(InvalidCheckpoint, match=r"style_vectors\.npy"):
        Styles.load(tmp_path / "style_vectors.npy", sizes)
    (tmp_path / "config.json").write_text("{")
    (tmp_path / "style_vectors.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(InvalidCheckpoint, match="not JSON"):
        HyperParameters.load(tmp_path / "config.json")
    with pytest.raises(InvalidCheckpoint, match="cannot be read"):
        Styles.load(tmp_path / "style_vectors.npy", sizes)


def styles_of(tmp_path: Path, vectors: np.ndarray[Any, Any], data: dict[str, Any]) -> Styles:
    path = tmp_path / "style_vectors.npy"
    np.save(path, vectors)
    return Styles.load(path, HyperParameters.parse({"version": "2.0-JP-Extra", "data": data}))


def test_a_style_is_the_mean_and_a_weighted_step_from_it(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).standard_normal((3, 256))
    styles = styles_of(tmp_path, vectors, {"num_styles": 3, "style2id": {"Sad": 2, "Neutral": 0, "Happy": 1}})
    assert styles.names == ("Neutral", "Happy", "Sad")
    assert styles.vector("Happy", 1.0).dtype == np.float32
    np.testing.assert_allclose(styles.vector("Happy", 2.5), vectors[0] + (vectors[1] - vectors[0]) * 2.5, rtol=1e-5)
    np.testing.assert_array_equal(styles.vector("Sad", 0.0), styles.vector("", 5.0))
    with pytest.raises(UnknownStyle, match="Did you mean Happy"):
        styles.vector("Hapy", 1.0)


def test_a_configuration_without_styles_names_them_by_number(tmp_path: Path) -> None:
    assert styles_of(tmp_path, np.zeros((1, 256), np.float32), {}).names == ("Neutral",)
    assert styles_of(tmp_path, np.zeros((3, 256), np.float32), {}).names == ("Neutral", "1", "2")


@pytest.mark.parametrize(
    ("vectors", "data"),
    [
        (np.zeros((2, 256), np.float32), {"style2id": {"Neutral": 0}}),
        (np.zeros((2, 256), np.float32), {"style2id": {"Neutral": 0, "Happy": 2}}),
        (np.zeros((2, 256), np.float32), {"style2id": {"Neutral": 0, "Happy": 1}, "num_styles": 3}),
        (np.zeros((2, 128), np.float32), {}),
        (np.zeros(256, np.float32), {}),
        (np.zeros((0, 256), np.float32), {}),
        (np.zeros((1, 256), np.int64), {}),
        (np.full((1, 256), np.nan, np.float32), {}),
        (np.array([[None] * 256], dtype=object), {}),
    ],
)
def test_style_vectors_that_do_not_fit_are_refused(
    tmp_path: Path, vectors: np.ndarray[Any, Any], data: dict[str, Any]
) -> None:
    with pytest.raises(InvalidCheckpoint):
        styles_of(tmp_path, vectors, data)


def test_the_stored_configuration_reads_as_the_parsed_one(voice: Path, sizes: HyperParameters) -> None:
    assert HyperParameters.load(voice / "config.json") == sizes
    assert json.loads((voice / "config.json").read_text("utf-8"))["model_name"] == sizes.model_name


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        (b'{"version": "JP-Extra", "data": {"n_speakers": 1' + b"0" * 5000 + b"}}", "5001 digits"),
        (b'{"version": "JP-Extra", "data": {"n_speakers": 1' + b"0" * 500 + b"}}", r"number of \d+ bits"),
        (b" " * ((1 << 20) + 1), "more than 1048576 bytes"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS pointer"),
        (b"\xff\xfe{}", "not JSON"),
    ],
)
def test_a_configuration_that_would_exhaust_its_reader_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(InvalidCheckpoint, match=message):
        HyperParameters.load(tmp_path / "config.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", r"Git LFS pointer.*git lfs pull"),
        (b"PK\x03\x04rest", "pickle"),
        (b"<html>", "web page"),
    ],
)
def test_weights_that_are_something_else_are_refused_by_what_they_are(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "rin.safetensors").write_bytes(content)
    with pytest.raises(InvalidCheckpoint, match=message):
        read_tensors(tmp_path / "rin.safetensors")


def test_a_byte_order_mark_is_read_over(voice: Path, sizes: HyperParameters, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"\xef\xbb\xbf" + (voice / "config.json").read_bytes())
    assert HyperParameters.load(tmp_path / "config.json") == sizes


def test_headers_of_style_vectors_that_promise_terabytes_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "style_vectors.npy", np.zeros((2, 256), np.float32))
    good = (tmp_path / "style_vectors.npy").read_bytes()
    for shape in (b"(9999999999, 256), }", b"(-1, 256), }", b"(3, 256), }", b"((((((((((1), }"):
        at = good.index(b"(2, 256), }")
        (tmp_path / "style_vectors.npy").write_bytes(good[:at] + shape + good[at + len(shape) :])
        with pytest.raises(InvalidCheckpoint):
            Styles.load(tmp_path / "style_vectors.npy", HyperParameters(version="JP-Extra"))


def test_neutral_answers_to_either_name(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).standard_normal((2, 256), np.float32)
    styles = styles_of(tmp_path, vectors, {"style2id": {"怒り": 0, "ノーマル": 1}})
    assert (styles.vector("Neutral", 1.0) == styles.vector("ノーマル", 1.0)).all()
    both = styles_of(tmp_path, vectors, {"style2id": {"Neutral": 0, "ノーマル": 1}})
    assert (both.vector("Neutral", 1.0) != both.vector("ノーマル", 1.0)).any()
