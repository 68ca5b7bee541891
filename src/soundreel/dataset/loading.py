"""Pairs for training: frames memory-mapped as bytes, sound images computed from sound."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from soundreel.atomic import atomic_file
from soundreel.dataset.store import Dataset, Split, read_frame, read_sound_image
from soundreel.errors import DatasetError, MediaError, storage_errors
from soundreel.media.sound import read_sound
from soundreel.progress import Listener, Step, silent
from soundreel.recipe import Recipe
from soundreel.timeline import samples_before

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Pairs:
    """The pairs of one split, in the order of clips and, within a clip, of time.

    recipe: what the dataset was made with.
    clip_ids: the ids of the clips, C of them.
    frames_N3HW: uint8, N x 3 x S x S (a memory map, or an array).
    clip_N: int64, which clip (0..C-1) each pair belongs to.
    end_sample_N: int64, the exclusive end of each pair's window in its clip's sound.
    time_seconds_N: float64, the time t of each pair, for descriptors and people.
    sounds: the C clips' sounds, float32 in [-1, 1], one dimension each (empty where sound images
        are stored).
    sound_images_NSS: the stored sound images, uint8, or None where they are computed from sound.
    """

    recipe: Recipe
    clip_ids: Sequence[str]
    frames_N3HW: np.ndarray
    clip_N: np.ndarray
    end_sample_N: np.ndarray
    time_seconds_N: np.ndarray
    sounds: Sequence[np.ndarray]
    sound_images_NSS: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.clip_N)

    def take(self, indices: Sequence[int] | np.ndarray) -> Pairs:
        """Some of the pairs, in the order given (repeats allowed), their frames in memory."""
        index_B = np.asarray(indices, np.int64)
        stored = self.sound_images_NSS
        return replace(
            self,
            frames_N3HW=self.frames_N3HW[index_B],
            clip_N=self.clip_N[index_B],
            end_sample_N=self.end_sample_N[index_B],
            time_seconds_N=self.time_seconds_N[index_B],
            sound_images_NSS=None if stored is None else stored[index_B],
        )

    def pictures(self, indices: Sequence[int] | np.ndarray) -> Tensor:
        """The frames of these pairs as B x 3 x S x S, float32 in [-1, 1]."""
        import torch

        frames_B3HW = torch.from_numpy(self.frames_N3HW[np.asarray(indices)])
        return frames_B3HW.float().div_(127.5).sub_(1)

    def sound_images(self, indices: Sequence[int] | np.ndarray) -> Tensor:
        """The sound images of these pairs as B x 1 x S x S, float32 in [-1, 1]."""
        import torch

        from soundreel.sound.representation import sound_images

        index_B = np.asarray(indices)
        if self.sound_images_NSS is not None:
            x_BSS = torch.from_numpy(self.sound_images_NSS[index_B])
            return x_BSS[:, None].float().div_(127.5).sub_(1)
        size = self.recipe.sound_image_size
        x_B1SS = torch.empty(len(index_B), 1, size, size)
        clip_B = self.clip_N[index_B]
        for clip in np.unique(clip_B):
            of_clip = np.flatnonzero(clip_B == clip)
            sound = torch.from_numpy(np.asarray(self.sounds[clip]))
            ends = torch.from_numpy(self.end_sample_N[index_B[of_clip]])
            x_B1SS[of_clip] = sound_images(sound, ends, self.recipe)
        return x_B1SS


def load_pairs(dataset: Dataset, split: Split | None, progress: Listener = silent) -> Pairs:
    """The pairs of one split (None: of all clips), their frames memory-mapped.

    The decoded frames and sounds are kept in the dataset's `.cache` folder, keyed by the files
    that are there now (so a frame deleted by hand is gone from here too); the folder may be
    deleted at any time and is then made again.

    Raises: DatasetError for a damaged frame or a sound that is not the recipe's; StorageError.
    """
    recipe = dataset.recipe
    rows = dataset.clips(split)
    places = [
        (clip, row, k, path) for clip, row in enumerate(rows) for k, path in dataset.frames(row.id)
    ]
    cache = dataset.folder / ".cache"
    times = [dataset.time_of(row, k) for _, row, k, _ in places]
    size = recipe.picture_size
    stored = None
    if recipe.sound_images == "stored":
        sounds = [np.empty(0, np.float32) for _ in rows]
        paths = [path for row in rows for _, path in dataset.sound_images(row.id)]
        shape = (recipe.sound_image_size, recipe.sound_image_size)
        stored = _cached_pictures(paths, cache, "sound images", shape, _read_stored, progress)
    else:
        sounds = [_cached_sound(dataset, cache, row.id) for row in rows]
    frames = [path for *_, path in places]
    return Pairs(
        recipe=recipe,
        clip_ids=[row.id for row in rows],
        frames_N3HW=_cached_pictures(
            frames, cache, "frames", (3, size, size), _read_frame, progress
        ),
        clip_N=np.array([clip for clip, *_ in places], dtype=np.int64),
        end_sample_N=np.array(
            [samples_before(time, recipe.sample_rate_hz) for time in times], dtype=np.int64
        ),
        time_seconds_N=np.array([float(time) for time in times]),
        sounds=sounds,
        sound_images_NSS=stored,
    )


def _read_frame(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    return read_frame(path, shape[-1]).transpose(2, 0, 1)


def _read_stored(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    return read_sound_image(path, shape[-1])


def _cached_pictures(
    paths: Sequence[Path],
    cache: Path,
    what: str,
    shape: tuple[int, ...],
    read: Callable[[Path, tuple[int, ...]], np.ndarray],
    progress: Listener,
) -> np.ndarray:
    """All these pictures as one uint8 memory map, N x shape."""
    if not paths:
        return np.empty((0, *shape), np.uint8)
    cached = cache / f"{_fingerprint(paths)}.{what.replace(' ', '-')}.npy"
    if not cached.is_file():
        with _atomic_cache(cached) as unfinished:
            pictures = np.lib.format.open_memmap(
                unfinished, mode="w+", dtype=np.uint8, shape=(len(paths), *shape)
            )
            for place, path in enumerate(paths):
                pictures[place] = read(path, shape)
                if place % 50 == 0 or place == len(paths) - 1:
                    progress(Step(f"read {what}", place + 1, len(paths), what))
            pictures.flush()
            del pictures
    return np.load(cached, mmap_mode="r")


def _cached_sound(dataset: Dataset, cache: Path, clip_id: str) -> np.ndarray:
    recipe = dataset.recipe
    path = dataset.sound_path(clip_id)
    cached = cache / f"{_fingerprint([path])}.sound.npy"
    if not cached.is_file():
        try:
            sound = read_sound(path, recipe.sample_rate_hz, "left")
        except MediaError as error:
            raise DatasetError(f"{error} (delete the clip's folder, or prepare anew)") from error
        with _atomic_cache(cached) as unfinished:
            np.save(unfinished, sound)
    # Copy-on-write: torch takes only arrays that it may write to, and nothing ever does.
    return np.load(cached, mmap_mode="c")


@contextmanager
def _atomic_cache(cached: Path) -> Iterator[Path]:
    """As `atomic_file`, and several processes may make the same cache at once: last one counts."""
    own = cached.with_name(f"{os.getpid()}-{cached.name}")
    with atomic_file(own) as unfinished:
        yield unfinished
    with storage_errors(cached):
        own.replace(cached)


def _fingerprint(paths: Sequence[Path]) -> str:
    """A name for the content of these files, from their places, sizes and times of change."""
    digest = hashlib.blake2b(digest_size=12)
    for path in paths:
        stat = path.stat()
        digest.update(f"{path.parts[-3:]} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
