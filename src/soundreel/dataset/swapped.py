"""A control: the same pictures, but each training clip has the sound of another one.

A model that is trained on it can learn how pictures look and how sounds go, but not what goes with
what. How far its outputs go with held-out songs is what training alone gives (EVIDENCE D.5).

    swapped.json   beside what every dataset folder holds: the seed, and whose sound each clip has
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from soundreel.atomic import write_json
from soundreel.dataset.exchange.importing import is_taken, whole_folder, write_dataset_files
from soundreel.dataset.store import ClipRow, Dataset, Sameness, open_dataset
from soundreel.errors import DatasetError, MediaError
from soundreel.media.sound import read_sound, sound_duration, write_sound
from soundreel.progress import Listener, Step, silent
from soundreel.seeding import numpy_generator_for
from soundreel.timeline import samples_before

_FORMAT = "soundreel swapped songs 1"
_NOTE = "swapped.json"
#: Where a sound that is too short begins anew, its end fades into its beginning for so long.
_FADE_SECONDS = Fraction(1, 50)


def swapped_dataset(
    dataset: Dataset,
    out: Path,
    seed: int,
    progress: Listener = silent,
    *,
    turned: bool = False,
) -> Dataset:
    """A dataset to train controls on: each training clip has the sound of another training clip.

    dataset: an opened dataset; `out`: the new folder; `seed`: whose sound goes to whom.
    turned: each song also begins somewhere in its middle half, and its beginning follows its end.
      Songs of a kind are built alike (quiet at first, say): as they are, another song still tells
      of a video what all songs tell of all videos.

    The songs go round a random order of the clips; clips of one group (a shared song, shared
    pictures, one work) never swap among themselves. Where one group is more than half of the
    training clips, some songs of the others are used more than once. Every pair stays: a sound
    that is shorter than the one it replaces begins anew, with a cross-fade. Held-out clips keep
    their own sound, so that models are measured on the same songs.

    Frames and sounds are hard links to those of `dataset` where the disk allows it, else copies.
    The folder is built beside `out` and renamed. The same call again returns what is there.

    Raises: DatasetError if there are not two training clips of different groups, a sound is
    damaged, or `out` holds something else (another seed's, another dataset's); StorageError.
    """
    sound_of = swapped_songs(dataset, seed)
    note = _note(dataset, seed, sound_of, turned)
    if is_taken(out):
        return _finished(out, note)
    told = {row.id: row.title for row in dataset.rows}
    counts: dict[str, int] = {}
    clips = dataset.clips()
    with whole_folder(out) as building:
        swapped = Dataset(building, dataset.recipe, dataset.rows)
        for done, row in enumerate(clips, 1):
            other = sound_of.get(row.id, row.id)
            turn = _turn(seed, row.id) if turned and other != row.id else 0.0
            counts[row.id] = _swap_clip(dataset, swapped, row.id, other, turn)
            progress(Step("swap", done, len(clips), "clips", row.id))
        rows = [
            _swapped_row(row, told[sound_of[row.id]]) if row.id in sound_of else row
            for row in dataset.rows
        ]
        rows = [row.model_copy(update={"pairs": counts.get(row.id, 0)}) for row in rows]
        write_dataset_files(building, dataset.recipe, rows, [_TOLD.format(seed=seed)])
        write_json(building / _NOTE, note)
        _link_decoded_frames(dataset.folder, building)
    return open_dataset(out)


def swapped_songs(dataset: Dataset, seed: int) -> dict[str, str]:
    """Whose sound each training clip gets: ids, none of them of the clip's own group.

    Raises: DatasetError if there are not two training clips of different groups.
    """
    rows = dataset.clips("train")
    if len(rows) < 2:
        raise DatasetError(
            f"{dataset.folder}: {len(rows)} training clips: songs are swapped among at least 2, "
            "prepare more"
        )
    rng = numpy_generator_for(seed, "swapped songs")
    members: dict[str, list[str]] = {}
    for place in rng.permutation(len(rows)):
        row = rows[place]
        members.setdefault(row.group or row.id, []).append(row.id)
    if len(members) < 2:
        raise DatasetError(
            f"{dataset.folder}: all training clips share a song, pictures or a work: songs are "
            "swapped among clips that do not, prepare more"
        )
    # Groups one after the other, and songs from as many places on as the largest group has: no
    # song then stays within its group, unless one group is more than half of all.
    in_order = [clip for group in members.values() for clip in group]
    largest = max(members, key=lambda group: len(members[group]))
    step = len(members[largest])
    if 2 * step <= len(in_order):
        return {
            clip: in_order[(place + step) % len(in_order)] for place, clip in enumerate(in_order)
        }
    most = members[largest]
    others = [clip for clip in in_order if clip not in set(most)]
    to_most = {clip: others[place % len(others)] for place, clip in enumerate(most)}
    return to_most | {clip: most[place] for place, clip in enumerate(others)}


def _note(dataset: Dataset, seed: int, sound_of: dict[str, str], turned: bool) -> dict[str, Any]:
    """What swapped.json says, and what tells one control from another."""
    return {
        "format": _FORMAT,
        "seed": seed,
        "turned": turned,
        "sound_of": dict(sorted(sound_of.items())),
        "clips": [[row.id, row.split, row.sha256] for row in dataset.rows],
        "pairs": sum(len(dataset.frames(row.id)) for row in dataset.clips()),
        "recipe": dataset.recipe.model_dump(mode="json"),
    }


def _finished(out: Path, note: dict[str, Any]) -> Dataset:
    """The dataset at `out`, if the same call made it."""
    try:
        there = json.loads((out / _NOTE).read_bytes())
    except (OSError, ValueError):
        there = None
    if not isinstance(there, dict) or there.get("format") != _FORMAT:
        raise DatasetError(f"{out}: holds something else: choose another place, or remove it")
    if there.get("seed") != note["seed"]:
        raise DatasetError(
            f"{out}: holds songs swapped with seed {there.get('seed')}: choose another place for "
            f"seed {note['seed']}, or remove it"
        )
    if there != note:
        raise DatasetError(
            f"{out}: was made from another dataset, or before something in it changed: choose "
            "another place, or remove it"
        )
    return open_dataset(out)


def _turn(seed: int, clip: str) -> float:
    """Where in its new song a clip begins, as a share of the song: a quarter to three quarters."""
    return float(numpy_generator_for(seed, f"turned song of {clip}").uniform(0.25, 0.75))


def _swap_clip(dataset: Dataset, swapped: Dataset, clip: str, other: str, turn: float) -> int:
    """A clip's frames with the sound of another (or its own); returns how many pairs it has.

    turn: the share of the other sound that is put at its end.
    """
    frames = dataset.frames(clip)
    for _, path in frames:
        _link(path, swapped.clip_folder(clip) / "frames" / path.name)
    if dataset.recipe.sound_images == "stored":
        own, images = dataset.sound_images(clip), dataset.sound_images(other)
        for place, (_, path) in enumerate(own):
            image = images[(place + round(turn * len(images))) % len(images)][1]
            _link(image, swapped.clip_folder(clip) / "sound_images" / path.name)
        return len(frames)
    rate = dataset.recipe.sample_rate_hz
    source, target = dataset.sound_path(other), swapped.sound_path(clip)
    try:
        wanted = samples_before(sound_duration(dataset.sound_path(clip)), rate)
        there = samples_before(sound_duration(source), rate)
        if other == clip or (there >= wanted and turn == 0):
            _link(source, target)
        else:
            first = round(turn * there)
            # Long enough to begin anywhere in it, joined without a jump where it begins anew.
            sound = lengthened(read_sound(source, rate, "left"), first + max(wanted, there), rate)
            sound = sound[first:]
            write_sound(target, sound, rate)
    except MediaError as error:
        raise DatasetError(f"{error} (delete the clip's folder, or prepare anew)") from error
    return len(frames)


def lengthened(sound_N: np.ndarray, count: int, sample_rate_hz: int) -> np.ndarray:
    """A sound that begins anew, its end faded into its beginning, until it has `count` samples."""
    if len(sound_N) >= count:
        return sound_N[:count]
    fade = min(samples_before(_FADE_SECONDS, sample_rate_hz), len(sound_N) // 2)
    rise_F = (np.arange(fade, dtype=np.float32) + 0.5) / max(1, fade)
    ending = len(sound_N) - fade
    again_N = sound_N[:ending].copy()
    again_N[:fade] = sound_N[:fade] * rise_F + sound_N[ending:] * (1 - rise_F)
    rounds = np.resize(again_N, count - ending)
    return np.concatenate([sound_N[:ending], rounds])


def _swapped_row(row: ClipRow, other_title: str) -> ClipRow:
    """A row that says whose sound there is, and nothing that held of its own sound only."""
    pictures: Sequence[Sameness] = [
        same.model_copy(update={"what": "same pictures"})
        for same in row.same_as
        if same.what != "same song"
    ]
    return row.model_copy(
        update={
            "title": f"{row.title} (control: with the sound of {other_title})",
            "same_as": tuple(pictures),
        }
    )


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copy2(source, target)


def _link_decoded_frames(folder: Path, building: Path) -> None:
    """Frames that were decoded before are not decoded again: the cache knows them by their files.

    Only where links can be made: a copy costs as much as it saves.
    """
    for cached in sorted((folder / ".cache").glob("*.frames.npy")):
        target = building / ".cache" / cached.name
        target.parent.mkdir(exist_ok=True)
        try:
            os.link(cached, target)
        except OSError:
            return


_TOLD = (
    "**A control, not what it seems**: every training clip has the sound of another training clip "
    "(seed {seed}; `swapped.json` says whose). Train on it only to learn what a model does that "
    "cannot have learned what goes with what. Clips held out keep their own sound."
)
