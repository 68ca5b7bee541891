"""What a `reel` films an unseen song with: the cues that `render` would draw it by.

A `reel` draws a picture from its sound and a cue: a look, and a layout that is held, walked along
and cut. So that a model is asked of the films that people get, the cues of a held-out clip are
planned as a film's: from what the model hears in the clip's own sound, cut as its director cuts
to that sound's own beats, with the look whose song is nearest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from soundreel.networks.bundle import Model
from soundreel.networks.reel import LOOK_NUMBERS, Reel
from soundreel.rendering.casting_cues import cues_for_times
from soundreel.rendering.take_begins import director_cuts
from soundreel.sound.song_form import song_form

_BLOCK_SECONDS = 10


@dataclass(frozen=True, eq=False)
class SongCues:
    """The cues of T moments of a song, ascending in time.

    cue_TK: float32. cut_seconds: where the film cuts. look: the training clip whose look it has.
    """

    times_seconds_T: np.ndarray
    cue_TK: Tensor
    cut_seconds: np.ndarray
    look: str

    def at(self, times_seconds_B: np.ndarray) -> Tensor:
        """The cues of some of the moments: B x K."""
        return self.cue_TK[np.searchsorted(self.times_seconds_T, times_seconds_B)]

    def cuts_within(self, times_seconds_B: np.ndarray) -> np.ndarray:
        """Which of some moments (their places, from the second on) begin another take."""
        places = np.searchsorted(times_seconds_B, self.cut_seconds)
        return np.unique(places[(places > 0) & (places < len(times_seconds_B))])


def song_cues(
    model: Model,
    sound_N: np.ndarray,
    parts_B1SS: Iterable[Tensor],
    times_seconds_T: np.ndarray,
    seed: int,
) -> SongCues | None:
    """The cues of moments of one song; None for a model that is drawn without any (a U-Net).

    sound_N: the whole song, at the recipe's rate, for its beats and bars; may be empty, then the
      film is cut by seconds. parts_B1SS: the sound images of the T moments, some at a time.

    Raises: ModelError if how the director cuts cannot be read.
    """
    reel = model.generator
    if not isinstance(reel, Reel):
        return None
    sound_TA = torch.cat([model.sound_codes(x_B1SS) for x_B1SS in parts_B1SS])
    beats, bars, sections = _form(sound_N, model.recipe.sample_rate_hz)
    first, last = float(times_seconds_T[0]), float(times_seconds_T[-1])
    cut_seconds = director_cuts(model, beats, bars, first, last, seed, sections)
    cue_TK = cues_for_times(model, sound_TA, times_seconds_T, cut_seconds, "auto", seed)
    # By itself the nearest look is one for the whole film: which one, the first cue tells.
    looks_NL = reel.look_NL.detach().float().cpu()[: len(model.looks)]
    nearest = torch.cdist(cue_TK[:1, :LOOK_NUMBERS], looks_NL)[0].argmin()
    return SongCues(times_seconds_T, cue_TK, cut_seconds, model.looks[int(nearest)])


def _form(sound_N: np.ndarray, sample_rate_hz: int) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Beats, bars and where sections begin, in seconds."""
    if len(sound_N) == 0:
        return np.empty(0), np.empty(0), []
    step = _BLOCK_SECONDS * sample_rate_hz
    blocks = (sound_N[first : first + step] for first in range(0, len(sound_N), step))
    form = song_form(blocks, sample_rate_hz)
    sections = [float(section.start_seconds) for section in form.sections]
    return form.beat_seconds_B, form.bar_seconds, sections
