"""In whose voice a film is composed: a training clip's, a mixture, or that of the nearest clip.

Shape suffixes: B batch, V numbers of a voice, S rows of a sound image, G stretches of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from soundreel.networks.harmony import STRETCHES, harmony_at
from soundreel.networks.score import Score
from soundreel.recipe import Recipe


@dataclass(frozen=True)
class SoundCue:
    """What windows are composed with beside their frames: voices B x V, harmonies B x S x G."""

    voice_BV: Tensor
    harmony_BSG: Tensor


@dataclass(frozen=True)
class Voice:
    """How a whole film sounds.

    voice_V: instruments and mix. harmony_clip: whose harmony is played, from its beginning on and
    round again; None: none at all. begin_stretch: where in it the film begins.
    """

    voice_V: Tensor
    harmony_clip: int | None
    begin_stretch: int = 0

    def cue(self, score: Score, recipe: Recipe, end_seconds_B: Sequence[float]) -> SoundCue:
        """The cues of the windows that end at these times of the film."""
        count = len(end_seconds_B)
        voice_BV = self.voice_V.expand(count, -1)
        if self.harmony_clip is None:
            return SoundCue(voice_BV, voice_BV.new_zeros(count, score.sound_size, STRETCHES))
        window_seconds = recipe.window_samples / recipe.sample_rate_hz
        begin_B = (torch.tensor(end_seconds_B) - window_seconds) / stretch_seconds(recipe)
        harmony_BSG = harmony_at(
            score.harmony_QS, score.harmony_clip_Q, self.harmony_clip, begin_B + self.begin_stretch
        )
        return SoundCue(voice_BV, harmony_BSG)


def stretch_seconds(recipe: Recipe) -> float:
    """How long a stretch of a sound image is."""
    columns = recipe.sound_image_size / STRETCHES
    return columns * recipe.hop_samples / recipe.sample_rate_hz


def average_voice(score: Score) -> Voice:
    """All clips' instruments at once, and no harmony."""
    return Voice(score.voice_NV[-1], None)


def clips_voice(score: Score, shares: Mapping[int, float], begin_stretch: int = 0) -> Voice:
    """The mixed voice of places -> shares; the harmony is that of the clip with the largest.

    The last place is the average voice, which has none.
    """
    total = sum(shares.values())
    voice_V = sum(
        (share / total * score.voice_NV[clip] for clip, share in shares.items()),
        start=torch.zeros_like(score.voice_NV[0]),
    )
    clips = [place for place in shares if place != score.average_voice]
    harmony = max(clips, key=lambda clip: shares[clip]) if clips else None
    return Voice(voice_V, harmony, begin_stretch)


@torch.inference_mode()
def nearest_clips(score: Score, y_BF3HW: Tensor) -> Tensor:
    """The training clip with the window that looks most like each window of frames: B places.

    By what the network sees in frames, averaged over the window, each number over how much it
    differs between training windows. Clips begin darkly and end brightly: that is why a window is
    compared with windows, and not with clips' averages.
    """
    seen_BD = score.see(y_BF3HW).float().mean(2)
    apart_BP = torch.cdist(seen_BD / score.seen_scale_D, score.seen_PD / score.seen_scale_D)
    return score.seen_clip_P[apart_BP.argmin(1)]
