"""How much a film moves, and how unsteady it is once its motion is taken out (optical flow).

Shapes: T frames, H rows, W columns. Frames are H x W x 3 uint8 RGB, all of one size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

#: Motion is measured on pictures of at most so many rows: there a film of 1080 rows moves by as
#: many pixels as one of 256, its grain is gone, and a frame takes under a millisecond.
_MOTION_ROWS = 96
#: What flickers is looked for at up to this size, that of a network's pictures.
_WARPED_ROWS = 256

#: Rounding to 8 bits makes two equal pictures differ by so much on average, with white 1.
_ROUNDING = 1 / 3 / 255
#: A film that moves by less does not move, in picture heights a second.
_STILL = 1e-3

#: Ruder, Dosovitskiy and Brox 2016, "Artistic style transfer for videos", equation 5: flow forth
#: and back must meet within so much of their squared lengths and so many squared pixels.
_MEET_SHARE, _MEET_PIXELS = 0.01, 0.5

#: A cut changes the luma by at least this much, with white 1, ...
_CUT_CHANGE = 0.03
#: ... so many times more than the frames around it usually change, and no more than this share
#: of the picture is found again: at cuts of films made here it was .28, of three real ones .14,
#: and .66 where they fade in.
_CUT_TIMES, _CUT_NEIGHBOURS = 4.0, 8
_CUT_FOUND_AGAIN = 0.4


@dataclass(frozen=True)
class FlickerMotion:
    """Unsteadiness and motion of made films, each over that of the real ones: 1 and 1 is equal.

    flicker: 0 is as steady as a still picture. motion_ratio: 0 is a still picture.
    made_error, real_error: what remains of the change from frame to frame, with white 1.
    made_motion, real_motion: in picture heights a second.
    pairs, cuts: neighbouring frames that counted, and that were left out as cuts.
    """

    flicker: float
    motion_ratio: float
    made_error: float
    real_error: float
    made_motion: float
    real_motion: float
    pairs: int
    cuts: int


def flow_magnitude(
    frames: Iterable[np.ndarray], fps: Fraction, cuts: Sequence[int] | np.ndarray = ()
) -> np.ndarray:
    """How fast the picture moves at each frame, in picture heights a second: T float64.

    frames: H x W x 3, uint8, RGB; an array, or frames as they are decoded (two are held).
    fps: of the frames given, not of the film that they are from.
    cuts: numbers of the frames at which something else begins; what seems to move across a cut
      does not, so such a frame takes the next one's value, as the first one does.

    The mean over the picture of the length of the optical flow since the frame before: dense
    inverse search (Kroeger et al. 2016, as OpenCV has it) on the luma of at most 96 rows. Motion
    further than about a tenth of the picture between two frames is not followed, and a change of
    colour or light alone is hardly any.

    Raises: ValueError if a frame is not H x W x 3 uint8.
    """
    measure = _flow(small=True)
    speed = [0.0]
    before_HW = None
    for frame_HW3 in frames:
        luma_HW = _luma(frame_HW3, _MOTION_ROWS)
        if before_HW is not None:
            speed.append(_mean_length(measure(before_HW, luma_HW)) * float(fps))
        before_HW = luma_HW
    if before_HW is None:
        return np.empty(0)
    speed_T = np.array(speed)
    # The last of them first: of two cuts in a row both take what comes after them.
    for cut in sorted({0, *(int(cut) for cut in cuts)}, reverse=True):
        if 0 <= cut < len(speed_T) - 1:
            speed_T[cut] = speed_T[cut + 1]
        elif cut == len(speed_T) - 1 and cut > 0:
            speed_T[cut] = speed_T[cut - 1]
    return speed_T


def flicker_and_motion(
    made_films: Sequence[Iterable[np.ndarray]],
    real_films: Sequence[Iterable[np.ndarray]],
    fps: Fraction,
    cuts_by_film: Sequence[Sequence[int] | np.ndarray] | None = None,
    made_cuts_by_film: Sequence[Sequence[int] | np.ndarray] | None = None,
) -> FlickerMotion:
    """How unsteady made films are, and how much they move, beside the real ones they are made of.

    made_films, real_films: as many of the one as of the other, equally long and large; arrays, or
      frames as they are decoded (two of each are held).
    cuts_by_film: numbers of the frames at which a new shot of the real film begins, for each
      film. None: found, where the real film's luma changes by more than 0.03 and by four times
      the median of the eight changes before and after, and flow finds less than 40% of the
      picture again.
    made_cuts_by_film: the same of the made films, where these have cuts of their own: they are
      left out too, as what is seen across a cut is neither flicker nor motion. None: none.

    Flow forth and back is estimated on the real film (dense inverse search, at most 256 rows), and
    where the two agree and stay inside the picture, the made film's frame t is taken along to
    t + 1, as is the real one's. The error of a pixel is the mean absolute difference over its
    RGB: to the frame taken along or to the frame left where it was, whichever is nearer. Steady
    is what moves as the real film does or what stands: without the second, a still picture would
    flicker wherever the real film moves. The errors' mean over pixels and pairs of frames, made
    over real, is the flicker; a real film that changes by less than rounding counts as that.
    A still picture has no flicker, so it is to be read beside the motion: the mean length of
    each film's own flow, as in `flow_magnitude`.

    Source: Lai et al. 2018, "Learning blind video temporal consistency" (warping error).

    Raises: ValueError if the films do not match, or no two frames without a cut are left.
    """
    if len(made_films) != len(real_films) or not real_films:
        raise ValueError(
            f"{len(made_films)} made films and {len(real_films)} real ones: "
            "as many of each, and at least one, are needed"
        )
    for given in (cuts_by_film, made_cuts_by_film):
        if given is not None and len(given) != len(real_films):
            raise ValueError(f"cuts of {len(given)} films for {len(real_films)} films")
    kept, cuts = [], 0
    for n, (made, real) in enumerate(zip(made_films, real_films, strict=True)):
        rows_TD = np.array(list(_pairs(made, real, float(fps)))).reshape(-1, 6)
        if cuts_by_film is None:
            is_cut_T = _are_cuts(rows_TD[:, 0], rows_TD[:, 1])
        else:
            is_cut_T = _begin_at(cuts_by_film[n], len(rows_TD))
        if made_cuts_by_film is not None:
            is_cut_T = is_cut_T | _begin_at(made_cuts_by_film[n], len(rows_TD))
        cuts += int(is_cut_T.sum())
        kept.append(rows_TD[~is_cut_T])
    _, valid_T, made_error_T, real_error_T, made_motion_T, real_motion_T = np.concatenate(kept).T
    if valid_T.sum() == 0:
        raise ValueError("flicker needs two frames in a row without a cut between them")
    made_error, real_error = (
        float(error_T.sum() / valid_T.sum()) for error_T in (made_error_T, real_error_T)
    )
    made_motion, real_motion = float(made_motion_T.mean()), float(real_motion_T.mean())
    return FlickerMotion(
        flicker=made_error / max(real_error, _ROUNDING),
        motion_ratio=made_motion / max(real_motion, _STILL),
        made_error=made_error,
        real_error=real_error,
        made_motion=made_motion,
        real_motion=real_motion,
        pairs=len(valid_T),
        cuts=cuts,
    )


def _pairs(
    made: Iterable[np.ndarray], real: Iterable[np.ndarray], fps: float
) -> Iterator[tuple[float, ...]]:
    """Of each two neighbouring frames: change, share of valid pixels, mean errors, motions.

    Change is of the real film; errors (over all pixels) and motions are made, then real.
    """
    large, small = _flow(small=False), _flow(small=True)
    before = None
    for made_HW3, real_HW3 in zip(made, real, strict=True):
        _check(made_HW3)
        if made_HW3.shape != np.shape(real_HW3):
            raise ValueError(
                f"a made frame is {made_HW3.shape}, the real one {np.shape(real_HW3)}: "
                "one size is needed"
            )
        now = (
            _shrunk(made_HW3, _WARPED_ROWS),
            _shrunk(real_HW3, _WARPED_ROWS),
            _luma(real_HW3, _WARPED_ROWS),
            _luma(made_HW3, _MOTION_ROWS),
            _luma(real_HW3, _MOTION_ROWS),
        )
        if before is not None:
            back_HW2 = large(now[2], before[2])
            valid_HW = _is_valid(large(before[2], now[2]), back_HW2)
            yield (
                float(np.abs(now[4].astype(np.float32) - before[4]).mean()) / 255,
                float(valid_HW.mean()),
                _unsteadiness(before[0], now[0], back_HW2, valid_HW),
                _unsteadiness(before[1], now[1], back_HW2, valid_HW),
                _mean_length(small(before[3], now[3])) * fps,
                _mean_length(small(before[4], now[4])) * fps,
            )
        before = now


def _unsteadiness(
    before_HW3: np.ndarray, now_HW3: np.ndarray, back_HW2: np.ndarray, valid_HW: np.ndarray
) -> float:
    """The smaller error, with white 1, summed over the valid pixels, over all pixels."""
    warped_HW3 = _taken_from(before_HW3.astype(np.float32), back_HW2)
    moved_HW = np.abs(warped_HW3 - now_HW3).mean(axis=-1)
    still_HW = np.abs(now_HW3.astype(np.float32) - before_HW3).mean(axis=-1)
    return float((np.minimum(moved_HW, still_HW) * valid_HW).mean(dtype=np.float64)) / 255


def _is_valid(forth_HW2: np.ndarray, back_HW2: np.ndarray) -> np.ndarray:
    """Where a pixel of the later frame was in the earlier one, and what is there comes back."""
    rows, columns = back_HW2.shape[:2]
    x_HW = back_HW2[..., 0] + np.arange(columns, dtype=np.float32)
    y_HW = back_HW2[..., 1] + np.arange(rows, dtype=np.float32)[:, None]
    inside_HW = (x_HW >= 0) & (x_HW <= columns - 1) & (y_HW >= 0) & (y_HW <= rows - 1)
    forth_there_HW2 = _taken_from(forth_HW2, back_HW2)
    miss_HW = np.square(forth_there_HW2 + back_HW2).sum(axis=-1)
    squares_HW = (np.square(forth_there_HW2) + np.square(back_HW2)).sum(axis=-1)
    return inside_HW & (miss_HW <= _MEET_SHARE * squares_HW + _MEET_PIXELS)


def _taken_from(x_HWC: np.ndarray, back_HW2: np.ndarray) -> np.ndarray:
    """What is where the flow says that each pixel came from, bilinear."""
    import cv2

    rows, columns = back_HW2.shape[:2]
    return cv2.remap(
        x_HWC,
        back_HW2[..., 0] + np.arange(columns, dtype=np.float32),
        back_HW2[..., 1] + np.arange(rows, dtype=np.float32)[:, None],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _are_cuts(change_T: np.ndarray, found_again_T: np.ndarray) -> np.ndarray:
    """Which of the changes from frame to frame are cuts: bool, as long."""
    is_cut_T = np.zeros(len(change_T), bool)
    for place in np.flatnonzero((change_T > _CUT_CHANGE) & (found_again_T < _CUT_FOUND_AGAIN)):
        first = max(0, place - _CUT_NEIGHBOURS)
        around = np.delete(change_T[first : place + _CUT_NEIGHBOURS + 1], place - first)
        is_cut_T[place] = len(around) > 0 and change_T[place] > _CUT_TIMES * np.median(around)
    return is_cut_T


def _begin_at(cuts: Sequence[int] | np.ndarray, changes: int) -> np.ndarray:
    """Which of the changes from frame to frame lead to the frames with these numbers: bool."""
    return np.isin(np.arange(1, changes + 1), np.asarray(cuts, np.int64))


def _flow(small: bool) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Flow from one luma picture to the next, pixels: H x W x 2 float32, x before y."""
    import cv2

    if small:
        # The finest scale of this preset would be a quarter, of 96 rows: half is more exact.
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        search.setFinestScale(1)
    else:
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    # A frame's flow must not depend on which frames came before it: no start is handed over.
    return lambda before_HW, after_HW: search.calc(before_HW, after_HW, None)  # pyright: ignore


def _mean_length(flow_HW2: np.ndarray) -> float:
    """In picture heights."""
    return float(np.hypot(flow_HW2[..., 0], flow_HW2[..., 1]).mean()) / len(flow_HW2)


def _luma(frame_HW3: np.ndarray, most_rows: int) -> np.ndarray:
    import cv2

    _check(frame_HW3)
    # One channel is shrunk faster than three.
    return _shrunk(cv2.cvtColor(frame_HW3, cv2.COLOR_RGB2GRAY), most_rows)


def _shrunk(frame_HWC: np.ndarray, most_rows: int) -> np.ndarray:
    import cv2

    rows, columns = frame_HWC.shape[:2]
    if rows <= most_rows:
        return frame_HWC
    size = max(1, round(columns * most_rows / rows)), most_rows
    return cv2.resize(frame_HWC, size, interpolation=cv2.INTER_AREA)


def _check(frame_HW3: np.ndarray) -> None:
    if frame_HW3.ndim != 3 or frame_HW3.shape[-1] != 3 or frame_HW3.dtype != np.uint8:
        raise ValueError(
            f"a frame is {frame_HW3.shape} {frame_HW3.dtype}: height x width x 3 uint8 is needed"
        )
