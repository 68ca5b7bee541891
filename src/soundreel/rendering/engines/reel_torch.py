"""A reel in torch: what it hears in float32, what it draws in the numbers of an engine."""

from __future__ import annotations

import torch
from torch import Tensor

from soundreel.networks.reel import Reel


def draw_with(reel: Reel, dtype: torch.dtype) -> None:
    """Hold the weights of the drawing part in `dtype`; what hears stays in float32.

    Hearing is a tenth of the work or less, and which remembered sound is the nearest must not
    depend on the engine: another one is another picture.
    """
    for part in (reel.style, reel.base_style, reel.code_in, reel.blocks, reel.colours):
        part.to(dtype)
    reel.base.data = reel.base.data.to(dtype)


def heard(reel: Reel, x_B1SS: Tensor, cue_BK: Tensor | None) -> tuple[Tensor, Tensor]:
    """Sound codes B x A and a cue for each, B x K: those given, or the nearest remembered."""
    device = reel.look_NL.device
    sound_BA = reel.sound_codes(x_B1SS.to(device, torch.float32))
    if cue_BK is None:
        return sound_BA, reel.cues_by_sound(sound_BA)
    return sound_BA, cue_BK.to(device, torch.float32)


def drawn(reel: Reel, sound_BA: Tensor, cue_BK: Tensor) -> Tensor:
    """`Reel.draw` in the numbers of its drawing part: B x 3 x rows x columns of those."""
    dtype = reel.base.dtype
    return reel.draw(sound_BA.to(dtype), cue_BK.to(dtype))
