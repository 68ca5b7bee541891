"""Song -> film -> song': is a song told from what another model composes of its film?

One model films every held-out song, its inverse composes a song of each film's frames alone, and
each original is ranked among all of them (`evidence.cycle`). How high it comes says how much of
the music the films carry, as far as both models can write and read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from soundreel.asking.controls import trained_here
from soundreel.asking.filming import bytes_of
from soundreel.asking.plans import digest_of
from soundreel.asking.settings import Question
from soundreel.asking.song_cues import song_cues
from soundreel.atomic import write_json
from soundreel.dataset.loading import load_pairs
from soundreel.dataset.store import ClipRow, Dataset, Split, open_dataset
from soundreel.errors import DatasetError, ModelError
from soundreel.evidence.cycle import Cycle, cycle
from soundreel.evidence.song_likeness import QUALITIES, HeardCurves, heard_curves
from soundreel.media.sound import read_sound
from soundreel.networks.bundle import Model, load_model, require_direction
from soundreel.progress import Listener, Step, silent
from soundreel.rendering.composing import composed_sound
from soundreel.rendering.voicing import voicing_of_frames
from soundreel.seeding import seed_for
from soundreel.sound.representation import sound_images
from soundreel.timeline import frame_count, frame_time, sample_time, samples_before

#: Beside the report: what was fixed before the cycle test.
CYCLE_MANIFEST = ".cycle.manifest.json"
#: Of fewer songs, to be the nearest says too little.
FEWEST_SONGS = 3
_LEAST_SECONDS = Fraction(4)
_AT_ONCE, _TOLD_EVERY = 16, 15
#: Of Griffin-Lim: ten moments a second, in eight bands, hardly depend on the phases.
_ITERATIONS = 8
_TASK = "film unseen songs and compose them anew"
_SPLITS: tuple[Split, ...] = ("val", "test")


@dataclass(frozen=True)
class CycleAnswer:
    """What came of the cycle test.

    songs: the ids, in the order of `found`. left_out: (id, why) of songs that were too short.
    inverse_trained_here: whether its run says that it learnt from this dataset's training split,
    None: no run says anything. manifest: what was fixed beforehand; digest: its SHA-256.
    """

    found: Cycle
    songs: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]
    inverse_trained_here: bool | None
    manifest: dict[str, Any]
    digest: str


def inverse_for(dataset_place: str | Path, inverse_place: str | Path) -> Model:
    """Load the inverse model, before anything long is begun.

    Raises: ModelError if it goes from sound to picture; DatasetError if the dataset holds out
    fewer than three songs, or holds no sound.
    """
    inverse = load_model(inverse_place)
    if inverse.direction != "picture-to-sound":
        raise ModelError(
            f"{inverse.folder}: this is a {inverse.direction} model: give --inverse one that was "
            "trained with --direction picture-to-sound"
        )
    dataset = open_dataset(Path(dataset_place))
    held_out = [row for split in _SPLITS for row in dataset.clips(split)]
    if len(held_out) < FEWEST_SONGS:
        raise DatasetError(
            f"{dataset.folder}: holds out {len(held_out)} clip(s): to be told apart, three songs "
            "or more are needed (five for swaps to count): prepare with a larger "
            "held_out_fraction, or leave out --inverse"
        )
    if dataset.recipe.sound_images == "stored":
        raise DatasetError(
            f"{dataset.folder}: holds sound images and no sound, so nothing can be compared with "
            "its songs: prepare it from the clips, or leave out --inverse"
        )
    return inverse


def ask_cycle(
    dataset: Dataset,
    model: Model,
    inverse: Model,
    out: Path,
    question: Question,
    progress: Listener = silent,
) -> CycleAnswer:
    """Film the held-out songs, compose a song of every film, and rank the originals.

    Of each song the first `question.cycle_seconds`; all are compared over as much as the
    shortest has.

    Raises: DatasetError if fewer than three held-out songs are long enough; ModelError if either
    model goes the other way; StorageError.
    """
    require_direction(model.folder, model.direction, "sound-to-picture")
    require_direction(inverse.folder, inverse.direction, "picture-to-sound")
    rows = [row for split in _SPLITS for row in dataset.clips(split)]
    manifest = {
        "protocol": 1,
        "model": model.config.get("weights_sha256"),
        "inverse": inverse.config.get("weights_sha256"),
        "held_out_clips": [row.id for row in rows],
        "question": question.model_dump(mode="json"),
        "qualities": list(dict.fromkeys(QUALITIES)),
        "tests": {"cycle": "secondary"},
    }
    write_json(out.with_name(out.stem + CYCLE_MANIFEST), manifest)
    made: list[HeardCurves] = []
    true: list[HeardCurves] = []
    kept, left_out = [], []
    fps, longest = question.cycle_fps, question.cycle_seconds
    lengths = [frame_count(min(row.seconds or longest, longest), fps) for row in rows]
    for place, row in enumerate(rows):
        done = sum(lengths[:place])
        progress(Step(_TASK, done, sum(lengths), "frames", row.id))
        sound_N = _sound(dataset, row, model, question)
        seconds = sample_time(len(sound_N), model.recipe.sample_rate_hz)
        if seconds < _LEAST_SECONDS:
            left_out.append((row.id, f"lasts {float(seconds):.1f} s of the 4 s that are needed"))
            continue
        kept.append(row.id)
        rate = inverse.recipe.sample_rate_hz
        true.append(heard_curves([_sound(dataset, row, inverse, question)], rate))
        frames = _told(
            film_frames(model, sound_N, fps, question.seed),
            lambda n, done=done, row=row: progress(
                Step(_TASK, done + n, max(sum(lengths), done + n), "frames", row.id)
            ),
        )
        voice, frames = voicing_of_frames(inverse, None, frames, fps)
        blocks = composed_sound(
            inverse,
            frames,
            fps,
            seed=question.seed,
            iterations=_ITERATIONS,
            cueing=voice.cue,
        )
        made.append(heard_curves(_until(blocks, samples_before(seconds, rate)), rate))
    progress(Step(_TASK, sum(lengths), sum(lengths), "frames"))
    if len(kept) < FEWEST_SONGS:
        raise DatasetError(
            f"{dataset.folder}: {len(kept)} of its held-out songs last 4 s or longer: to be told "
            "apart, three or more are needed: prepare with a larger held_out_fraction"
        )
    found = cycle(
        [curves.table() for curves in made],
        [curves.table() for curves in true],
        QUALITIES,
        true[0].rate_hz,
        question.cycle_piece_seconds,
        delta=question.delta_cycle,
        alpha=question.alpha,
        draws=question.draws,
        seed=question.seed,
    )
    return CycleAnswer(
        found=found,
        songs=tuple(kept),
        left_out=tuple(left_out),
        inverse_trained_here=trained_here(inverse, load_pairs(dataset, "train", progress)),
        manifest=manifest,
        digest=digest_of(manifest),
    )


def film_frames(
    model: Model, sound_N: np.ndarray, fps: Fraction, seed: int
) -> Iterator[np.ndarray]:
    """The frames of a film of a sound at the model's rate: H x W x 3 uint8, some at a time.

    As `ask --model` films: a `reel` with the cues of the song, another model as it is. The sound
    images are computed twice for a `reel`, rather than kept, so that memory does not grow.
    """
    recipe = model.recipe
    count = frame_count(sample_time(len(sound_N), recipe.sample_rate_hz), fps)
    times = [frame_time(n, fps) for n in range(count)]
    ends_T = torch.tensor([samples_before(time, recipe.sample_rate_hz) for time in times])
    time_T = np.array([float(time) for time in times])
    sound = torch.from_numpy(np.ascontiguousarray(sound_N))

    def images() -> Iterator[torch.Tensor]:
        for part in ends_T.split(_AT_ONCE):
            yield sound_images(sound, part, recipe)

    cues = song_cues(model, sound_N, images(), time_T, seed)
    first = 0
    for x_B1SS in images():
        seeds = [seed_for(seed, "moment", first + n) for n in range(len(x_B1SS))]
        cue_BK = None if cues is None else cues.at(time_T[first : first + len(x_B1SS)])
        yield from bytes_of(model.pictures(x_B1SS, seeds, cue_BK))
        first += len(x_B1SS)


def _sound(dataset: Dataset, row: ClipRow, model: Model, question: Question) -> np.ndarray:
    return read_sound(
        dataset.sound_path(row.id),
        model.recipe.sample_rate_hz,
        "left",
        stop_seconds=question.cycle_seconds,
    )


def _told(frames: Iterator[np.ndarray], on_frames: Callable[[int], None]) -> Iterator[np.ndarray]:
    """The same frames; now and then how many have passed is told."""
    for number, frame_HW3 in enumerate(frames, 1):
        yield frame_HW3
        if number % _TOLD_EVERY == 0:
            on_frames(number)


def _until(blocks: Iterator[np.ndarray], samples: int) -> Iterator[np.ndarray]:
    """A sound's blocks, cut or filled with silence to so many samples."""
    left = samples
    for block_N in blocks:
        if left <= 0:
            return
        yield block_N[:left]
        left -= len(block_N)
    if left > 0:
        yield np.zeros(left, np.float32)
