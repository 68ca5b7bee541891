"""A reel as an OpenVINO graph, in float or with 8-bit integers inside."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from soundreel.networks.reel import LOOK_NUMBERS, Reel
from soundreel.networks.reel_parts import SLOPE, DrawingBlock
from soundreel.rendering.engines.graph_parts import GraphParts, array
from soundreel.rendering.engines.int8 import Levels

_BASE_SHARE = 0.5  # the reel's own
_HALF_POWER = math.sqrt(0.5)  # a drawing block's own


def reel_graph(
    openvino: ModuleType, reel: Reel, batch: int, levels: Mapping[str, Levels] | None = None
) -> Any:
    """An OpenVINO model: `batch` x 1 x S x S and `batch` x K float32 in, two outputs.

    The first is what the reel returns for these sound images and cues, the second the same as
    bytes, `batch` x rows x columns x 3, as `to_frames` makes them.

    levels: of what enters the convolutions of blocks (see `calibration.levels_of`): those compute
      with 8-bit integers. The ways around stay in float, since they carry the picture itself, and
      so do what hears and what makes the colours.
    """
    parts = GraphParts(openvino, levels or {})
    op = parts.op
    x = op.parameter([batch, 1, reel.sound_size, reel.sound_size], np.float32)
    cue = op.parameter([batch, reel.cue_numbers], np.float32)
    looks_and_codes = parts.ints(LOOK_NUMBERS, reel.code_numbers)
    look, code = op.variadic_split(cue, op.constant(1), looks_and_codes).outputs()
    tone = []
    if reel.tone_numbers:
        lengths = parts.ints(math.prod(reel.code_shape), reel.tone_numbers)
        code, *tone = op.variadic_split(code, op.constant(1), lengths).outputs()
    code = op.reshape(code, parts.ints(batch, *reel.code_shape), False)
    layout = op.reduce_mean(code, parts.ints(2, 3), False)
    style = op.concat([_sound_code(parts, reel, x, batch), look, layout, *tone], 1)
    for linear in (reel.style[0], reel.style[2]):
        style = parts.leaky(_linear(parts, linear, style), SLOPE)
    based = _linear(parts, reel.base_style, style)
    based = op.reshape(based, parts.ints(batch, *reel.base_shape), False)
    y = op.add(op.multiply(based, parts.floats(_BASE_SHARE)), parts.floats(array(reel.base)))
    modulations = iter(_modulations(parts, reel, style, batch))
    for place, block in enumerate(reel.blocks):
        assert isinstance(block, DrawingBlock)
        if place == reel.code_place + 1:
            y = op.add(y, _convolution(parts, "code", reel.code_in, code))
        y = _block(parts, f"block{place}", block, y, next(modulations), next(modulations))
    colours = _convolution(parts, "colours", reel.colours, parts.leaky(y, SLOPE))
    return parts.picture_model(op.tanh(colours), [x, cue])


def _sound_code(parts: GraphParts, reel: Reel, x: Any, batch: int) -> Any:
    """What `Reel.sound_codes` computes."""
    op, front = parts.op, reel.front
    size, used = reel.sound_size, front.joined * front.columns
    x = op.slice(x, parts.ints(size - used), parts.ints(size), parts.ints(1), parts.ints(3))
    x = op.reshape(x, parts.ints(batch, size, front.columns, front.joined), False)
    x = op.reduce_mean(x, parts.ints(3), False)
    x = op.matmul(parts.floats(array(front.bands_KS)), x, False, False)
    x = op.reshape(x, parts.ints(batch, 1, front.bands, front.columns), False)
    for number, conv in enumerate(reel.hear.convs):
        x = parts.leaky(_convolution(parts, f"hear{number}", conv, x), SLOPE)
    code = reel.hear.code
    return _linear(parts, code, op.reshape(x, parts.ints(batch, code.in_features), False))


def _modulations(parts: GraphParts, reel: Reel, style: Any, batch: int) -> list[tuple[Any, Any]]:
    """Scale and shift of every convolution, two for each block, as B x C x 1 x 1.

    Of all blocks in one product: many small ones would take longer. The half power of a block's
    sum is in those of its second convolution, since a leaky ReLU of so much less is so much less.
    """
    op = parts.op
    scales, shifts, times = [], [], []
    for block in reel.blocks:
        assert isinstance(block, DrawingBlock)
        for linear, power in ((block.style1, 1.0), (block.style2, _HALF_POWER)):
            weight = np.column_stack([array(linear.weight), array(linear.bias)])
            channels = len(weight) // 2
            scales.append(weight[:channels])
            shifts.append(power * weight[channels:])
            times.append(np.full(channels, power, np.float32))
    scale, shift = np.concatenate(scales), np.concatenate(shifts)
    scale = op.add(op.tanh(parts.linear(style, scale[:, :-1], scale[:, -1])), parts.floats(1))
    scale = op.multiply(scale, parts.floats(np.concatenate(times)[None]))
    shift = parts.linear(style, shift[:, :-1], shift[:, -1])
    lengths = parts.ints(*map(len, times))
    return [
        tuple(op.reshape(each, parts.ints(batch, -1, 1, 1), False) for each in pair)
        for pair in zip(
            op.variadic_split(scale, op.constant(1), lengths).outputs(),
            op.variadic_split(shift, op.constant(1), lengths).outputs(),
            strict=True,
        )
    ]


def _block(
    parts: GraphParts,
    name: str,
    block: DrawingBlock,
    x: Any,
    first: tuple[Any, Any],
    second: tuple[Any, Any],
) -> Any:
    """What a `DrawingBlock` computes."""
    op = parts.op
    if tuple(x.get_output_shape(0))[2:] != block.size:
        # "linear" is the same as "linear_onnx" for two axes, and here a little faster.
        x = op.interpolate(
            x,
            parts.ints(*block.size),
            "linear",
            "sizes",
            coordinate_transformation_mode="half_pixel",
            axes=parts.ints(2, 3),
        )
    y = _modulated(parts, _convolution(parts, f"{name}.conv1", block.conv1, x), first)
    y = _modulated(parts, _convolution(parts, f"{name}.conv2", block.conv2, y), second)
    if block.around is None:
        return op.add(op.multiply(x, parts.floats(_HALF_POWER)), y)
    kernel = _HALF_POWER * array(block.around.weight)
    return op.add(parts.convolution(f"{name}.around", x, kernel, padding=(0, 0)), y)


def _modulated(parts: GraphParts, x: Any, modulation: tuple[Any, Any]) -> Any:
    scale, shift = modulation
    return parts.leaky(parts.op.add(parts.op.multiply(x, scale), shift), SLOPE)


def _convolution(parts: GraphParts, name: str, conv: Any, x: Any) -> Any:
    x = parts.rounded(name, x)
    y = parts.convolution(name, x, array(conv.weight), conv.stride, conv.padding)
    return parts.plus(y, array(conv.bias))


def _linear(parts: GraphParts, linear: Any, x: Any) -> Any:
    return parts.linear(x, array(linear.weight), array(linear.bias))
