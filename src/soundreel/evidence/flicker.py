"""How unsteady a film is from frame to frame, and whether it moves on the beat.

Two numbers that smoothing trades against each other: a film of one picture has no flicker and
no beat, noise has both of them everywhere. Neither knows what made the film: a jump that was
cut in at a beat counts as one that a model makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from soundreel.timeline import exact_seconds, frame_count

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709

#: A picture has reacted to an onset within this time, if it does.
REACTION_SECONDS = Fraction(1, 10)


def flicker(frames: Iterable[np.ndarray], jumps: Sequence[int] | np.ndarray = ()) -> float:
    """How far a frame lies from the mean of its two neighbours: 0 (steady) to 1.

    frames: H x W x 3, uint8, all of one size; an array, or frames as they are decoded (three
      are held).
    jumps: numbers of frames at which a new picture begins (cuts, beats): what lies across
      them is left out, as a jump is no flicker.

    The mean over pixels and frames of |x[t] - (x[t-1] + x[t+1]) / 2|, half the second difference
    in time of the BT.709 luma of the coded values, with black 0 and white 1. A steady change is
    none; black and white in turn are 1, white noise of standard deviation s (Gaussian) is
    s sqrt(3 / pi), about s; a single jump by d is d, shared among all the frames. It is not
    relative to the contrast: a greyer film flickers less, so read it beside the sharpness.

    Raises: ValueError if a frame is not H x W x 3 uint8, or there are no three frames in a row.
    """
    crossed = {int(jump) for jump in jumps}
    total, count = 0.0, 0
    held: list[np.ndarray] = []
    for n, luma_HW in enumerate(_lumas(frames)):
        held = [*held[-2:], luma_HW]
        if len(held) < 3 or crossed & {n - 1, n}:
            continue
        before_HW, at_HW, after_HW = held
        total += float(np.abs(at_HW - (before_HW + after_HW) / 2).mean(dtype=np.float64))
        count += 1
    if count == 0:
        raise ValueError("flicker needs three frames in a row without a jump")
    return total / count


def beat_response(
    frames: Iterable[np.ndarray],
    fps: Fraction,
    beat_seconds: Sequence[float] | np.ndarray,
    start_seconds: Fraction = Fraction(0),
    reaction_seconds: Fraction | float = REACTION_SECONDS,
) -> float:
    """How much more the picture changes on the beat than elsewhere: 0 is chance, 1 twice as much.

    frames: as in `flicker`. beat_seconds: when beats or onsets are in the song, in any order.
    start_seconds: where in the song the film starts.

    The change of a frame is the mean absolute difference of its luma from the frame before. A
    beat's is the largest change of the frames within `reaction_seconds` from it, as pictures
    lag by a frame or two; the response is the mean over beats over the mean over the beats
    moved to every place of the film, less 1. So the same largest-of-several is taken by chance,
    and a film that ignores the beat has 0, be it calm or wild. At least -1 (it rests on the
    beat); at most the film's frames over the changed ones (all its change is on the beat). A
    film that never changes has 0. (The event-triggered average of physiology, with circular
    shifts as its null.)

    Raises: ValueError if a frame is not H x W x 3 uint8, or no beat lies in the film.
    """
    changes = [0.0]
    before_HW = None
    for luma_HW in _lumas(frames):
        if before_HW is not None:
            changes.append(float(np.abs(luma_HW - before_HW).mean(dtype=np.float64)))
        before_HW = luma_HW
    within = max(1, frame_count(exact_seconds(reaction_seconds), fps))
    change_T = np.array(changes[1:])  # its first is frame 1: nothing came before frame 0
    if len(change_T) < within:
        raise ValueError(f"{len(changes)} frames are too few to react within {within}")
    largest_T = np.lib.stride_tricks.sliding_window_view(change_T, within).max(axis=1)
    places = {
        frame_count(Fraction(float(seconds)) - start_seconds, fps) - 1 for seconds in beat_seconds
    }
    on_beat = [largest_T[place] for place in places if 0 <= place < len(largest_T)]
    if not on_beat:
        raise ValueError("none of the beats lies in the film")
    anywhere = largest_T.mean()
    return float(np.mean(on_beat) / anywhere - 1) if anywhere > 0 else 0.0


def _lumas(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    for frame in frames:
        if frame.ndim != 3 or frame.shape[-1] != 3 or frame.dtype != np.uint8:
            raise ValueError(
                f"a frame is {frame.shape} {frame.dtype}: height x width x 3 uint8 is needed"
            )
        yield frame @ (_LUMA / np.float32(255))
