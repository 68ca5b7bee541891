"""The curves of a film: decoded once, at a rate that shows motion and cuts."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np

from soundreel.asking.change import change_of, onsets_at
from soundreel.asking.curves import HEARD_NAMES, SEEN_NAMES, ClipCurves, listen, with_own_hue
from soundreel.dataset.clip import sha256_of
from soundreel.dataset.picture_hash import picture_hashes
from soundreel.errors import MediaError
from soundreel.evidence.cuts import find_cuts
from soundreel.evidence.descriptors import picture_descriptors
from soundreel.evidence.warping import flow_magnitude
from soundreel.media.probe import VideoStream, probe
from soundreel.media.sound import read_sound
from soundreel.media.video import Fit, frames_at
from soundreel.timeline import (
    exact_seconds,
    frame_count,
    frame_shown_at,
    frame_time,
    nearest_frame,
)

#: Fifteen pictures a second show motion and cuts; more cost time and tell the tests little.
DENSE_FPS = Fraction(15)
#: Of a longer clip this much is measured.
MOST_SECONDS = Fraction(900)
_RATE_HZ = 22_050
_ROWS = 72
#: Smaller pictures are enlarged: no flow can be found in them.
_LEAST_SIDE = 16
#: Pictures are recognised by one of these many.
_HASH_EVERY = 3
#: A film of fewer pictures a second has no motion to speak of.
_LEAST_DENSE_FPS = 8


def film_curves(path: Path, clip_id: str, title: str, every_seconds: Fraction) -> ClipCurves:
    """Measure a film: its sound and pictures, at most the first `MOST_SECONDS` of it.

    Pictures are taken `DENSE_FPS` times a second (a slower film's own rate), in 72 rows, and
    averaged over each stretch of `every_seconds`; the sound is measured over the same stretches.

    Raises: MediaError if it cannot be read, or has no sound or no picture.
    """
    info = probe(path)
    if info.video is None or info.audio is None:
        lacks = "picture" if info.video is None else "sound"
        raise MediaError(f"{path}: has no {lacks}: the question needs both")
    sound_N = read_sound(path, _RATE_HZ, "mono", Fraction(0), MOST_SECONDS)
    fps = min(DENSE_FPS, info.video.fps)
    frames_FHW3 = _frames(path, info.video, fps)
    samples = frame_shown_at(
        min(frame_time(len(frames_FHW3), fps), Fraction(len(sound_N), _RATE_HZ)), 1 / every_seconds
    )
    times_S = np.array([float((k + 1) * every_seconds) for k in range(samples)])
    heard = listen(sound_N, _RATE_HZ, times_S, float(every_seconds))
    seen_FP = with_own_hue(picture_descriptors(frames_FHW3).values_TD)
    dense = fps >= _LEAST_DENSE_FPS
    cut_seconds = find_cuts(frames_FHW3, fps) if dense else np.empty(0)
    frame_seconds_F = np.array([float(frame_time(n, fps)) for n in range(len(frames_FHW3))])
    cut_frames = [nearest_frame(exact_seconds(float(cut)), fps) for cut in cut_seconds]
    flow_F = flow_magnitude(frames_FHW3, fps, cut_frames)
    seen_FP = np.concatenate([seen_FP, flow_F[:, None]], axis=1)
    end_S = [frame_count(Fraction(k + 1) * every_seconds, fps) for k in range(samples)]
    hash_K, has_K = picture_hashes(frames_FHW3[::_HASH_EVERY])
    # What a film of more pictures shows is seen at the next one taken.
    late_seconds = float((1 / fps - 1 / info.video.fps) / 2) if info.video.fps > fps else 0.0
    speeds = {"flow": flow_F, "motion_energy": seen_FP[:, SEEN_NAMES.index("motion_energy")]}
    assert heard.heard_SA.shape[1] == len(HEARD_NAMES)
    return ClipCurves(
        id=clip_id,
        title=title,
        sha256=sha256_of(path),
        seconds=float(frame_time(len(frames_FHW3), fps)),
        every_seconds=float(every_seconds),
        lead=0,
        filled=0.0,
        seen_names=SEEN_NAMES,
        heard_SA=heard.heard_SA,
        seen_TP=_means(seen_FP, end_S),
        dense_fps=float(fps) if dense else 0.0,
        motion_F=change_of(speeds, float(fps)) if dense else np.empty(0),
        onset_F=onsets_at(heard.strength_T, heard.onset_rate_hz, frame_seconds_F, late_seconds)
        if dense
        else np.empty(0),
        late_seconds=late_seconds,
        strength_T=heard.strength_T,
        onset_rate_hz=heard.onset_rate_hz,
        cut_seconds=cut_seconds,
        beat_seconds=heard.beat_seconds,
        tempo_bpm=heard.tempo_bpm,
        loudness_db=heard.loudness_db,
        sound_hash_N=heard.sound_hash_N,
        sound_time_N=heard.sound_time_N,
        picture_hash_K=hash_K[has_K],
        picture_seconds_K=frame_seconds_F[::_HASH_EVERY][has_K],
    )


def _frames(path: Path, film: VideoStream, fps: Fraction) -> np.ndarray:
    """The film's pictures, small, in its own shape: F x H x W x 3 uint8."""
    rows = max(_LEAST_SIDE, min(_ROWS, film.height))
    fit = Fit(rows, max(_LEAST_SIDE, round(rows * film.width / film.height)))
    most = frame_count(MOST_SECONDS, fps)
    if film.duration_seconds is not None:
        most = min(most, frame_count(film.duration_seconds, fps) + 1)
    times = [frame_time(n, fps) for n in range(most)]
    pictures = [picture for _, picture in frames_at(path, times, fit)]
    if not pictures:
        raise MediaError(f"{path}: none of its pictures can be decoded: give another file")
    return np.stack(pictures)


def _means(x_FP: np.ndarray, end_S: list[int]) -> np.ndarray:
    """Means over stretches of frames that end before each of `end_S`: S x P."""
    sums_FP = np.concatenate([np.zeros((1, x_FP.shape[1])), np.cumsum(x_FP, axis=0)])
    rows = []
    for start, end in itertools.pairwise([0, *end_S]):
        # A stretch shorter than a picture shows the one before.
        first = min(start, end - 1) if end > 0 else 0
        last = max(end, first + 1)
        rows.append((sums_FP[last] - sums_FP[first]) / (last - first))
    return np.array(rows).reshape(len(end_S), x_FP.shape[1])
