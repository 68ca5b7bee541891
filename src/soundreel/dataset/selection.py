"""What of a clip goes in: each moment is kept, or left out for a reason that is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from soundreel.dataset.people import Judge, people_judge
from soundreel.dataset.picture_faults import Frozen, is_black, is_title
from soundreel.dataset.picture_hash import NearDuplicates
from soundreel.recipe import Recipe, Selection
from soundreel.sound.silence import silent_windows
from soundreel.sound.speech import speech_only

SILENCE = "no sound before it"
SPEECH = "nothing but speech before it"
BLACK = "black picture"
TITLE = "card with text"
FROZEN = "picture that stands still"
DUPLICATE = "much like an earlier picture"

#: (frame, look, perceptual hash of the frame) -> why it is left out, or None.
Chooser = Callable[[int, np.ndarray, np.ndarray | None, int | None], str | None]


def needs_look(selection: Selection) -> bool:
    """Whether choosing needs the picture in its own shape beside the frame."""
    return selection.only is not None or "title" in selection.leave_out


def chooser_for(
    recipe: Recipe,
    sound_N: np.ndarray,
    times_seconds: Sequence[Fraction],
    end_samples_K: np.ndarray,
) -> Chooser:
    """What decides about the moments of one clip, to be asked in their order.

    sound_N: the clip's sound at the recipe's rate; times_seconds, end_samples_K: of the places of
    the grid. The chooser takes (k, frame H x W x 3, look in the film's own shape or None,
    perceptual hash or None) and returns why the moment is left out, or None if it goes in.

    Raises: SettingsError if a model file or the photos of the artist cannot be used.
    """
    selection = recipe.selection
    faults = set(selection.leave_out)
    window = recipe.window_samples
    nothing = np.zeros(len(end_samples_K), bool)
    silent_K, speech_K = nothing, nothing
    if "silence" in faults:
        silent_K = silent_windows(sound_N, end_samples_K, window)
    if "speech" in faults:
        speech_K = speech_only(sound_N, recipe.sample_rate_hz, end_samples_K, window)
    judge = judge_for(selection)
    stands_still = Frozen()
    seen_before = NearDuplicates()

    def choose(
        k: int, frame_HW3: np.ndarray, look_HW3: np.ndarray | None, picture_hash: int | None
    ) -> str | None:
        still = "frozen" in faults and stands_still(times_seconds[k], frame_HW3)
        if silent_K[k]:
            return SILENCE
        if speech_K[k]:
            return SPEECH
        if "black" in faults and is_black(frame_HW3):
            return BLACK
        if still:
            return FROZEN
        if look_HW3 is not None:
            if "title" in faults and is_title(look_HW3):
                return TITLE
            reason = judge(look_HW3) if judge else None
            if reason:
                return reason
        if "near-duplicate" in faults and picture_hash is not None and seen_before(picture_hash):
            return DUPLICATE
        return None

    return choose


def judge_for(selection: Selection) -> Judge | None:
    """Who says whether a picture shows the people that are asked for; None if none are.

    Raises: SettingsError if the photos or the model files cannot be used.
    """
    if selection.only is None:
        return None
    return _judge(
        selection.only,
        selection.artist_photos,
        selection.face_model,
        selection.recognition_model,
    )


@cache
def _judge(
    only: Literal["people", "solo", "artist"],
    photos: str | None,
    face_model: str | None,
    recognition_model: str | None,
) -> Judge:
    """Made once a process: reading the cascades takes longer than asking them."""
    names = photos, face_model, recognition_model
    paths = [None if name is None else Path(name) for name in names]
    return people_judge(only, *paths)
