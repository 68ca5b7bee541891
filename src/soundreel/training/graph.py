"""A whole training step as one CUDA graph: launched at once instead of kernel by kernel.

At batch 1 a step is hundreds of small kernels, and launching them takes longer than running them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from soundreel.errors import SettingsError

#: Steps taken as usual before the capture: cuDNN chooses its algorithms and Adam makes its
#: moments in them, neither of which may happen inside a graph.
_WARM_UP = 11


class GraphedStep:
    """Calls a step; after some calls, captures it and replays the capture from then on.

    The step must read and write the same tensors each time, and everything that changes from
    step to step must be in tensors (rates, the average's share). Inputs are copied into
    the captured ones, so all batches must be of one shape.
    """

    def __init__(
        self, step: Callable[[Tensor, Tensor, list[Tensor]], Tensor], device: torch.device
    ) -> None:
        """Raises: SettingsError if the device is not a CUDA device."""
        if device.type != "cuda":
            raise SettingsError(
                f"step_engine = 'graph' needs a CUDA device, this is {device.type}: set it to "
                "'eager'"
            )
        self._step = step
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: list[Tensor] = []
        self._losses: Tensor | None = None
        self._side = torch.cuda.Stream(device)

    def __call__(self, x_BCHW: Tensor, truth_BCHW: Tensor, masks: list[Tensor]) -> Tensor:
        self._calls += 1
        if self._calls <= _WARM_UP:
            # As torch's notes on graphs ask: on another stream than the default one.
            self._side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._side):
                losses = self._step(x_BCHW, truth_BCHW, masks)
            torch.cuda.current_stream().wait_stream(self._side)
            return losses
        if self._graph is None:
            self._inputs = [tensor.clone() for tensor in (x_BCHW, truth_BCHW, *masks)]
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._losses = self._step(self._inputs[0], self._inputs[1], self._inputs[2:])
        else:
            for captured, given in zip(self._inputs, (x_BCHW, truth_BCHW, *masks), strict=True):
                captured.copy_(given)
        # A capture records without running: the captured step itself is replayed too.
        self._graph.replay()
        assert self._losses is not None
        return self._losses.clone()
