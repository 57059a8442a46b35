"""Decoder graph, rewritten from its weights for ONNX Runtime's kernels: the same sums with less work.

- Convolutions of 64 and 128 channels, of 256 those with longer filters and of 32 those with the longest, are in four
  phases with a half of the multiplications or less (``fast_convolution``).
- Everything from one convolution to the next is a convolution, activations and additions among them: ONNX Runtime
  fuses those, and values stay in its blocked layout.
- Up-sampling is a convolution with a row per phase of the output.
- The mean of the blocks is a sum; its factor is in the next weights, which a leaky ReLU does not mind.
- Of the frames that a window is given only because samples depend on them, most matter to the first stage alone: the
  other stages do not see them (``trim``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Final

import numpy as np
from onnx import ModelProto, helper

from koebin.engine.models.jp_extra.onnx.rewrite.builder import Builder
from koebin.engine.models.jp_extra.onnx.rewrite.convolutions import convolutions_as_2d
from koebin.engine.models.jp_extra.onnx.rewrite.fast_convolution import PHASES, convolve_phases
from koebin.engine.models.jp_extra.onnx.rewrite.graph import FLOAT, INT64, Cut, Graph
from koebin.engine.models.jp_extra.onnx.rewrite.hifigan import (
    Block,
    Convolution,
    Generator,
    Stage,
    UnknownStructure,
    Upsampling,
    read_generator,
)
from koebin.engine.models.jp_extra.voice_format import HALFWAY, TRIM

SHORTEST: Final = {range(32, 64): 8, range(64, 129): 1, range(129, 257): 4}
"""Taps from which phases pay, by number of channels. With few channels the additions take as long as the
multiplications that they save; with many, the weights may hardly grow, and those of short filters double."""
Convolve = Callable[[Builder, str, Convolution], str]
Phased = Callable[[Block, int], bool]
"""Whether a block at a rate is written in phases."""
WIDE: Final = 64
"""Channels from which a stage belongs to the first half."""
_BLOCK: Final = 16
"""Channel multiple of ONNX Runtime's blocked layout."""


def decoder_for_cpu(model: ModelProto) -> ModelProto:
    """Decoder with one more input, ``trim`` [2] int64: frames at both ends without samples.

    Args:
        model: inputs ``z`` [B, C, F] and perhaps ``speaker_id`` [B], output ``audio`` [B, F * hop_length].

    Returns:
        The same but for rounding; where the graph is no generator of HiFi-GAN as they are usually exported, with its
        convolutions turned to 2-D only.
    """
    graph, build = Graph(model), Builder("koebin")
    (audio,) = model.graph.output
    try:
        samples = _generate(build, read_generator(graph, audio.name))
    except UnknownStructure:
        hop_length = build.node("Div", _length(build, audio.name), _length(build, "z"))
        samples = _without_ends(build, audio.name, build.node("Mul", TRIM, hop_length))
    end = helper.make_node("Identity", [samples], [audio.name])
    inputs = {value.name: Cut.of(value) for value in graph.inputs.values()}
    inputs[TRIM] = Cut(TRIM, INT64, (2,))
    rewritten = convolutions_as_2d(graph.cut_out([audio], inputs, after=[*build.nodes, end], constants=build.weights))
    rewritten.graph.value_info.extend(build.shapes)
    return rewritten


def decoder_in_halves(model: ModelProto) -> tuple[ModelProto, ModelProto]:
    """Decoder in two graphs, cut behind the last of the wide stages, whose convolutions are written plainly.

    Args:
        model: as for ``decoder_for_cpu``.

    Returns:
        From ``z``, ``speaker_id`` and ``trim`` to ``HALFWAY`` [B, C, 1, L]; from that and ``trim`` to ``audio``. The
        first one has most of the multiplications, the second the channels of which a rounding is heard.

    Raises:
        UnknownStructure: no generator of HiFi-GAN as they are usually exported, or one without wide stages.
    """
    graph = Graph(model)
    (audio,) = model.graph.output
    generator = read_generator(graph, audio.name)
    count = sum(stage.up.weight.shape[1] >= WIDE for stage in generator.stages)
    if not 0 < count < len(generator.stages):
        raise UnknownStructure(f"{count} of {len(generator.stages)} stages are wide")
    wide, narrow = Builder("wide"), Builder("narrow")
    early, _ = _unwanted(wide, generator)
    x, scale = _stages(wide, generator.stages[:count], 1, _from_trunk(wide, generator), 1.0, early, _never)
    middle = Cut(HALFWAY, FLOAT, ("batch", generator.stages[count - 1].up.weight.shape[1], 1, "columns"))
    end = helper.make_node("Identity", [x], [HALFWAY])
    inputs = {value.name: Cut.of(value) for value in graph.inputs.values()} | {TRIM: Cut(TRIM, INT64, (2,))}
    first = graph.cut_out([middle.value_info()], inputs, after=[*wide.nodes, end], constants=wide.weights)
    _, late = _unwanted(narrow, generator)
    rate = math.prod(stage.up.rate for stage in generator.stages[:count])
    y, scale = _stages(narrow, generator.stages[count:], rate, HALFWAY, scale, "", _has_phases)
    last = helper.make_node("Identity", [_samples(narrow, generator, y, scale, late)], [audio.name])
    given = {HALFWAY: middle, TRIM: inputs[TRIM]}
    second = graph.cut_out([audio], given, after=[*narrow.nodes, last], constants=narrow.weights)
    return convolutions_as_2d(first), second


def _generate(build: Builder, generator: Generator) -> str:
    """Nodes from the trunk to samples [B, S]."""
    early, late = _unwanted(build, generator)
    x, scale = _stages(build, generator.stages, 1, _from_trunk(build, generator), 1.0, early, _has_phases)
    return _samples(build, generator, x, scale, late)


def _from_trunk(build: Builder, generator: Generator) -> str:
    return build.node("Unsqueeze", generator.trunk, build.integers(2))  # [B, C, 1, F]


def _stages(
    build: Builder, stages: Sequence[Stage], rate: int, x: str, scale: float, early: str, phased: Phased
) -> tuple[str, float]:
    """Stages one after another: their output, and the scale that is still missing in it.

    Args:
        rate: columns of ``x`` for a frame.
        early: what the first stage's output loses at its ends, in frames; "" for stages that follow it.
    """
    for stage in stages:
        rate *= stage.up.rate
        x = _upsampled(build, x, stage.up, scale)  # [B, C / 2, 1, F * rate]
        x = _sum(build, x, stage, rate, phased)
        scale = stage.scale
        if early:
            x, early = _without_ends(build, x, build.node("Mul", early, build.integers(rate))), ""
    return x, scale


def _samples(build: Builder, generator: Generator, x: str, scale: float, late: str) -> str:
    """Samples [B, S] of the last stage's output, without what all stages have seen for their neighbours' sake."""
    last, rate = generator.last, math.prod(stage.up.rate for stage in generator.stages)
    x = build.node("LeakyRelu", x, alpha=last.slope)
    x = build.convolution(x, last.weight[:, :, None] * scale, last.bias, pads=(0, last.reach, 0, last.reach))
    samples = build.reshape(build.node("Tanh", x), 0, -1)
    return _without_ends(build, samples, build.node("Mul", late, build.integers(rate)))


def _unwanted(build: Builder, generator: Generator) -> tuple[str, str]:
    """Unwanted frames that only the first stage sees, and those that all see; both [2]."""
    beyond = build.node("Sub", TRIM, build.integers(generator.reach_behind_first_stage))
    early = build.node("Max", beyond, build.integers(0))
    return early, build.node("Sub", TRIM, early)


def _has_phases(block: Block, rate: int) -> bool:
    convolutions = [convolution for pair in block for convolution in pair]
    channels, _, kernel = convolutions[0].weight.shape
    pays = any(channels in some and kernel >= shortest for some, shortest in SHORTEST.items())
    return pays and rate % PHASES == 0 and all(convolution.dilation % 2 for convolution in convolutions)


def _never(_block: Block, _rate: int) -> bool:
    return False


def _upsampled(build: Builder, x: str, up: Upsampling, scale: float) -> str:
    """Up-sampling, [B, C, 1, L] -> [B, O, 1, L * rate].

    Sample n is in row (n + padding) % rate of a convolution's output, in column (n + padding) // rate.
    """
    inputs, outputs, kernel = up.weight.shape
    width = -(-kernel // up.rate)
    taps = np.zeros((inputs, outputs, width * up.rate))
    taps[..., :kernel] = up.weight * scale
    rows = taps.reshape(inputs, outputs, width, up.rate).transpose(1, 0, 3, 2)[:, :, ::-1, ::-1]  # (O, C, rate, width)
    x = build.node("LeakyRelu", x, alpha=up.slope)
    pads = (up.rate - 1, width - 1, up.rate - 1, width - 1)
    x = build.convolution(x, rows, up.bias, pads=pads)  # [B, O, rate, L + width - 1]
    x = build.reshape(build.node("Transpose", x, perm=[0, 1, 3, 2]), 0, outputs, 1, -1)
    beyond = up.rate * (width - 1)
    return _without_ends(build, x, build.integers(up.padding, beyond - up.padding)) if beyond else x


def _sum(build: Builder, x: str, stage: Stage, rate: int, phased: Phased) -> str:
    """Sum of the blocks' outputs: [B, C, 1, L] -> [B, C, 1, L], L a multiple of ``rate``."""
    channels = stage.up.weight.shape[1]
    in_phases = [block for block in stage.blocks if phased(block, rate)]
    in_rows = [block for block in stage.blocks if not phased(block, rate)]
    sums = []
    if in_rows:
        sums.append(_sum_alike(build, x, channels, 1, in_rows, _convolved))
    if in_phases:
        y = build.node("Transpose", build.reshape(x, 0, channels, -1, PHASES), perm=[0, 1, 3, 2])  # [B, C, 4, L / 4]
        y = _sum_alike(build, y, channels, PHASES, in_phases, _convolved_in_phases)
        sums.append(build.reshape(build.node("Transpose", y, perm=[0, 1, 3, 2]), 0, channels, 1, -1))
    return reduce(partial(build.node, "Add"), sums)


def _sum_alike(build: Builder, x: str, channels: int, height: int, blocks: Sequence[Block], convolved: Convolve) -> str:
    """Sum of the outputs of blocks with equal convolutions, in the shape of ``x``, [B, C, height, W].

    ONNX Runtime adds to a convolution's output in the convolution itself, if it knows that both are of one shape.
    """
    shape = ("batch", channels, height, f"{x}_columns")
    x = build.of_shape(_blocked(build, x, channels), *shape)
    activations: dict[tuple[str, float], str] = {}

    def activated(x: str, slope: float) -> str:
        if (x, slope) not in activations:
            activations[x, slope] = build.node("LeakyRelu", _blocked(build, x, channels), alpha=slope)
        return activations[x, slope]

    ends = []
    for block in blocks:
        end = x
        for dilated, plain in block:
            between = convolved(build, activated(end, dilated.slope), dilated)
            between = build.node("LeakyRelu", between, alpha=plain.slope)
            added = build.of_shape(convolved(build, between, plain), *shape)
            end = build.of_shape(build.node("Add", end, added), *shape)
        ends.append(end)
    return reduce(partial(build.node, "Add"), ends)


def _blocked(build: Builder, x: str, channels: int) -> str:
    """Identity by a convolution with 1: it brings the tensor into ONNX Runtime's blocked layout, for operators that are
    fused with it.

    An addition or a leaky ReLU alone is computed in the plain layout, and values go back and forth between both.
    """
    return build.convolution(x, np.ones((channels, 1, 1, 1)), group=channels) if channels % _BLOCK == 0 else x


def _convolved(build: Builder, x: str, convolution: Convolution) -> str:
    pads = (0, convolution.reach, 0, convolution.reach)
    return build.convolution(
        x, convolution.weight[:, :, None], convolution.bias, pads, dilations=(1, convolution.dilation)
    )


def _convolved_in_phases(build: Builder, x: str, convolution: Convolution) -> str:
    return convolve_phases(build, x, convolution.weight, convolution.bias, convolution.dilation)


def _without_ends(build: Builder, x: str, ends: str) -> str:
    """Tensor without the given numbers of elements at the ends of its last axis; ``ends`` is [2]."""
    start, from_end = (build.node("Slice", ends, *map(build.integers, (n, n + 1, 0))) for n in (0, 1))
    stop = build.node("Sub", _length(build, x), from_end)
    return build.node("Slice", x, start, stop, build.integers(-1))


def _length(build: Builder, x: str) -> str:
    """Size of the last axis, [1]."""
    return build.node("Shape", x, start=-1)
