"""The discriminator of `reel`: are these neighbouring pictures real, of this look, of this sound?

Shape suffixes: B batch, C channels, H and W rows and columns, A numbers of a sound code, N looks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from soundreel.networks.reel_parts import SLOPE, SoundEncoder, SoundFront, halved_sizes

_WHOLE, _PATCH = 128, 64
#: A patch's judgement is made on a map of an eighth of the picture.
_PATCH_LEVEL = 3
_LONGEST_LAST = 4
#: Projections are sums over many numbers; so many times smaller they begin beside the plain score.
_PROJECTION_SHARE = 1 / 8


@dataclass(frozen=True)
class Seen:
    """What was seen in pictures: whole_BA, a patch_BCHW for each place, and all maps on the way."""

    whole_BA: Tensor
    patch_BCHW: Tensor
    maps: tuple[Tensor, ...]


@dataclass(frozen=True)
class Scores:
    """Above 0: real. whole_B: of the whole pictures; patches_BP: of each place in them."""

    whole_B: Tensor
    patches_BP: Tensor


class ReelJudge(nn.Module):
    """Strided convolutions with spectral norms (Miyato et al. 2018), a score for the whole and one
    for each patch, each projected on sound and look (Miyato and Koyama 2018).

    rows, columns: of the pictures. consecutive: how many neighbouring ones are judged together.
    width: channels after the first convolution; they double up to 128.
    clips: looks, and one more where the look is not told (see `Reel`).
    sound_size, evenly_in_hz, low_row_first: see `SoundFront`.
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        consecutive: int,
        width: int,
        clips: int,
        sound_size: int,
        evenly_in_hz: bool,
        low_row_first: bool,
    ) -> None:
        super().__init__()
        sizes = halved_sizes(rows, columns, _LONGEST_LAST)[::-1]
        widths = [3 * consecutive, *(min(width * 2**n, 128) for n in range(len(sizes) - 1))]
        self.convs = nn.ModuleList(
            spectral_norm(nn.Conv2d(here, there, 3 if min(size) < 4 else 4, 2, 1))
            for here, there, size in zip(widths[:-1], widths[1:], sizes[:-1], strict=True)
        )
        self.patch_level = min(_PATCH_LEVEL, len(sizes) - 2)
        self.front = SoundFront(sound_size, evenly_in_hz, low_row_first)
        self.hear = SoundEncoder(self.front.bands, self.front.columns, _WHOLE + _PATCH)
        for layer in (*self.hear.convs, self.hear.code):
            spectral_norm(layer)
        self.look_NA = nn.Parameter(0.1 * torch.randn(clips + 1, _WHOLE + _PATCH))
        with torch.no_grad():
            last = torch.zeros(1, 3 * consecutive, rows, columns)
            for conv in self.convs:
                last = conv(last)
        self.whole = spectral_norm(nn.Linear(last.numel(), _WHOLE))
        self.whole_score = spectral_norm(nn.Linear(_WHOLE, 1))
        self.patch = spectral_norm(nn.Conv2d(widths[self.patch_level], _PATCH, 3, 1, 1))
        self.patch_score = spectral_norm(nn.Conv2d(_PATCH, 1, 1))

    def told(self, x_B1SS: Tensor, look_B: Tensor) -> Tensor:
        """What is known of the pictures: sound images and looks (places) -> B x A."""
        return self.hear(self.front(x_B1SS)) + self.look_NA[look_B]

    def see(self, pictures_BCHW: Tensor) -> Seen:
        """Look at neighbouring pictures, their channels one after the other."""
        maps = []
        x_BCHW = pictures_BCHW
        for conv in self.convs:
            x_BCHW = F.leaky_relu(conv(x_BCHW), SLOPE)
            maps.append(x_BCHW)
        patch_BCHW = F.leaky_relu(self.patch(maps[self.patch_level - 1]), SLOPE)
        return Seen(F.leaky_relu(self.whole(x_BCHW.flatten(1)), SLOPE), patch_BCHW, tuple(maps))

    def score(self, seen: Seen, told_BA: Tensor) -> Scores:
        """How real what was seen is, for what is known of it."""
        whole_BA, patch_BA = told_BA.split([_WHOLE, _PATCH], 1)
        whole_B = self.whole_score(seen.whole_BA)[:, 0]
        whole_B = whole_B + _PROJECTION_SHARE * (seen.whole_BA * whole_BA).sum(1)
        fits_BHW = (seen.patch_BCHW * patch_BA[..., None, None]).sum(1)
        patches_BHW = self.patch_score(seen.patch_BCHW)[:, 0] + _PROJECTION_SHARE * fits_BHW
        return Scores(whole_B, patches_BHW.flatten(1))


def discriminator_hinge(real: Scores, fake: Scores) -> Tensor:
    """Real scores above 1 and made ones below -1 (Lim and Ye 2017): half whole, half patches."""

    def both(score: Callable[[Scores], Tensor]) -> Tensor:
        return F.relu(1 - score(real)).mean() + F.relu(1 + score(fake)).mean()

    return 0.5 * (both(lambda s: s.whole_B) + both(lambda s: s.patches_BP))


def generator_hinge(fake: Scores) -> Tensor:
    """Made pictures' scores, to be raised: half whole, half patches."""
    return -0.5 * (fake.whole_B.mean() + fake.patches_BP.mean())
