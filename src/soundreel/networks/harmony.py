"""The fine structure of spectra: which notes sound, apart from how loud and how bright it is.

A picture can tell how loud, how bright and how sudden its music is, and not its key. What is left
of a spectrum without its level and its broad shape is the pattern of its partials: the harmony,
and the noise between. A `score` is told that pattern and draws all else from what it sees.

Shape suffixes: B batch, S rows and columns of a sound image, G stretches of its columns, Q
stretches of whole clips.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

#: Stretches of a sound image: about a third of a second each.
STRETCHES = 4
#: The broad shape of a spectrum is its mean over so many rows, of 256.
_BROAD_SHARE = 25 / 256
#: In units of the picture's range [-1, 1]: patterns fainter than this are noise.
_FAINT = 0.04
#: Patterns are kept in steps of 1 / 32, from -4 to 4 of their own contrast.
_STEPS = 32.0


def harmony_of(level_BSK: Tensor) -> Tensor:
    """Patterns of partials of mean spectra: B x S x K in [-1, 1] -> B x S x K, contrast about 1.

    Each spectrum, in decibels, less its mean over a tenth of the rows around each row, over the
    root mean square of what is left. Silence and even noise have none: 0.
    """
    rows = level_BSK.shape[1]
    reach = max(1, round(_BROAD_SHARE * rows / 2))
    by_row_B1S = level_BSK.transpose(1, 2).flatten(0, 1)[:, None]
    broad_B1S = F.avg_pool1d(
        F.pad(by_row_B1S, (reach, reach), mode="replicate"), 2 * reach + 1, stride=1
    )
    fine_B1S = by_row_B1S - broad_B1S
    contrast_B11 = fine_B1S.square().mean(2, keepdim=True).sqrt()
    pattern_B1S = (fine_B1S / (contrast_B11 + _FAINT)).clamp(-4, 4)
    return pattern_B1S[:, 0].unflatten(0, (len(level_BSK), -1)).transpose(1, 2)


def image_harmony(image_B1SS: Tensor) -> Tensor:
    """The patterns of the stretches of sound images: B x 1 x S x S -> B x S x G."""
    return harmony_of(F.adaptive_avg_pool2d(image_B1SS, (image_B1SS.shape[2], STRETCHES))[:, 0])


def as_bytes(harmony: Tensor) -> Tensor:
    """Patterns as they are kept: uint8."""
    return harmony.mul(_STEPS).round().add(128).clamp(0, 255).byte()


def from_bytes(kept: Tensor) -> Tensor:
    """What `as_bytes` kept, float32."""
    return kept.float().sub(128).div(_STEPS)


def harmony_map(harmony_BSG: Tensor, rows: int, columns: int) -> Tensor:
    """Patterns laid out over a map of a sound image: B x 1 x rows x columns.

    Rows are averaged, and a stretch glides into the next.
    """
    pooled_BRG = F.adaptive_avg_pool2d(harmony_BSG, (rows, harmony_BSG.shape[2]))
    return F.interpolate(pooled_BRG[:, None], (rows, columns), mode="bilinear", align_corners=False)


def harmony_at(
    kept_QS: Tensor, clip_Q: Tensor, clip: int, first_stretch_B: Tensor, stretches: int = STRETCHES
) -> Tensor:
    """A clip's remembered patterns for windows: B x S x G float32.

    first_stretch_B: of each window, counted from where the clip begins, in stretches, not whole
    ones too: between two the nearer one counts. Behind its end the clip begins again.
    """
    of_clip_QS = kept_QS[clip_Q == clip]
    place_BG = first_stretch_B[:, None] + torch.arange(stretches)
    place_BG = place_BG.round().long() % max(1, len(of_clip_QS))
    if not len(of_clip_QS):
        return kept_QS.new_zeros(len(first_stretch_B), kept_QS.shape[1], stretches).float()
    return from_bytes(of_clip_QS[place_BG]).transpose(1, 2)
