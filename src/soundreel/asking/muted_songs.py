"""What a model makes of unseen songs without one part of their sound: which part it listens to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from soundreel.asking.attribution_question import stems_of
from soundreel.asking.muting import effects_over, muted_pictures
from soundreel.dataset.loading import Pairs
from soundreel.dataset.store import Dataset
from soundreel.evidence.attribution import MutingEffects
from soundreel.media.sound import read_sound
from soundreel.networks.bundle import Model
from soundreel.progress import Listener

#: So many songs, moments of each and controls a part: some 3,000 pictures in all.
_SONGS, _MOMENTS, _CONTROLS = 2, 60, 4


@dataclass(frozen=True)
class MutedSongs:
    """The effects over some songs, and each part's mean share of their energy."""

    effects: MutingEffects
    shares: dict[str, float]


def mute_songs(
    model: Model,
    dataset: Dataset,
    held_out: Sequence[Pairs],
    stems: Path | None,
    seed: int,
    progress: Listener,
) -> MutedSongs | None:
    """Mute every part of the first unseen songs in turn; None where there is no sound to part.

    Raises: SettingsError if a song's stems are missing.
    """
    songs = [(pairs, clip) for pairs in held_out for clip in range(len(pairs.clip_ids))]
    made = []
    for pairs, clip in songs[:_SONGS]:
        of_clip = np.flatnonzero(pairs.clip_N == clip)
        sound_N = np.asarray(pairs.sounds[clip], np.float32) if pairs.sounds else np.empty(0)
        if len(of_clip) == 0 or len(sound_N) == 0:
            continue
        chosen = of_clip[np.linspace(0, len(of_clip) - 1, min(_MOMENTS, len(of_clip))).astype(int)]
        tracks = None
        if stems is not None:
            recipe = dataset.recipe
            tracks = {
                name: read_sound(path, recipe.sample_rate_hz, recipe.channel)
                for name, path in stems_of(stems, pairs.clip_ids[clip])
            }
        times = pairs.time_seconds_N[chosen]
        made.append(muted_pictures(model, sound_N, times, tracks, _CONTROLS, seed, progress))
    if not made:
        return None
    shares = {part: float(np.mean([song.shares[part] for song in made])) for part in made[0].shares}
    return MutedSongs(effects_over(made), shares)
