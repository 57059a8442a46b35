"""Division of published JP-Extra ONNX graphs into seedable parts.

A published ``synthesizer.onnx`` draws its noises inside the graph, so that no two runs agree, and goes from text to
audio in one piece. Here its two random nodes become inputs and it is cut at the prior and at the latent. What comes out
is a folder like the one ``koebin.engine.models.jp_extra.export`` makes: the same names, the same ``voice.json``,
batches of one.

The cuts are found by structure. There are two ``RandomNormalLike`` nodes and a ``Ceil`` (the durations): the noise that
the durations depend on is the stochastic duration predictor's, the one that depends on the durations is the prior's.
Before a ``MatMul`` with the alignment lie the prior's mean and log scale per phone, behind the noise lies ``z_p``, and
before the first convolution that leads to a ``ConvTranspose`` lies the latent.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

from koebin.engine.errors import InvalidCheckpoint
from koebin.engine.models.jp_extra.file_kinds import kind_of, refuse
from koebin.engine.models.jp_extra.hyper_parameters import BERT_DIMENSION, LANGUAGES, STYLE_DIMENSION, SYMBOLS, TONES
from koebin.engine.models.jp_extra.network_input import NetworkInput
from koebin.engine.models.jp_extra.onnx.network import (
    Control,
    OnnxNetwork,
    at_least_one_frame,
    encoder_feeds,
    sample_prior,
)
from koebin.engine.models.jp_extra.onnx.rewrite.decoder import decoder_for_cpu, decoder_in_halves
from koebin.engine.models.jp_extra.onnx.rewrite.flow import FlowParts, flow_for_cpu
from koebin.engine.models.jp_extra.onnx.rewrite.graph import FLOAT, INT64, Cut, Graph, constant_int64, reads
from koebin.engine.models.jp_extra.onnx.rewrite.hifigan import UnknownStructure
from koebin.engine.models.jp_extra.onnx.session import Session
from koebin.engine.models.jp_extra.voice_format import (
    ENCODER_INPUTS,
    PUBLISHED_NOISE_SCALE,
    PUBLISHED_SPEAKER,
    published_inputs,
)

FloatArray = NDArray[np.float32]

_COMPARISONS: Final = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal")
_QUANTIZED: Final = frozenset({"MatMulInteger", "ConvInteger", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"})
_TOLERANCE: Final = 1e-4
_KINDS: Final = {"int64": INT64, "float32": FLOAT}


@dataclass(frozen=True)
class Parts:
    """Published synthesizer in parts; inputs and outputs as ``koebin.engine.models.jp_extra.export`` names them, B = 1.

    Attributes:
        channels: of the prior and the latent.
        speakers: rows of the speaker embedding.
    """

    encoder: ModelProto
    flow: FlowParts
    decoder: ModelProto
    channels: int
    speakers: int


@dataclass(frozen=True)
class Landmarks:
    """Cutting points, as tensor names of the published graph.

    Attributes:
        inputs: of the published graph, and what they become.
    """

    inputs: dict[str, Cut]
    durations: str
    sdp_noise: str
    prior_noise: str
    m: str
    logs: str
    z_p: str
    z: str
    audio: str

    @property
    def speaker(self) -> dict[str, Cut]:
        """Of the inputs the speaker alone."""
        return {PUBLISHED_SPEAKER: self.inputs[PUBLISHED_SPEAKER]}


def read(path: Path) -> ModelProto:
    """Model with its external data.

    Raises:
        InvalidCheckpoint: not an ONNX file, or its external data are missing.
    """
    if (kind := kind_of(path)) not in ("onnx", "unknown"):
        raise refuse(path, kind)
    try:
        model = onnx.load(str(path))
    except (DecodeError, FileNotFoundError, onnx.checker.ValidationError, ValueError) as error:
        raise InvalidCheckpoint(f"not a readable ONNX file ({error})", str(path), "Fetch the voice again") from error
    if not model.graph.node:
        raise InvalidCheckpoint("the ONNX file is empty", str(path), "Fetch the voice again")
    _refuse_arithmetic(model, path)
    return model


def _refuse_arithmetic(model: ModelProto, path: Path) -> None:
    """Only float32 comes out the same in parts, and on every machine."""
    hint = "Use the voice's float32 graph, or export its safetensors with koebin export"
    kinds = {node.op_type for node in model.graph.node}
    if kinds & _QUANTIZED:
        raise InvalidCheckpoint("the synthesizer's weights are quantised to eight bits", str(path), hint)
    if any(tensor.data_type == TensorProto.FLOAT16 for tensor in model.graph.initializer):
        raise InvalidCheckpoint("the synthesizer's weights are float16", str(path), hint)


def split(model: ModelProto) -> Parts:
    """Parts of a published synthesizer.

    Raises:
        InvalidCheckpoint: the graph is not a JP-Extra synthesizer.
    """
    graph = Graph(model)
    marks = find_landmarks(graph)
    channels = _channels(graph, marks)
    return Parts(
        encoder=_encoder(graph, marks, channels),
        flow=flow_for_cpu(_flow(graph, marks, channels)),
        decoder=decoder_for_cpu(_decoder(graph, marks, channels)),
        channels=channels,
        speakers=_speakers(graph),
    )


def _channels(graph: Graph, marks: Landmarks) -> int:
    weight = _first_convolution(graph, marks.audio, marks.z_p).input[1]
    return next(int(tensor.dims[1]) for tensor in graph.model.graph.initializer if tensor.name == weight)


def decoder_halves(model: ModelProto) -> tuple[ModelProto, ModelProto]:
    """Decoder of a published synthesizer for mixed precision, see ``decoder_in_halves``.

    Raises:
        InvalidCheckpoint: the graph is not a JP-Extra synthesizer, or its decoder has no such halves.
    """
    graph = Graph(model)
    marks = find_landmarks(graph)
    channels = _channels(graph, marks)
    try:
        return decoder_in_halves(_decoder(graph, marks, channels))
    except UnknownStructure as error:
        raise InvalidCheckpoint(f"the decoder cannot be divided ({error})") from error


def find_landmarks(graph: Graph) -> Landmarks:
    """Cutting points of a graph, see this module's text.

    Raises:
        InvalidCheckpoint: the graph is not built as a JP-Extra synthesizer is.
    """
    inputs = {own: _cut(ours) for own, ours in published_inputs(frozenset(graph.inputs)).items()}
    ceil = _only(graph.nodes("Ceil"), "Ceil").output[0]
    after = graph.depending_on([ceil])
    noises = graph.nodes("RandomNormalLike")
    prior = _only([node for node in noises if node.output[0] in after], "random node behind the durations").output[0]
    sdp = _only([node for node in noises if node.output[0] not in after], "random node before the durations").output[0]
    scaled = _only(graph.consumers[prior], "use of the prior's noise")
    exp = _only([node for node in _makers(graph, scaled) if node.op_type == "Exp"], "exponential of the log scale")
    times_noise_scale = _only(graph.consumers[scaled.output[0]], "use of the scaled noise")
    z_p = _only(graph.consumers[times_noise_scale.output[0]], "sum of the prior's mean and noise")
    if PUBLISHED_NOISE_SCALE not in times_noise_scale.input or z_p.op_type != "Add":
        raise InvalidCheckpoint("the published graph has an unknown structure", f"{scaled.op_type} {z_p.op_type}")
    mean = next(name for name in z_p.input if name != times_noise_scale.output[0])
    audio = graph.model.graph.output[0].name
    return Landmarks(
        inputs=inputs,
        durations=ceil,
        sdp_noise=sdp,
        prior_noise=prior,
        m=_before_alignment(graph, mean, after),
        logs=_before_alignment(graph, exp.input[0], after),
        z_p=z_p.output[0],
        z=_first_convolution(graph, audio, z_p.output[0]).input[0],
        audio=audio,
    )


def _cut(name: str) -> Cut:
    """An input of the encoder, of one utterance."""
    kind, shape = ENCODER_INPUTS[name]
    return Cut(name, _KINDS[kind], tuple(1 if size == "batch" else size for size in shape))


def _before_alignment(graph: Graph, expanded: str, after_durations: set[str]) -> str:
    """Tensor [1, T, C] from which a product with the alignment [1, F, T] made ``expanded``."""
    product = graph.producers.get(graph.through(expanded, "Transpose", "Cast", "Identity"))
    if product is None or product.op_type != "MatMul":
        raise InvalidCheckpoint("the published graph expands the prior in an unknown way", expanded)
    return _only_name([name for name in product.input if name not in after_durations], "prior per phone")


def _first_convolution(graph: Graph, audio: str, z_p: str) -> NodeProto:
    """First convolution of the decoder, from the latent to the first transposed one."""
    behind = graph.depending_on([z_p])
    upsampling = [node for node in graph.nodes("ConvTranspose") if graph.needed_for([audio]) & set(node.output)]
    if not upsampling:
        raise InvalidCheckpoint("the published graph has no upsampling decoder", audio)
    added = graph.producers[graph.through(upsampling[0].input[0], "LeakyRelu")]
    candidates = (
        [added] if added.op_type == "Conv" else [node for node in _makers(graph, added) if node.op_type == "Conv"]
    )
    return _only([node for node in candidates if node.input[0] in behind], "convolution of the latent")


def _encoder(graph: Graph, marks: Landmarks, channels: int) -> ModelProto:
    turned = [helper.make_node("Transpose", [getattr(marks, name)], [name], perm=[0, 2, 1]) for name in ("m", "logs")]
    durations = [
        helper.make_node("Reshape", [marks.durations, "koebin_row"], ["koebin_frames"]),
        helper.make_node("Cast", ["koebin_frames"], ["durations"], to=INT64),
    ]
    return graph.cut_out(
        outputs=[
            helper.make_tensor_value_info("durations", INT64, [1, "phones"]),
            helper.make_tensor_value_info("m", FLOAT, [1, channels, "phones"]),
            helper.make_tensor_value_info("logs", FLOAT, [1, channels, "phones"]),
        ],
        inputs={**marks.inputs, marks.sdp_noise: Cut("sdp_noise", FLOAT, (1, 2, "phones"))},
        after=[*durations, *turned],
        constants=[constant_int64("koebin_row", (1, -1))],
    )


def _flow(graph: Graph, marks: Landmarks, channels: int) -> ModelProto:
    """Flow from the prior sample to the latent. The only other tensor that crosses the cut is the mask of the frames:
    all ones.
    """
    behind = graph.depending_on([marks.z_p]) - {marks.z_p}
    needed = graph.needed_for([marks.z], stop=[marks.z_p])
    inside = [
        node for node in graph.model.graph.node if behind.intersection(node.output) and needed.intersection(node.output)
    ]
    crossing = {name for node in inside for name in reads(node) if name} - behind - {marks.z_p}
    mask = graph.narrowest(crossing, graph.depending_on(graph.inputs.keys() - {PUBLISHED_SPEAKER}))
    before = [] if mask is None else _of_all_frames(graph, mask, marks.z_p)
    return graph.cut_out(
        outputs=[helper.make_tensor_value_info("z", FLOAT, [1, channels, "frames"])],
        inputs={marks.z_p: Cut("z_p", FLOAT, (1, channels, "frames")), **marks.speaker},
        before=before,
        after=[helper.make_node("Identity", [marks.z], ["z"])],
        constants=[constant_int64("koebin_one", (1,))],
    )


def _of_all_frames(graph: Graph, crossing: str, z_p: str) -> list[NodeProto]:
    """Nodes for the one tensor that crosses the cut, for one utterance without padding.

    It is the mask of the frames, all ones, or the number of frames that the mask is made of.
    """
    frames = helper.make_node("Shape", [z_p], ["koebin_frames"], start=2)
    source = graph.through(crossing, "Unsqueeze", "Identity")
    maker, dimensions = graph.producers[source], _unsqueezed(graph, crossing, source)
    dtype = helper.get_node_attr_value(maker, "to") if maker.op_type == "Cast" else TensorProto.BOOL
    if maker.op_type == "Cast" and dtype == INT64:
        shape = ["koebin_one"] * (dimensions + 1)
        return [
            frames,
            helper.make_node("Concat", shape, ["koebin_shape"], axis=0),
            helper.make_node("Reshape", ["koebin_frames", "koebin_shape"], [crossing]),
        ]
    if maker.op_type == "Cast":
        comparison = graph.through(source, "Cast", "Unsqueeze", "Identity")
        maker, dimensions = graph.producers[comparison], _unsqueezed(graph, crossing, comparison)
    if maker.op_type not in _COMPARISONS:
        raise InvalidCheckpoint("the published graph masks frames in an unknown way", maker.op_type)
    true = helper.make_tensor("true", dtype, [1], [1])
    return [
        frames,
        helper.make_node("Concat", [*["koebin_one"] * (dimensions + 1), "koebin_frames"], ["koebin_shape"], axis=0),
        helper.make_node("ConstantOfShape", ["koebin_shape"], [crossing], value=true),
    ]


def _unsqueezed(graph: Graph, name: str, source: str) -> int:
    """Number of dimensions that the nodes between ``source`` and ``name`` add."""
    added = 0
    while name != source:
        added += graph.producers[name].op_type == "Unsqueeze"
        name = graph.producers[name].input[0]
    return added


def _decoder(graph: Graph, marks: Landmarks, channels: int) -> ModelProto:
    return graph.cut_out(
        outputs=[helper.make_tensor_value_info("audio", FLOAT, [1, "samples"])],
        inputs={marks.z: Cut("z", FLOAT, (1, channels, "frames")), **marks.speaker},
        after=[helper.make_node("Reshape", [marks.audio, "koebin_row"], ["audio"])],
        constants=[constant_int64("koebin_row", (1, -1))],
    )


def _speakers(graph: Graph) -> int:
    """Rows of the table that the speaker id picks from; an id beyond them reads foreign memory or fails."""
    table = _only(
        [node for node in graph.consumers[PUBLISHED_SPEAKER] if node.op_type == "Gather"], "speaker embedding"
    ).input[0]
    table = graph.through(table, "Identity")
    return int(next(tensor.dims[0] for tensor in graph.model.graph.initializer if tensor.name == table))


def _makers(graph: Graph, node: NodeProto) -> list[NodeProto]:
    return [graph.producers[name] for name in node.input if name in graph.producers]


def _only(nodes: list[NodeProto], what: str) -> NodeProto:
    if len(nodes) != 1:
        raise InvalidCheckpoint("the published graph has an unknown structure", f"{len(nodes)} x {what}")
    return nodes[0]


def _only_name(names: list[str], what: str) -> str:
    if len(names) != 1:
        raise InvalidCheckpoint("the published graph has an unknown structure", f"{len(names)} x {what}")
    return names[0]


def check_parts(model: ModelProto, folder: Path) -> None:
    """Run the parts and the whole graph side by side, for a few phones and the same noise.

    Args:
        model: the published synthesizer.
        folder: the parts and their ``voice.json``.

    Raises:
        InvalidCheckpoint: the results differ.
    """
    network = OnnxNetwork(folder)
    draws = np.random.default_rng(0)
    phones, tones, languages = (draws.integers(0, size, 7) for size in (SYMBOLS, TONES, LANGUAGES))
    ids = NetworkInput(phones, tones, languages, (7,))
    bert = draws.standard_normal((BERT_DIMENSION, 7), np.float32)
    style = draws.standard_normal(STYLE_DIMENSION, np.float32) * np.float32(0.1)
    control = Control(style, 0, noise_scale=0.6, noise_scale_w=0.8, sdp_ratio=0.2, length_scale=1.0)
    sdp_noise = draws.standard_normal((2, 7), np.float32)
    prior = network.encode(ids, bert, control, sdp_noise)
    frames = int(at_least_one_frame(prior.durations).sum())
    noise = draws.standard_normal((network.channels, frames), np.float32)
    z = network.transform(sample_prior(prior, control.noise_scale, noise), control)
    ours = network.decode(z, control)
    theirs = _run_whole(model, encoder_feeds(ids, bert, control, sdp_noise), control.noise_scale, noise)
    if theirs.shape != ours.shape or np.abs(theirs - ours).max() > _TOLERANCE:
        raise InvalidCheckpoint(
            "the parts of the published graph give other results than the whole", f"{theirs.shape} {ours.shape}"
        )


def _run_whole(
    model: ModelProto, feeds: Mapping[str, NDArray[Any]], noise_scale: float, noise: FloatArray
) -> FloatArray:
    graph = Graph(model)
    marks = find_landmarks(graph)
    noises = {
        marks.sdp_noise: Cut("sdp_noise", FLOAT, (1, 2, "phones")),
        marks.prior_noise: Cut("prior_noise", FLOAT, (1, "channels", "frames")),
        PUBLISHED_NOISE_SCALE: Cut("noise_scale", FLOAT, (1,)),
    }
    seedable = graph.cut_out(
        outputs=[helper.make_tensor_value_info("samples", FLOAT, [1, "samples"])],
        inputs={**marks.inputs, **noises},
        after=[helper.make_node("Reshape", [marks.audio, "koebin_row"], ["samples"])],
        constants=[constant_int64("koebin_row", (1, -1))],
    )
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(seedable.SerializeToString())
        file.flush()
        session = Session(Path(file.name))
    more = {"prior_noise": noise[None], "noise_scale": np.array([noise_scale], np.float32)}
    samples: FloatArray = session.run(["samples"], {**feeds, **more})[0][0]
    return samples
