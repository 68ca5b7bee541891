"""`reel`: a generator made for turning sound into the pictures of one director.

A picture is drawn from a style and a layout. The style comes from the sound of the last moments,
a look (one for each training clip, and an average one) and the layout's own mean; the layout is
a small map, the reference code, that training takes from frames nearby in the same shot: what
sound cannot predict. To film a song, codes of training frames are held, walked along and cut
between; the model carries them with it.

Shape suffixes: B batch, S rows and columns of a sound image, H and W of a picture, A numbers of a
sound code, L of a look, Z of a reference code (channels x rows x columns, flat), R references, N
looks, Y numbers of the style.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundreel.networks.reel_parts import (
    SLOPE,
    TONE_NUMBERS,
    DrawingBlock,
    ReferenceEncoder,
    SoundEncoder,
    SoundFront,
    draw_weights,
    halved_sizes,
    picture_tones,
)

SOUND_NUMBERS, LOOK_NUMBERS, _STYLE_NUMBERS = 128, 32, 192
#: The longer side of the picture that a reference code is made from.
_SEEN_SIDE = 64
_STYLE_GAIN = 0.35
_BASE_SHARE = 0.5


@dataclass(frozen=True)
class References:
    """What a model remembers of its training frames, R of them, ordered by clip and by time.

    sound_RA: their sound codes; code_RZ: their reference codes; both float32.
    clip_R: int64, the training clip (0 to N - 2) of each; shot_R: int64, its shot, counted through
    all clips; seconds_R: float64, its time in its clip.
    """

    sound_RA: Tensor
    code_RZ: Tensor
    clip_R: Tensor
    shot_R: Tensor
    seconds_R: Tensor

    def __len__(self) -> int:
        return len(self.clip_R)


class Reel(nn.Module):
    """Sound and a cue (a look and a reference code) to a picture.

    rows, columns: of the pictures, in their own shape: nothing is squashed.
    width: channels of the widest layers over 8; of the last layer width / 2.
    clips: how many looks there are, a learnt one each. One more is their average: training
      learns it from all clips, with their own looks left out.
    references: how many training frames it remembers.
    sound_size, evenly_in_hz, low_row_first: of the sound images (see `SoundFront`).
    code_channels, code_side: of the reference code's map, code_side its longer side.
    tone: whether the reference code ends with its shot's tone: how the shot differs from its clip
      in what `picture_tones` tells.

    Shape: B x 1 x S x S and B x (L + Z) -> B x 3 x rows x columns in [-1, 1].
    """

    look_NL: Tensor
    reference_sound_RA: Tensor
    reference_code_RZ: Tensor
    reference_clip_R: Tensor
    reference_shot_R: Tensor
    reference_seconds_R: Tensor

    def __init__(
        self,
        rows: int = 144,
        columns: int = 256,
        width: int = 32,
        clips: int = 1,
        references: int = 1,
        sound_size: int = 256,
        evenly_in_hz: bool = True,
        low_row_first: bool = False,
        code_channels: int = 8,
        code_side: int = 8,
        tone: bool = False,
    ) -> None:
        super().__init__()
        if max(rows, columns) < 2 * code_side:
            raise ValueError(
                f"rows x columns = {rows} x {columns}: the longer is at least {2 * code_side}"
            )
        self.rows, self.columns = rows, columns
        self.width, self.clips = width, clips
        self.sound_size = sound_size
        sizes = halved_sizes(rows, columns)
        code_place = next(i for i, size in enumerate(sizes) if max(size) >= code_side)
        seen_place = max(
            code_place + 1,
            max(i for i, size in enumerate(sizes) if max(size) <= max(_SEEN_SIDE, max(sizes[1]))),
        )
        self.code_shape: tuple[int, int, int] = (code_channels, *sizes[code_place])
        self.tone_numbers = TONE_NUMBERS if tone else 0

        self.front = SoundFront(sound_size, evenly_in_hz, low_row_first)
        self.hear = SoundEncoder(self.front.bands, self.front.columns, SOUND_NUMBERS)
        self.layout = ReferenceEncoder(sizes[code_place : seen_place + 1], code_channels)
        self.look_NL = nn.Parameter(torch.randn(clips + 1, LOOK_NUMBERS))

        longer = max(rows, columns)
        widths = [min(8 * width, width * longer // (2 * max(size))) for size in sizes]
        self.style = nn.Sequential(
            nn.Linear(
                SOUND_NUMBERS + LOOK_NUMBERS + code_channels + self.tone_numbers, _STYLE_NUMBERS
            ),
            nn.LeakyReLU(SLOPE),
            nn.Linear(_STYLE_NUMBERS, _STYLE_NUMBERS),
            nn.LeakyReLU(SLOPE),
        )
        self.base_shape = (widths[0], *sizes[0])
        self.base = nn.Parameter(torch.randn(1, *self.base_shape))
        self.base_style = nn.Linear(_STYLE_NUMBERS, math.prod(self.base_shape))
        self.code_in = nn.Conv2d(code_channels, widths[code_place], 3, 1, 1)
        self.code_place = code_place
        before = [widths[0], *widths[:-1]]
        self.blocks = nn.ModuleList(
            DrawingBlock(here, there, _STYLE_NUMBERS, size)
            for here, there, size in zip(before, widths, sizes, strict=True)
        )
        self.colours = nn.Conv2d(widths[-1], 3, 3, 1, 1)
        self._draw_weights()

        for name, shape, dtype in (
            ("sound_RA", (SOUND_NUMBERS,), torch.float16),
            ("code_RZ", (self.code_numbers,), torch.float16),
            ("clip_R", (), torch.int32),
            ("shot_R", (), torch.int32),
            ("seconds_R", (), torch.float32),
        ):
            self.register_buffer(f"reference_{name}", torch.zeros(references, *shape, dtype=dtype))

    @property
    def code_numbers(self) -> int:
        """Z: how many numbers a reference code has."""
        return math.prod(self.code_shape) + self.tone_numbers

    @property
    def cue_numbers(self) -> int:
        """L + Z: how many numbers a cue has, the look's first."""
        return LOOK_NUMBERS + self.code_numbers

    @property
    def average_look(self) -> int:
        """The place of the average look in `look_NL`, after those of the clips."""
        return self.clips

    @property
    def references(self) -> References:
        """The training frames that it remembers, as float32 and int64."""
        return References(
            self.reference_sound_RA.float(),
            self.reference_code_RZ.float(),
            self.reference_clip_R.long(),
            self.reference_shot_R.long(),
            self.reference_seconds_R.double(),
        )

    def sound_codes(self, x_B1SS: Tensor) -> Tensor:
        """What is heard in sound images: B x 1 x S x S -> B x A."""
        return self.hear(self.front(x_B1SS))

    def layout_codes(self, y_B3HW: Tensor) -> Tensor:
        """The reference codes of a clip's pictures (of any size), each a shot: B x Z."""
        map_BN = self.layout(y_B3HW)[0].flatten(1)
        if not self.tone_numbers:
            return map_BN
        tone_B4 = picture_tones(y_B3HW)
        return torch.cat([map_BN, tone_B4 - tone_B4.mean(0)], 1)

    def cues(self, look_BL: Tensor, code_BZ: Tensor) -> Tensor:
        """Looks and reference codes as cues: B x (L + Z)."""
        return torch.cat([look_BL, code_BZ], 1)

    def cues_by_sound(self, sound_BA: Tensor) -> Tensor:
        """The cue of the remembered frame whose sound is nearest: B x (L + Z)."""
        known = self.references
        nearest_B = torch.cdist(sound_BA.float(), known.sound_RA).argmin(1)
        return self.cues(self.look_NL[known.clip_R[nearest_B]].float(), known.code_RZ[nearest_B])

    def draw(self, sound_BA: Tensor, cue_BK: Tensor) -> Tensor:
        """The picture of a sound code and a cue: B x 3 x rows x columns in [-1, 1]."""
        # The cue's own type, so that a drawing part in bfloat16 is given what it computes with.
        look_BL, code_BZ = cue_BK.split([LOOK_NUMBERS, self.code_numbers], 1)
        code_BCHW = code_BZ[:, : math.prod(self.code_shape)].unflatten(1, self.code_shape)
        told = [sound_BA, look_BL, code_BCHW.mean((2, 3))]
        if self.tone_numbers:
            told.append(code_BZ[:, -self.tone_numbers :])
        style_BY = self.style(torch.cat(told, 1))
        based_BCHW = self.base_style(style_BY).unflatten(1, self.base_shape)
        y_BCHW = self.base + _BASE_SHARE * based_BCHW
        for place, block in enumerate(self.blocks):
            if place == self.code_place + 1:
                y_BCHW = y_BCHW + self.code_in(code_BCHW)
            y_BCHW = block(y_BCHW, style_BY)
        return torch.tanh(self.colours(F.leaky_relu(y_BCHW, SLOPE)))

    def forward(self, x_B1SS: Tensor, cue_BK: Tensor | None = None) -> Tensor:
        """A picture for each sound image; without cues, by the nearest remembered sound."""
        sound_BA = self.sound_codes(x_B1SS)
        cue_BK = self.cues_by_sound(sound_BA) if cue_BK is None else cue_BK
        return self.draw(sound_BA, cue_BK.to(sound_BA.dtype))

    def _draw_weights(self) -> None:
        draw_weights(self)
        draw_weights(self.colours, 0.5)
        for block in self.blocks:
            assert isinstance(block, DrawingBlock)
            if block.around is not None:
                draw_weights(block.around, 0.7)
            for style in (block.style1, block.style2):
                nn.init.normal_(style.weight, 0, _STYLE_GAIN / math.sqrt(_STYLE_NUMBERS))
