"""Corpora of curves without pictures: hundreds of them in minutes, to calibrate a test on.

Source of the design: the planted-truth corpus of the evidence protocol.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from soundreel.errors import SettingsError
from soundreel.seeding import numpy_generator_for
from soundreel.synthetic.listening import standardised
from soundreel.synthetic.truth import (
    FADE_UNITS,
    SAME_TEMPO_BPM,
    PlantedTruth,
    coupled,
    cut_times,
    driven,
    fade_depth,
    mapping_for,
)

AUDIO_NAMES = ("loudness", "centroid", "flux", "low", "high", "chroma-a", "chroma-b", "chroma-c")
VISUAL_NAMES = ("brightness", "hue", "motion", "contrast", "edges")
_OWN_SHARE = 0.3
_PHRASE_SECONDS = 16 * 60 / SAME_TEMPO_BPM


@dataclass(frozen=True)
class PlantedFeatures:
    """A corpus as a test sees it.

    audio_VTA: float64 [V, T, 8], `AUDIO_NAMES`; the last five are mixtures of the first three
        with something of their own.
    visual_VTY: float64 [V, T, 5], `VISUAL_NAMES`; the last two are never coupled.
    every_seconds: from one sample to the next.
    song_of_video: which song each video has, int64 [V].
    beats_seconds, cuts_seconds: one array a video.
    """

    audio_VTA: np.ndarray
    visual_VTY: np.ndarray
    every_seconds: float
    song_of_video: np.ndarray
    beats_seconds: tuple[np.ndarray, ...]
    cuts_seconds: tuple[np.ndarray, ...]


def planted_features(
    truth: PlantedTruth,
    seed: int,
    videos: int = 30,
    samples: int = 40,
    every_seconds: float = 1.5,
    persistence: float = 0.8,
) -> PlantedFeatures:
    """Draw a corpus of curves.

    persistence: correlation of a curve with itself one sample later, 0..1 (AR(1)).

    Raises: SettingsError for fewer than 2 videos or 4 samples, or a number out of range.
    """
    if videos < 2 or samples < 4:
        raise SettingsError(f"{videos} videos of {samples} samples: at least 2 of 4 are needed")
    if not 0 <= persistence < 1:
        raise SettingsError(f"persistence = {persistence}: must be at least 0 and below 1")
    if not truth.av_offset_seconds < every_seconds:
        raise SettingsError(
            f"every_seconds = {every_seconds}: must be more than the offset of "
            f"{truth.av_offset_seconds} s"
        )
    rng = numpy_generator_for(seed, "features")
    song_of = np.array([truth.song_of(video, videos) for video in range(videos)])
    kept = np.full(videos, persistence)
    if truth.matched_smoothness:
        kept = rng.uniform(0.2, 0.97, videos)[song_of]
    share = truth.av_offset_seconds / every_seconds
    heard, earlier = _heard(rng, truth, kept, samples, every_seconds, share)
    heard, earlier = heard[song_of], earlier[song_of]
    own = _curve(rng, kept, 5, samples)[0]
    if truth.random_walk:
        own = standardised(np.cumsum(rng.standard_normal((videos, 5, samples)), axis=-1))
    if truth.same_tempo_random_phase:
        own = _pulsing(rng, own, samples, every_seconds)
    mapping = np.stack([mapping_for(truth, rng) for _ in range(videos)])
    seen = own.copy()
    seen[:, :3] = coupled(truth, driven(truth, earlier, mapping), own[:, :3])
    heard = _with_mixtures(rng, heard, song_of, kept)
    if truth.shared_fades:
        fade = FADE_UNITS * fade_depth(samples)
        heard[:, 0] -= fade
        seen[:, 0] -= fade
    heard, seen = _with_constants(rng, truth, heard, seen, song_of)
    beats = tuple(
        _beats(seed, int(song), samples * every_seconds, truth.same_tempo_random_phase)
        for song in song_of
    )
    cuts = tuple(cut_times(truth, beat, samples * every_seconds, rng) for beat in beats)
    return PlantedFeatures(
        heard.transpose(0, 2, 1), seen.transpose(0, 2, 1), every_seconds, song_of, beats, cuts
    )


def _curve(
    rng: np.random.Generator, kept_V: np.ndarray, curves: int, samples: int, share: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """AR(1) curves of unit variance [V, curves, T], and the same `share` of a sample earlier.

    An Ornstein-Uhlenbeck process looked at twice a sample, so that the earlier values are exact.
    """
    shape = (len(kept_V), curves)
    late = kept_V[:, None] ** (1 - share)
    soon = kept_V[:, None] ** share
    shocks = rng.standard_normal((2, samples, *shape))
    now = rng.standard_normal(shape)
    curve, earlier = np.empty((samples, *shape)), np.empty((samples, *shape))
    for t in range(samples):
        before = late * now + np.sqrt(1 - late**2) * shocks[0, t]
        now = soon * before + np.sqrt(np.maximum(0, 1 - soon**2)) * shocks[1, t]
        curve[t], earlier[t] = now, before
    return curve.transpose(1, 2, 0), earlier.transpose(1, 2, 0)


def _heard(
    rng: np.random.Generator,
    truth: PlantedTruth,
    kept: np.ndarray,
    samples: int,
    every_seconds: float,
    share: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The three curves heard [V, 3, T], and as they were an offset earlier."""
    videos = len(kept)
    if truth.random_walk:
        # A walk between two samples is a bridge; the offset moves along it.
        walk = np.cumsum(rng.standard_normal((videos, 3, samples + 1)), axis=-1)
        bridge = np.sqrt(share * (1 - share)) * rng.standard_normal((videos, 3, samples))
        earlier = (1 - share) * walk[..., 1:] + share * walk[..., :-1] + bridge
        middle = walk[..., 1:].mean(axis=-1, keepdims=True)
        spread = walk[..., 1:].std(axis=-1, keepdims=True)
        heard, earlier = (walk[..., 1:] - middle) / spread, (earlier - middle) / spread
    else:
        heard, earlier = _curve(rng, kept, 3, samples, share)
    if truth.same_tempo_random_phase:
        phase = rng.uniform(0, 2 * np.pi, (videos, 3, 1))
        turn = 2 * np.pi / _PHRASE_SECONDS * every_seconds
        at = np.arange(samples)
        heard = (heard + np.sqrt(2) * np.sin(turn * at + phase)) / np.sqrt(2)
        earlier = (earlier + np.sqrt(2) * np.sin(turn * (at - share) + phase)) / np.sqrt(2)
    return heard, earlier


def _pulsing(
    rng: np.random.Generator, own: np.ndarray, samples: int, every_seconds: float
) -> np.ndarray:
    phase = rng.uniform(0, 2 * np.pi, (*own.shape[:2], 1))
    turn = 2 * np.pi / _PHRASE_SECONDS * every_seconds
    return (own + np.sqrt(2) * np.sin(turn * np.arange(samples) + phase)) / np.sqrt(2)


def _with_mixtures(
    rng: np.random.Generator, heard: np.ndarray, song_of: np.ndarray, kept: np.ndarray
) -> np.ndarray:
    """The three curves, and five more that share most of their variance with them: [V, 8, T]."""
    weights = rng.standard_normal((5, 3))
    weights /= np.sqrt((weights**2).sum(axis=1, keepdims=True))
    extra = _curve(rng, kept, 5, heard.shape[-1])[0][song_of]
    mixed = np.sqrt(1 - _OWN_SHARE) * np.einsum("ij,vjt->vit", weights, heard)
    return np.concatenate((heard, mixed + np.sqrt(_OWN_SHARE) * extra), axis=1)


def _with_constants(
    rng: np.random.Generator,
    truth: PlantedTruth,
    heard: np.ndarray,
    seen: np.ndarray,
    song_of: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Every song's own level and every video's own look."""
    videos = len(heard)
    character = rng.standard_normal((videos, 1))[song_of]
    own_sound = rng.standard_normal((videos, heard.shape[1]))[song_of]
    own_look = rng.standard_normal((videos, seen.shape[1]))
    scale = np.exp(0.2 * rng.standard_normal((videos, seen.shape[1])))
    if truth.look_by_genre:
        own_sound = (own_sound + 2 * character) / np.sqrt(5)
        own_look = (own_look + 2 * character) / np.sqrt(5)
    if truth.look_constant or truth.look_by_genre:
        seen = seen * scale[..., None] + 1.5 * own_look[..., None]
    return heard + 1.5 * own_sound[..., None], seen


def _beats(seed: int, song: int, seconds: float, same_tempo: bool) -> np.ndarray:
    rng = numpy_generator_for(seed, "features/beats", song)
    tempo_bpm = SAME_TEMPO_BPM if same_tempo else float(rng.uniform(70, 150))
    # A beat's length wanders by half a percent, as a drummer's does.
    count = 2 + int(1.1 * tempo_bpm * seconds / 60)
    lengths = 60 / tempo_bpm * np.exp(0.005 * rng.standard_normal(count))
    times = rng.uniform(0, lengths[0]) + np.cumsum(lengths) - lengths[0]
    return times[times < seconds]
