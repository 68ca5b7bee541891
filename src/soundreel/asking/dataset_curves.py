"""The curves of a dataset's clip: of the frames that are there, at the recipe's own times."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from soundreel.asking.change import change_of, onsets_at
from soundreel.asking.curves import CLIP_PICTURE_NAMES, ClipCurves, listen, with_own_hue
from soundreel.dataset.picture_hash import picture_hashes
from soundreel.dataset.store import ClipRow, Dataset, read_frame
from soundreel.errors import DatasetError
from soundreel.evidence.cuts import find_cuts
from soundreel.evidence.descriptors import PICTURE_NAMES, picture_descriptors
from soundreel.media.sound import read_sound
from soundreel.timeline import frame_shown_at, grid_count

_RATE_HZ = 22_050
#: Fewer frames a second show no motion and no cuts.
_LEAST_DENSE_FPS = 8
#: Steps between frames are heard whole within these bounds.
_LEAST_WINDOW_SECONDS, _MOST_WINDOW_SECONDS = 0.15, 1.5
#: More of a clip's places than this without a frame, and it is no curve any more.
_MOST_FILLED = 0.5


def dataset_curves(dataset: Dataset, row: ClipRow) -> ClipCurves:
    """Measure a clip of a dataset: the whole of its sound, and the frames that are there.

    A place of the recipe's grid without a frame (left out, or deleted) is drawn between its
    neighbours: that is a function of the picture alone, and so as good under a null as any.

    Raises: DatasetError if it has no sound (pairs made elsewhere), or no frame at more than half
    of its places.
    """
    step = dataset.recipe.step_seconds(row.fps)
    if not dataset.sound_path(row.id).is_file():
        raise DatasetError(
            f"{dataset.clip_folder(row.id)}: holds no sound, only sound images: ask the clips that "
            "it was made of"
        )
    frames = dataset.frames(row.id)
    first, last = frames[0][0], frames[-1][0]
    places = last - first + 1
    if places - len(frames) > _MOST_FILLED * places:
        raise DatasetError(
            f"{row.id}: has frames at {len(frames)} of {places} places: too few to follow"
        )
    size = dataset.recipe.picture_size
    pictures_NHW3 = np.stack([read_frame(path, size) for _, path in frames])
    sound_N = read_sound(dataset.sound_path(row.id), _RATE_HZ, "mono")
    begin = dataset.time_of(row, first)
    # Sound before the first frame and after the last: what shifts of a song have to go along.
    lead = frame_shown_at(begin, 1 / step)
    times = [begin + (k - lead) * step for k in range(lead + places)]
    after = grid_count(times[-1] + step, Fraction(len(sound_N), _RATE_HZ), step)
    times += [times[-1] + (k + 1) * step for k in range(after)]
    window = min(max(float(step), _LEAST_WINDOW_SECONDS), _MOST_WINDOW_SECONDS)
    heard = listen(sound_N, _RATE_HZ, np.array([float(t) for t in times]), window)
    at_N = np.array([k - first for k, _ in frames])
    seen_NP = with_own_hue(picture_descriptors(pictures_NHW3).values_TD)
    # The first frame after a gap has moved since long ago: no motion of a step.
    motion = PICTURE_NAMES.index("motion_energy")
    follows_N = np.concatenate([[False], np.diff(at_N) == 1])
    seen_TP = np.stack(
        [
            np.interp(np.arange(places), at_N[kept_N], seen_NP[kept_N, place])
            for place in range(len(PICTURE_NAMES))
            for kept_N in [
                follows_N if place == motion and follows_N.any() else np.full(len(at_N), True)
            ]
        ],
        axis=1,
    )
    fps = 1 / step
    dense = fps >= _LEAST_DENSE_FPS and len(frames) == places
    hash_K, has_K = picture_hashes(pictures_NHW3)
    seconds_N = np.array([float(dataset.time_of(row, k)) for k, _ in frames])
    seconds = float(places * step)
    # Onsets, beats and cuts are counted from the first picture, as the curves are.
    before = frame_shown_at(begin, Fraction(heard.onset_rate_hz))
    beats = heard.beat_seconds - float(begin)
    return ClipCurves(
        id=row.id,
        title=row.title,
        sha256=row.sha256,
        seconds=seconds,
        every_seconds=float(step),
        lead=lead,
        filled=1 - len(frames) / places,
        seen_names=CLIP_PICTURE_NAMES,
        heard_SA=heard.heard_SA,
        seen_TP=seen_TP,
        dense_fps=float(fps) if dense else 0.0,
        motion_F=change_of({"motion_energy": seen_TP[:, motion]}, float(fps))
        if dense
        else np.empty(0),
        onset_F=onsets_at(heard.strength_T, heard.onset_rate_hz, seconds_N)
        if dense
        else np.empty(0),
        late_seconds=0.0,
        strength_T=heard.strength_T[before:],
        onset_rate_hz=heard.onset_rate_hz,
        cut_seconds=find_cuts(pictures_NHW3, fps) if dense else np.empty(0),
        beat_seconds=beats[(beats >= 0) & (beats < seconds)],
        tempo_bpm=heard.tempo_bpm,
        loudness_db=heard.loudness_db,
        sound_hash_N=heard.sound_hash_N,
        sound_time_N=heard.sound_time_N,
        picture_hash_K=hash_K[has_K],
        picture_seconds_K=seconds_N[has_K],
    )
