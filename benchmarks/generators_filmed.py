"""Films of unseen songs for `generators.py`, at the moments of the real videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from soundreel.asking.filming import bytes_of
from soundreel.asking.shared_looks import frames_of, sharing_look, told_looks
from soundreel.asking.song_cues import song_cues
from soundreel.dataset.loading import Pairs, load_pairs
from soundreel.dataset.store import Dataset, Split
from soundreel.editing.remixing import remix_frames
from soundreel.evidence.clip_moments import FEWEST_MOMENTS
from soundreel.networks.bundle import Model
from soundreel.networks.resample import fit_to
from soundreel.seeding import seed_for

_AT_ONCE = 32
#: A sound to be found again: so many rows and columns of the last quarter of its sound image.
_HEARD_ROWS, _HEARD_COLUMNS = 32, 4
_MEAN_OF = 4_096


@dataclass(frozen=True, eq=False)
class Scene:
    """A clip that was held out, T moments in a row from its middle.

    source: its video file. run_starts: places of the T before which moments are missing.
    truth_THW3: its frames, uint8. others_BHW3: frames of training clips that are told to share
    its look. look_ids: training clips of the look that is found for it by ear.
    """

    id: str
    source: Path
    pairs: Pairs
    places_T: np.ndarray
    run_starts: np.ndarray
    truth_THW3: np.ndarray
    others_BHW3: np.ndarray
    look_ids: tuple[str, ...]

    @property
    def seconds(self) -> np.ndarray:
        """When its moments are, in its clip."""
        return self.pairs.time_seconds_N[self.places_T]

    @property
    def sound(self) -> np.ndarray:
        """The whole clip's sound."""
        return self.pairs.sounds[int(self.pairs.clip_N[self.places_T[0]])]

    def images(self) -> list[Callable[[], Tensor]]:
        """Its sound images, some at a time, each made when it is called."""
        parts = np.array_split(self.places_T, max(1, -(-len(self.places_T) // _AT_ONCE)))
        return [lambda part=part: self.pairs.sound_images(part) for part in parts]


def scenes_of(
    dataset: Dataset, training: Pairs, shape: tuple[int, int], moments: int
) -> list[Scene]:
    """The held-out clips, at most so many moments of each; a look for each, found by ear."""
    told = told_looks(dataset.clips())
    rows = {row.id: row for row in dataset.clips()}
    step = float(dataset.recipe.step_seconds(dataset.clips("train")[0].fps))
    known_RD = _heard(training)
    scenes = []
    splits: tuple[Split, ...] = ("val", "test")
    for split in splits:
        pairs = load_pairs(dataset, split) if dataset.clips(split) else None
        for clip, name in enumerate(pairs.clip_ids if pairs else ()):
            assert pairs is not None
            of_clip = np.flatnonzero(pairs.clip_N == clip)
            first = max(0, len(of_clip) - moments) // 2
            places_T = of_clip[first : first + moments]
            if len(places_T) < FEWEST_MOMENTS:
                continue
            gaps = np.diff(pairs.time_seconds_N[places_T]) > 1.5 * step
            nearest = _nearest_clip(_heard(pairs.take(places_T)), known_RD, training)
            scenes.append(
                Scene(
                    id=name,
                    source=Path(rows[name].source),
                    pairs=pairs,
                    places_T=places_T,
                    run_starts=np.concatenate([[0], np.flatnonzero(gaps) + 1]),
                    truth_THW3=bytes_of(fit_to(pairs.pictures(places_T), shape)),
                    others_BHW3=frames_of(
                        training, sharing_look(name, training.clip_ids, told), shape
                    ),
                    look_ids=(nearest, *sharing_look(nearest, training.clip_ids, told)),
                )
            )
    return scenes


def by_model(model: Model, scene: Scene, shape: tuple[int, int], seed: int) -> np.ndarray:
    """As `render` would film it: a `reel` with its own looks, layouts and cuts."""
    cues = song_cues(model, scene.sound, (part() for part in scene.images()), scene.seconds, seed)
    frames, first = [], 0
    for part in scene.images():
        x_B1SS = part()
        last = first + len(x_B1SS)
        seeds = [seed_for(seed, "moment", place) for place in range(first, last)]
        cue_BK = None if cues is None else cues.cue_TK[first:last]
        frames.append(bytes_of(fit_to(model.pictures(x_B1SS, seeds, cue_BK), shape)))
        first = last
    return np.concatenate(frames)


def by_remix(
    scene: Scene, training_films: Sequence[Path], shape: tuple[int, int], seed: int, cache: Path
) -> np.ndarray:
    """Cut from the training clips' own shots of the look."""
    rows, columns = shape
    return remix_frames(
        training_films,
        scene.source,
        scene.seconds.tolist(),
        (columns, rows),
        seed,
        look=",".join(scene.look_ids),
        cache=cache,
    )


def by_nearest_sound(scene: Scene, training: Pairs, shape: tuple[int, int]) -> np.ndarray:
    """For each moment the training frame of the look whose sound is nearest."""
    clips = [training.clip_ids.index(one) for one in scene.look_ids]
    places = np.flatnonzero(np.isin(training.clip_N, clips))
    known_RD = _heard(training.take(places))
    nearest_T = torch.cdist(_heard(scene.pairs.take(scene.places_T)), known_RD).argmin(1).numpy()
    return bytes_of(fit_to(training.pictures(places[nearest_T]), shape))


def mean_frame(training: Pairs, shape: tuple[int, int]) -> np.ndarray:
    """The mean of training frames, H x W x 3."""
    frames = frames_of(training, list(training.clip_ids), shape, _MEAN_OF)
    return frames.mean(axis=0).round().astype(np.uint8)


def _heard(pairs: Pairs) -> Tensor:
    """The last quarter of each sound image, small: N x D."""
    parts = []
    for first in range(0, len(pairs), _AT_ONCE):
        x_B1SS = pairs.sound_images(np.arange(first, min(first + _AT_ONCE, len(pairs))))
        last_B1SC = x_B1SS[..., -(x_B1SS.shape[-1] // 4) :]
        parts.append(fit_to(last_B1SC, (_HEARD_ROWS, _HEARD_COLUMNS)).flatten(1))
    return torch.cat(parts)


def _nearest_clip(heard_TD: Tensor, known_RD: Tensor, training: Pairs) -> str:
    """The training clip that holds the nearest sounds, on the mean over moments."""
    apart_TR = torch.cdist(heard_TD, known_RD)
    each = [
        float(apart_TR[:, torch.from_numpy(training.clip_N == clip)].min(1).values.mean())
        for clip in range(len(training.clip_ids))
    ]
    return training.clip_ids[int(np.argmin(each))]
