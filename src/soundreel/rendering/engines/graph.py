"""A folded generator as an OpenVINO graph, in float or with 8-bit integers inside."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from torch import Tensor

from soundreel.networks.unet import UNet
from soundreel.rendering.engines.int8 import Levels, quantised_weight

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
    return _Builder(openvino, folded, levels or {}).model(batch)


class _Builder:
    def __init__(self, openvino: ModuleType, folded: UNet, levels: Mapping[str, Levels]) -> None:
        self._openvino = openvino
        self._op: Any = openvino.opset13
        self._net = folded
        last = f"up{len(folded.ups) - 1}"
        self._levels = {name: each for name, each in levels.items() if name not in ("down0", last)}

    def model(self, batch: int) -> Any:
        op, net = self._op, self._net
        x = op.parameter([batch, net.in_channels, net.size, net.size], np.float32)
        here, skips = x, []
        for level, conv in enumerate(net.downs):
            name = f"down{level}"
            kernel, bias = _array(conv.weight), _array(conv.bias)
            here = self._convolution(name, self._rounded(name, here), kernel, 2)
            # What is kept for the way up is the leaky ReLU's result: a ReLU of it is the same as
            # one of what went in, and the convolution then has a single result to write.
            here = op.prelu(self._plus(here, bias), self._floats([_SLOPE]))
            skips.append(here)
        y = op.relu(skips.pop())
        for block, conv in enumerate(net.ups):
            last = block == len(net.ups) - 1
            y = self._up(f"up{block}", y, skips.pop() if block else None, conv)
            y = op.tanh(y) if last else y
        return self._openvino.Model([op.result(y), op.result(self._bytes(y))], [x], "pictures")

    def _up(self, name: str, y: Any, skip: Any, conv: Any) -> Any:
        """ReLU of both, joined, through a transposed convolution; then ReLU, but for the last."""
        op = self._op
        kernel = as_convolution(_array(conv.weight))
        last = name == f"up{len(self._net.ups) - 1}"
        if skip is None:
            y = self._convolution(name, self._rounded(name, y), kernel, 1)
        elif last:
            # Few channels come out, so two small sums cost less than to join what goes in.
            own = y.get_output_shape(0)[1]
            y = op.add(
                self._convolution(name, y, kernel[:, :own], 1),
                self._convolution(name, op.relu(skip), kernel[:, own:], 1),
            )
        else:
            # Where numbers are rounded to levels that begin at zero, that is a ReLU already.
            skip = skip if name in self._levels else op.relu(skip)
            y = self._convolution(name, self._rounded(name, op.concat([y, skip], 1)), kernel, 1)
        y = self._plus(y, np.tile(_array(conv.bias), 4))
        y = y if last else op.relu(y)
        y = op.depth_to_space(y, "blocks_first", 2)
        size = y.get_output_shape(0)[2]
        return op.slice(
            y, self._ints(1, 1), self._ints(size - 1, size - 1), self._ints(1, 1), self._ints(2, 3)
        )

    def _convolution(self, name: str, x: Any, kernel: np.ndarray, stride: int) -> Any:
        op = self._op
        if name in self._levels:
            small, scale = quantised_weight(kernel)
            weight = op.multiply(op.convert(op.constant(small), "f32"), self._floats(scale))
        else:
            weight = self._floats(kernel)
        return op.convolution(x, weight, [stride] * 2, [1, 1], [1, 1], [1, 1])

    def _rounded(self, name: str, x: Any) -> Any:
        if name not in self._levels:
            return x
        low = self._floats(self._levels[name].low)
        high = self._floats(self._levels[name].high)
        return self._op.fake_quantize(x, low, high, low, high, 256)

    def _bytes(self, y: Any) -> Any:
        op = self._op
        y = op.transpose(y, self._ints(0, 2, 3, 1))
        y = op.multiply(op.add(y, self._floats(1)), self._floats(127.5))
        return op.convert(op.clamp(op.round(y, "half_to_even"), 0, 255), "u8")

    def _plus(self, x: Any, bias: np.ndarray) -> Any:
        return self._op.add(x, self._floats(bias.reshape(1, -1, 1, 1)))

    def _floats(self, values: Any) -> Any:
        return self._op.constant(np.ascontiguousarray(values, np.float32))

    def _ints(self, *values: int) -> Any:
        return self._op.constant(np.array(values, np.int64))


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


def _array(values: Any) -> np.ndarray:
    assert isinstance(values, Tensor)
    return values.detach().float().contiguous().numpy()
