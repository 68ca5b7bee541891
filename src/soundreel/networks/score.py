"""`score`: the generator that hears pictures; it makes the sound image of what it has seen.

A film's composer watches it: what moves becomes rhythm. So the network sees not one frame but
those of the whole window, and what it draws has their time for its own: a column of the sound
image is drawn from the frames around its moment.

Shape suffixes: B batch, F frames of a window, C channels, H and W rows and columns of a frame, D
numbers that are seen in a frame, R and T rows and columns of a sound image on the way, S its
sides at the end, N voices, V numbers of a voice.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundreel.networks.harmony import harmony_map
from soundreel.networks.reel_parts import SLOPE, DrawingBlock, draw_weights, halved_sizes

_SEEN, _VOICE, _STYLE = 96, 32, 192
_EYE_WIDTHS = (24, 48, 96, 96)
_ROWS = 4
#: Of maps with so many rows and more the partials of a sound stand in rows of their own.
_HARMONY_ROWS = 32
#: Frames to either side that a convolution over time sees, and how many there are in a row.
_REACH, _CONVS = 2, 3
#: Channels over `width`, from the sound image back to where it begins.
_TIMES_WIDTH = (1, 1, 2, 3, 4, 6, 8)


class Score(nn.Module):
    """Frames of a window, a voice and a harmony in, the window's sound image out.

    sound_size: S, rows and columns of the sound image, a multiple of 16.
    frames: F, how many frames of a window are seen.
    step: text of a fraction ("1/15"), the seconds from one to the next.
    side: rows and columns of a frame inside the network.
    width: channels of the last layers; eight times as many are at the first.
    clips: N - 1, training clips, each with a voice; the last voice is the average's.
    harmonies: Q, how many stretches of the training clips' harmony it remembers.

    Voice and harmony are what cannot be seen: a clip's instruments and its mix; its notes (see
    `harmony`). Nothing is normalised, so a sound image depends on nothing else in its batch.

    harmony_QS, harmony_clip_Q: remembered patterns (as bytes, in time), and of which clip.
    looks: P, how many windows it remembers the look of. seen_PD: what was seen in them;
    seen_clip_P: of which clip they are; seen_scale_D: how much what is seen differs.

    Raises: ValueError for a sound_size that is no multiple of 16.
    """

    harmony_QS: Tensor
    harmony_clip_Q: Tensor
    seen_PD: Tensor
    seen_clip_P: Tensor
    seen_scale_D: Tensor

    def __init__(
        self,
        sound_size: int,
        frames: int,
        step: str,
        side: int,
        width: int,
        clips: int,
        harmonies: int,
        looks: int,
    ) -> None:
        super().__init__()
        if sound_size % 16:
            raise ValueError(f"sound_size {sound_size} is no multiple of 16")
        self.sound_size, self.frames, self.step, self.side = sound_size, frames, step, side
        eye = halved_sizes(side, side)
        widths = [6, *_EYE_WIDTHS[: len(eye) - 1]]
        widths += [_EYE_WIDTHS[-1]] * (len(eye) - len(widths))
        self.eye = nn.ModuleList(
            nn.Conv2d(here, there, 3, 2, 1) for here, there in itertools.pairwise(widths)
        )
        self.seen = nn.Linear(widths[-1] * eye[0][0] * eye[0][1], _SEEN)
        self.over_time = nn.ModuleList(
            nn.Conv1d(_SEEN, _SEEN, 2 * _REACH + 1, padding=_REACH) for _ in range(_CONVS)
        )
        self.voice_NV = nn.Parameter(0.1 * torch.randn(clips + 1, _VOICE))
        self.style = nn.Sequential(
            nn.Linear(_SEEN + _VOICE, _STYLE),
            nn.LeakyReLU(SLOPE),
            nn.Linear(_STYLE, _STYLE),
            nn.LeakyReLU(SLOPE),
        )
        sizes = sound_sizes(sound_size)
        times = [_TIMES_WIDTH[min(back, len(_TIMES_WIDTH) - 1)] for back in range(len(sizes))]
        channels = [width * many for many in reversed(times)]
        self.first = nn.Conv1d(_SEEN, channels[0] * _ROWS, 1)
        self.place_CR1 = nn.Parameter(torch.randn(channels[0], _ROWS, 1))
        self.sizes, self.times = sizes, sizes[0][1]
        self.blocks = nn.ModuleList(
            DrawingBlock(here + (size[0] >= _HARMONY_ROWS), there, _STYLE, size)
            for here, there, size in zip(
                [channels[0], *channels[:-1]], channels, sizes, strict=True
            )
        )
        self.last = nn.Conv2d(channels[-1], 1, 3, 1, 1)
        self.register_buffer("harmony_QS", torch.zeros(harmonies, sound_size, dtype=torch.uint8))
        self.register_buffer("harmony_clip_Q", torch.zeros(harmonies, dtype=torch.long))
        self.register_buffer("seen_PD", torch.zeros(looks, _SEEN))
        self.register_buffer("seen_clip_P", torch.zeros(looks, dtype=torch.long))
        self.register_buffer("seen_scale_D", torch.ones(_SEEN))
        draw_weights(self)
        self.last.weight.data.mul_(0.1)

    @property
    def average_voice(self) -> int:
        """The place of the average voice."""
        return len(self.voice_NV) - 1

    def see(self, y_BF3HW: Tensor) -> Tensor:
        """What is seen in frames and in how each differs from the one before: B x D x F."""
        y_BF3HW = F.adaptive_avg_pool2d(y_BF3HW.flatten(0, 1), self.side).unflatten(
            0, y_BF3HW.shape[:2]
        )
        change_BF3HW = y_BF3HW.diff(dim=1, prepend=y_BF3HW[:, :1])
        x_BCHW = torch.cat([y_BF3HW, change_BF3HW], 2).flatten(0, 1)
        x_BCHW = x_BCHW.contiguous(memory_format=torch.channels_last)
        for conv in self.eye:
            x_BCHW = F.leaky_relu(conv(x_BCHW), SLOPE)
        seen_BD = self.seen(x_BCHW.flatten(1))
        return seen_BD.unflatten(0, y_BF3HW.shape[:2]).transpose(1, 2)

    def forward(self, y_BF3HW: Tensor, voice_BV: Tensor, harmony_BSG: Tensor) -> Tensor:
        """Sound images of frames (the oldest first), voices and harmonies (see `image_harmony`).

        Shape: B x F x 3 x H x W, B x V, B x S x G -> B x 1 x S x S.
        """
        x_BDF = self.see(y_BF3HW)
        for conv in self.over_time:
            x_BDF = x_BDF + F.leaky_relu(conv(x_BDF), SLOPE)
        style_BY = self.style(torch.cat([x_BDF.mean(2), voice_BV.to(x_BDF.dtype)], 1))
        x_BCT = F.interpolate(self.first(x_BDF), self.times, mode="linear", align_corners=True)
        x_BCRT = x_BCT.unflatten(1, (-1, _ROWS)) + self.place_CR1
        for block, size in zip(self.blocks, self.sizes, strict=True):
            if size[0] >= _HARMONY_ROWS:
                told_B1RT = harmony_map(harmony_BSG, *size).to(x_BCRT.dtype)
                grown_BCRT = F.interpolate(x_BCRT, size, mode="bilinear", align_corners=False)
                x_BCRT = torch.cat([grown_BCRT, told_B1RT], 1)
            x_BCRT = block(x_BCRT, style_BY)
        made_B1RT = self.last(x_BCRT)
        square = (self.sound_size, self.sound_size)
        return F.interpolate(made_B1RT, square, mode="bilinear", align_corners=False)


def sound_sizes(sound_size: int) -> list[tuple[int, int]]:
    """Rows and columns on the way: from 4 rows up to S, from S / 8 columns up to S / 2.

    There are more columns than rows at first, as what is seen comes in an order in time, and fewer
    at the end: segments of a sound overlap, so neighbouring columns are nearly alike.
    """
    sizes, rows = [], sound_size
    while rows >= _ROWS:
        share = 2 if 2 * rows >= sound_size else 4 if 8 * rows >= sound_size else 8
        sizes.append((rows, sound_size // share))
        rows //= 2
    return sizes[::-1]
