"""What graphs of networks are put together from: OpenVINO's operations on a network's numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from torch import Tensor

from soundreel.rendering.engines.int8 import Levels, quantised_weight


class GraphParts:
    """Operations by the names of layers, so that those with levels compute in 8-bit integers.

    levels: of what enters layers, by their names; layers without compute in float.
    """

    def __init__(self, openvino: ModuleType, levels: Mapping[str, Levels]) -> None:
        self.op: Any = openvino.opset13
        self.levels = levels
        self._model = openvino.Model

    def picture_model(self, picture: Any, inputs: Sequence[Any]) -> Any:
        """A model that returns pictures and the same as bytes, laid out as frames."""
        op = self.op
        results = [op.result(picture), op.result(self._bytes(picture))]
        return self._model(results, list(inputs), "pictures")

    def convolution(
        self,
        name: str,
        x: Any,
        kernel: np.ndarray,
        stride: Sequence[int] = (1, 1),
        padding: Sequence[int] = (1, 1),
    ) -> Any:
        """A convolution without its bias, of what `rounded` returned for it."""
        op = self.op
        if name in self.levels:
            small, scale = quantised_weight(kernel)
            weight = op.multiply(op.convert(op.constant(small), "f32"), self.floats(scale))
        else:
            weight = self.floats(kernel)
        return op.convolution(x, weight, stride, padding, padding, [1, 1])

    def rounded(self, name: str, x: Any) -> Any:
        """What enters a layer, rounded to its levels if it has some."""
        if name not in self.levels:
            return x
        low, high = self.floats(self.levels[name].low), self.floats(self.levels[name].high)
        return self.op.fake_quantize(x, low, high, low, high, 256)

    def plus(self, x: Any, bias: np.ndarray) -> Any:
        """A number more for each channel."""
        return self.op.add(x, self.floats(bias.reshape(1, -1, 1, 1)))

    def linear(self, x_BI: Any, weight_OI: np.ndarray, bias_O: np.ndarray) -> Any:
        """A linear layer."""
        y_BO = self.op.matmul(x_BI, self.floats(weight_OI), False, True)
        return self.op.add(y_BO, self.floats(bias_O[None]))

    def leaky(self, x: Any, slope: float) -> Any:
        """A leaky ReLU."""
        return self.op.prelu(x, self.floats([slope]))

    def floats(self, values: Any) -> Any:
        """A constant of float32."""
        return self.op.constant(np.ascontiguousarray(values, np.float32))

    def ints(self, *values: int) -> Any:
        """A constant of int64: axes, shapes and places."""
        return self.op.constant(np.array(values, np.int64))

    def _bytes(self, y: Any) -> Any:
        op = self.op
        y = op.transpose(y, self.ints(0, 2, 3, 1))
        y = op.multiply(op.add(y, self.floats(1)), self.floats(127.5))
        return op.convert(op.clamp(op.round(y, "half_to_even"), 0, 255), "u8")


def array(values: Any) -> np.ndarray:
    """A network's numbers as a float32 array."""
    assert isinstance(values, Tensor)
    return values.detach().float().contiguous().numpy()
