"""A folded U-Net as an OpenVINO graph, in float or with 8-bit integers inside."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from soundreel.networks.unet import UNet
from soundreel.rendering.engines.graph_parts import GraphParts, array
from soundreel.rendering.engines.int8 import Levels

_SLOPE = 0.2  # the network's leaky ReLU


def picture_graph(
    openvino: ModuleType, folded: UNet, batch: int, levels: Mapping[str, Levels] | None = None
) -> Any:
    """An OpenVINO model: `batch` x C x size x size float32 in, two outputs.

    The first is what the generator returns, the second the same as bytes, `batch` x size x size
    x 3, as `to_frames` makes them.

    levels: of what enters each convolution (see `calibration.levels_of`): those convolutions
      compute with 8-bit integers, all but the first and the last. Those two make a hundredth of
      the work, but one sees the song and the other makes the picture: an error there shows.
    """
    last = f"up{len(folded.ups) - 1}"
    inside = {name: each for name, each in (levels or {}).items() if name not in ("down0", last)}
    parts = GraphParts(openvino, inside)
    op = parts.op
    x = op.parameter([batch, folded.in_channels, folded.size, folded.size], np.float32)
    here, skips = x, []
    for level, conv in enumerate(folded.downs):
        name = f"down{level}"
        kernel, bias = array(conv.weight), array(conv.bias)
        here = parts.convolution(name, parts.rounded(name, here), kernel, (2, 2))
        # What is kept for the way up is the leaky ReLU's result: a ReLU of it is the same as
        # one of what went in, and the convolution then has a single result to write.
        here = parts.leaky(parts.plus(here, bias), _SLOPE)
        skips.append(here)
    y = op.relu(skips.pop())
    for block, conv in enumerate(folded.ups):
        skip = skips.pop() if block else None
        y = _up(parts, f"up{block}", y, skip, conv, last=f"up{block}" == last)
    return parts.picture_model(op.tanh(y), [x])


def _up(parts: GraphParts, name: str, y: Any, skip: Any, conv: Any, last: bool) -> Any:
    """ReLU of both, joined, through a transposed convolution; then ReLU, but for the last."""
    op = parts.op
    kernel = as_convolution(array(conv.weight))
    if skip is None:
        y = parts.convolution(name, parts.rounded(name, y), kernel)
    elif last:
        # Few channels come out, so two small sums cost less than to join what goes in.
        own = y.get_output_shape(0)[1]
        y = op.add(
            parts.convolution(name, y, kernel[:, :own]),
            parts.convolution(name, op.relu(skip), kernel[:, own:]),
        )
    else:
        # Where numbers are rounded to levels that begin at zero, that is a ReLU already.
        skip = skip if name in parts.levels else op.relu(skip)
        y = parts.convolution(name, parts.rounded(name, op.concat([y, skip], 1)), kernel)
    y = parts.plus(y, np.tile(array(conv.bias), 4))
    y = y if last else op.relu(y)
    y = op.depth_to_space(y, "blocks_first", 2)
    size = y.get_output_shape(0)[2]
    return op.slice(
        y, parts.ints(1, 1), parts.ints(size - 1, size - 1), parts.ints(1, 1), parts.ints(2, 3)
    )


def as_convolution(kernel_IOhw: np.ndarray) -> np.ndarray:
    """A 4 x 4 transposed convolution of stride 2, padding 1, as a 2 x 2 convolution, padding 1.

    Each output of the transposed one depends on 2 x 2 inputs. The window over inputs j - 1 and j
    decides outputs 2j - 1 and 2j: as two of four times as many channels, which depth-to-space
    then lays side by side, with one row and column too many at each edge. The same products and
    sums; a convolution is what libraries compute well (three times as fast in bf16 here,
    where OpenVINO falls back to float32 for the transposed one).

    Shape: I x O x 4 x 4 -> 4 O x I x 2 x 2, channels in the order of "blocks first".
    """
    inputs, outputs = kernel_IOhw.shape[:2]
    kernel = np.empty((2, 2, outputs, inputs, 2, 2), np.float32)
    # Output 2j - 1 + phase gets input j - 1 + tap by kernel place output + 1 - 2 * input.
    place = [[phase + 2 - 2 * tap for tap in (0, 1)] for phase in (0, 1)]
    for row_phase in (0, 1):
        for column_phase in (0, 1):
            taps = kernel_IOhw[:, :, place[row_phase]][:, :, :, place[column_phase]]
            kernel[row_phase, column_phase] = taps.transpose(1, 0, 2, 3)
    return kernel.reshape(4 * outputs, inputs, 2, 2)
