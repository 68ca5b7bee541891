"""What a model makes of a song without one of its parts, beside the same song with it.

Shapes: N samples, T times, P descriptors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from soundreel.asking.song_cues import song_cues
from soundreel.evidence.attribution import MutingEffects, muting_effects
from soundreel.evidence.descriptors import PICTURE_NAMES, picture_descriptors
from soundreel.networks.bundle import Model, require_direction
from soundreel.progress import Listener, Step, silent
from soundreel.rendering.engines.engine import to_frames
from soundreel.seeding import seed_for
from soundreel.sound.parts import energy_share, random_parts, sound_parts
from soundreel.sound.representation import sound_images
from soundreel.sound.rhythm import sample_ends

#: More times say little more, and each costs a picture for every part and every control.
MOST_TIMES = 150
_BATCH = 8


@dataclass(frozen=True)
class MutedPictures:
    """Descriptors (T x P, float64, columns `PICTURE_NAMES`) of a model's pictures for one song.

    end_samples_T: the exclusive ends of the windows.
    full_TP: of the whole song; muted: without each part; controls: without random parts of each
      part's energy, as many as there were draws.
    shares: the energy of each part over the song's.
    """

    end_samples_T: np.ndarray
    full_TP: np.ndarray
    muted: dict[str, np.ndarray]
    controls: dict[str, list[np.ndarray]]
    shares: dict[str, float]


def muted_pictures(
    model: Model,
    sound_N: np.ndarray,
    times_seconds: Sequence[Fraction | float] | np.ndarray,
    stems: Mapping[str, np.ndarray] | None = None,
    draws: int = 8,
    seed: int = 0,
    progress: Listener = silent,
) -> MutedPictures:
    """What there is to see in a model's pictures for a song, without parts of it, and controls.

    sound_N: float32 in [-1, 1], at the recipe's rate. stems: N each, see `sound.parts`.
    times_seconds: ascending; of more than 150, 150 evenly spaced ones are taken.
    draws: controls a part. Pictures made: T x (1 + parts x (1 + draws)), with the same noise
      (where the model draws some) at the same time.

    Raises: ModelError if the model goes from picture to sound; ValueError if there are no times,
    or the sound is not one-dimensional.
    """
    require_direction(model.folder, model.direction, "sound-to-picture")
    if len(times_seconds) == 0:
        raise ValueError("no times: at least one is needed")
    recipe = model.recipe
    rate = recipe.sample_rate_hz
    end_T = sample_ends(_thinned(times_seconds), rate)
    # Only what some window holds is taken apart.
    start = int(max(0, end_T.min() - recipe.window_samples))
    heard_N = np.asarray(sound_N, np.float32)[start : end_T.max()]
    # A `reel` draws every version by the plan of the whole song. The question is what a part does
    # in the picture's own sound; planned anew for each version, the film would be cut elsewhere
    # and maybe look otherwise, and that leap would hide what the sound did. So these effects are
    # those of the sound code alone: what a part does to the plan is not in them.
    images = _images(model, heard_N, end_T - start)
    cues = song_cues(model, sound_N, images, end_T / rate, seed)
    cue_TK = None if cues is None else cues.cue_TK
    heard_stems = {name: stem_N[start : end_T.max()] for name, stem_N in (stems or {}).items()}
    parts = sound_parts(heard_N, rate, heard_stems)
    shares = {name: energy_share(part_N, heard_N) for name, part_N in parts.items()}
    total = len(end_T) * (1 + len(parts) * (1 + draws))
    made = 0

    def seen(without_N: np.ndarray, what: str) -> np.ndarray:
        nonlocal made
        frames = _frames(model, without_N, end_T - start, seed, cue_TK)
        values_TP = picture_descriptors(_counted(frames, step, what)).values_TD
        made += len(end_T)
        return values_TP

    def step(done: int, what: str) -> None:
        progress(Step("mute", made + done, total, "pictures", what))

    full_TP = seen(heard_N, "the whole song")
    muted = {name: seen(heard_N - part_N, f"no {name}") for name, part_N in parts.items()}
    del parts
    controls: dict[str, list[np.ndarray]] = {name: [] for name in shares}
    for k in range(draws):
        drawn = random_parts(
            heard_N, rate, list(shares.values()), seed_for(seed, "control muting", k)
        )
        for name, part_N in zip(shares, drawn, strict=True):
            what = f"control {k + 1} of {draws} for {name}"
            controls[name].append(seen(heard_N - part_N, what))
    return MutedPictures(end_T, full_TP, muted, controls, shares)


def mute(
    model: Model,
    sound_N: np.ndarray,
    times_seconds: Sequence[Fraction | float] | np.ndarray,
    stems: Mapping[str, np.ndarray] | None = None,
    draws: int = 8,
    seed: int = 0,
    progress: Listener = silent,
) -> MutingEffects:
    """How far each part of a song moves what a model makes of it; arguments as `muted_pictures`.

    Raises: as `muted_pictures`, and ValueError if there are fewer than 3 draws.
    """
    if draws < 3:
        raise ValueError(f"draws = {draws}: at least 3 controls are needed")
    return effects_over(
        [muted_pictures(model, sound_N, times_seconds, stems, draws, seed, progress)]
    )


def effects_over(songs: Sequence[MutedPictures]) -> MutingEffects:
    """The effects over several songs, of the parts that all of them have.

    Raises: ValueError if there are no songs, or they have different numbers of draws.
    """
    parts = [name for name in songs[0].muted if all(name in song.muted for song in songs)]
    return muting_effects(
        [song.full_TP for song in songs],
        {name: [song.muted[name] for song in songs] for name in parts},
        {name: list(zip(*(song.controls[name] for song in songs), strict=True)) for name in parts},
        PICTURE_NAMES,
    )


def _thinned(times_seconds: Sequence[Fraction | float] | np.ndarray) -> list[Fraction | float]:
    count = min(len(times_seconds), MOST_TIMES)
    return [times_seconds[k * len(times_seconds) // count] for k in range(count)]


def _images(model: Model, sound_N: np.ndarray, end_T: np.ndarray) -> Iterator[Tensor]:
    """The sound images for the ends, B x 1 x S x S at a time."""
    device = next(model.generator.parameters()).device
    sound = torch.from_numpy(np.ascontiguousarray(sound_N)).to(device)
    # All at once (some 40 MB), so that windows share what columns they can.
    yield from sound_images(sound, torch.from_numpy(end_T), model.recipe).split(_BATCH)


def _frames(
    model: Model, sound_N: np.ndarray, end_T: np.ndarray, seed: int, cue_TK: Tensor | None
) -> Iterator[np.ndarray]:
    """The model's picture for each end, H x W x 3 uint8."""
    first = 0
    for x_B1SS in _images(model, sound_N, end_T):
        seeds = [seed_for(seed, "picture", first + place) for place in range(len(x_B1SS))]
        cue_BK = None if cue_TK is None else cue_TK[first : first + len(x_B1SS)]
        yield from to_frames(model.pictures(x_B1SS, seeds, cue_BK))
        first += len(x_B1SS)


def _counted(
    frames: Iterator[np.ndarray], step: Callable[[int, str], None], what: str
) -> Iterator[np.ndarray]:
    done = 0
    for done, frame in enumerate(frames, start=1):
        yield frame
        if done % _BATCH == 0:
            step(done, what)
    if done % _BATCH:
        step(done, what)
