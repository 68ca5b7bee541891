"""What `ask` measures of a clip: curves of what is heard and seen, cuts, beats, and its prints."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from soundreel.atomic import atomic_file
from soundreel.dataset.sameness import Prints
from soundreel.evidence.descriptors import PICTURE_NAMES, SOUND_NAMES, sound_descriptors
from soundreel.evidence.streams import Clip, with_lags
from soundreel.sound.beats import beats_at_tempo, tempo_bpm
from soundreel.sound.chroma import PITCH_CLASSES, chroma
from soundreel.sound.fingerprint import fingerprint
from soundreel.sound.rhythm import log_centroid, onset_envelope

HEARD_NAMES = (*SOUND_NAMES, "timbre", *PITCH_CLASSES)
_HUE = (PICTURE_NAMES.index("hue_cos"), PICTURE_NAMES.index("hue_sin"))
#: As `picture_descriptors` has them, but the hue as each clip's own (see `with_own_hue`).
CLIP_PICTURE_NAMES = tuple(
    {"hue_cos": "own_hue", "hue_sin": "hue_turn"}.get(name, name) for name in PICTURE_NAMES
)
#: Where the frames are dense enough for it, motion comes from optical flow too.
SEEN_NAMES = (*CLIP_PICTURE_NAMES, "flow")

#: Shorter windows do not tell bass notes apart.
_LEAST_CHROMA_SECONDS = 0.4

#: Counts up when the same file would give other curves than before.
EDITION = 4
#: Twelve pitch classes weigh like three curves, or the components would hear harmony only.
HEARD_WEIGHTS = (*(1.0 for _ in SOUND_NAMES), 1.0, *(0.5 for _ in PITCH_CLASSES))


@dataclass(frozen=True)
class ClipCurves:
    """Everything measured of one clip.

    every_seconds: from one sample of heard and seen to the next. heard_SA: `HEARD_NAMES`;
    seen_TP: `seen_names`; sample t of seen goes with t + lead of heard.
    filled: share of the seen samples that had no picture and were drawn between their neighbours.
    dense_fps: pictures a second of motion_F (how much the picture changes) and onset_F (at the same
    times), 0 and empty where there are too few pictures a second. late_seconds: by how much, on
    average, what is seen is dated later than it is shown (pictures between those that were taken);
    onset_F is held back by as much, cut_seconds are as dated, beat_seconds as heard.
    onset_rate_hz, strength_T: the onset envelope. All times count from the first picture.
    tempo_bpm: 0 where nothing beats. loudness_db: of the whole clip, root mean square.
    prints: what it is recognised by.
    """

    id: str
    title: str
    sha256: str
    seconds: float
    every_seconds: float
    lead: int
    filled: float
    seen_names: tuple[str, ...]
    heard_SA: np.ndarray
    seen_TP: np.ndarray
    dense_fps: float
    motion_F: np.ndarray
    onset_F: np.ndarray
    late_seconds: float
    strength_T: np.ndarray
    onset_rate_hz: float
    cut_seconds: np.ndarray
    beat_seconds: np.ndarray
    tempo_bpm: float
    loudness_db: float
    sound_hash_N: np.ndarray
    sound_time_N: np.ndarray
    picture_hash_K: np.ndarray
    picture_seconds_K: np.ndarray

    @property
    def prints(self) -> Prints:
        """What the clip is recognised by."""
        return Prints(
            self.sound_hash_N, self.sound_time_N, self.picture_hash_K, self.picture_seconds_K
        )

    @property
    def is_dense(self) -> bool:
        """Whether motion, cuts and the like were measured."""
        return self.dense_fps > 0

    def clip(self, lags: tuple[int, ...]) -> Clip:
        """As the tests take it: the sound also as it was some samples earlier."""
        return Clip(with_lags(self.heard_SA, lags), self.seen_TP, self.lead)


@dataclass(frozen=True)
class Heard:
    """What is measured of a sound."""

    heard_SA: np.ndarray
    strength_T: np.ndarray
    onset_rate_hz: float
    beat_seconds: np.ndarray
    tempo_bpm: float
    loudness_db: float
    sound_hash_N: np.ndarray
    sound_time_N: np.ndarray


def listen(
    sound_N: np.ndarray, sample_rate_hz: int, times_seconds: np.ndarray, window_seconds: float
) -> Heard:
    """Measure a sound; `heard_SA` at the times, each of the `window_seconds` before it."""
    envelope = onset_envelope(sound_N, sample_rate_hz)
    bpm = tempo_bpm(envelope)
    prints = fingerprint(sound_N, sample_rate_hz)
    power = float(np.mean(np.square(sound_N, dtype=np.float64))) if len(sound_N) else 0.0
    curves = sound_descriptors(sound_N, sample_rate_hz, times_seconds, window_seconds)
    timbre_S = log_centroid(sound_N, sample_rate_hz, times_seconds, window_seconds)
    pitches_S12 = chroma(
        sound_N, sample_rate_hz, times_seconds, max(window_seconds, _LEAST_CHROMA_SECONDS)
    )
    return Heard(
        heard_SA=np.concatenate([curves.values_TD, timbre_S[:, None], pitches_S12], axis=1),
        strength_T=envelope.strength_T,
        onset_rate_hz=envelope.hops_per_second,
        beat_seconds=np.empty(0) if bpm is None else beats_at_tempo(envelope, bpm),
        tempo_bpm=0.0 if bpm is None else float(bpm),
        loudness_db=10 * float(np.log10(max(power, 1e-10))),
        sound_hash_N=prints.hash_H,
        sound_time_N=prints.time_H,
    )


def with_own_hue(seen_TP: np.ndarray) -> np.ndarray:
    """`PICTURE_NAMES` as `CLIP_PICTURE_NAMES`: the hue vector along and across the clip's mean hue.

    A turn of all colours by so many degrees changes cosine and sine of the hue in another way in
    a red film than in a blue one; across the film's own mean hue it is the same in both. It is a
    function of the picture alone.

    Shape: T x P -> T x P.
    """
    hue_T2 = seen_TP[:, _HUE]
    mean_2 = hue_T2.mean(axis=0)
    length = float(np.hypot(*mean_2))
    cosine, sine = mean_2 / length if length > 1e-9 else (1.0, 0.0)
    turned_TP = seen_TP.copy()
    turned_TP[:, _HUE] = hue_T2 @ np.array([[cosine, -sine], [sine, cosine]])
    return turned_TP


def save_curves(path: Path, curves: ClipCurves) -> None:
    """Write curves as .npz, whole or not at all. Raises: StorageError."""
    told: dict[str, Any] = {"edition": EDITION}
    arrays = {}
    for field in fields(curves):
        value = getattr(curves, field.name)
        if isinstance(value, np.ndarray):
            arrays[field.name] = value
        else:
            told[field.name] = value
    with atomic_file(path) as partial, partial.open("wb") as file:
        np.savez(file, told=np.array(json.dumps(told)), **arrays)


def load_curves(path: Path) -> ClipCurves | None:
    """Read what `save_curves` wrote; None if it is not there, of another edition, or damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            told = json.loads(str(stored["told"]))
            if told.pop("edition") != EDITION:
                return None
            told["seen_names"] = tuple(told["seen_names"])
            return ClipCurves(**told, **{key: stored[key] for key in stored.files if key != "told"})
    except (OSError, KeyError, ValueError, TypeError, EOFError):
        return None
