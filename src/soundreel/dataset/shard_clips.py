"""Clips read from shards into memory, and pairs made of what they hold.

A clip is read whole, from all its tars, since clips.jsonl tells how many pairs a clip has but not
how many a tar has. Frames stay JPEG files until their pairs are wanted: a fraction of the memory,
and of several processes that share a dataset each decodes its own share only.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from soundreel.dataset.exchange.shards import Stretch, read_shard
from soundreel.dataset.loading import Pairs
from soundreel.dataset.shard_listing import ListedClip, on_this_machine
from soundreel.errors import DatasetError
from soundreel.places import Place, exists
from soundreel.recipe import Recipe


@dataclass(frozen=True)
class ShardPair:
    """A pair as a tar holds it.

    tar, k: where it was, for errors. piece: the sound that its window ends in, at sample
    `end_sample`; empty where sound images are stored. frame, sound_image: a JPEG and a PNG file.
    """

    clip_id: str
    tar: Place
    k: int
    frame: bytes
    sound_image: bytes | None
    piece: np.ndarray
    end_sample: int
    time_seconds: float


@dataclass(frozen=True)
class ShardClip:
    """The N pairs of a clip, by time, in memory.

    pieces: the clip's sound as far as the tars hold it, float32 in [-1, 1]; what touches is one
        piece, so that a window moved a little hears what was there.
    piece_N: which piece each pair's window lies in. end_sample_N: its exclusive end in the piece.
    """

    id: str
    tars: Sequence[Place]
    place_N: np.ndarray
    frames: Sequence[bytes]
    sound_images: Sequence[bytes] | None
    pieces: Sequence[np.ndarray]
    piece_N: np.ndarray
    end_sample_N: np.ndarray
    time_seconds_N: np.ndarray

    def __len__(self) -> int:
        return len(self.place_N)

    def pair(self, index: int) -> ShardPair:
        """One of the N pairs."""
        return ShardPair(
            clip_id=self.id,
            tar=self.tars[index],
            k=int(self.place_N[index]),
            frame=self.frames[index],
            sound_image=None if self.sound_images is None else self.sound_images[index],
            piece=self.pieces[self.piece_N[index]],
            end_sample=int(self.end_sample_N[index]),
            time_seconds=float(self.time_seconds_N[index]),
        )

    def run(self, first: int, stop: int, window_samples: int) -> ShardClip:
        """The pairs [first, stop) and no more sound than their windows hold."""
        cut = slice(first, stop)
        pieces, piece_N, end_sample_N = [], self.piece_N[cut].copy(), self.end_sample_N[cut].copy()
        for number, piece in enumerate(np.unique(piece_N)):
            of_piece = self.piece_N[cut] == piece
            begin = max(0, int(end_sample_N[of_piece].min()) - window_samples)
            stop_sample = int(end_sample_N[of_piece].max())
            pieces.append(self.pieces[piece][begin:stop_sample].copy())
            end_sample_N[of_piece] -= begin
            piece_N[of_piece] = number
        return replace(
            self,
            tars=self.tars[cut],
            place_N=self.place_N[cut],
            frames=self.frames[cut],
            sound_images=None if self.sound_images is None else self.sound_images[cut],
            pieces=pieces,
            piece_N=piece_N,
            end_sample_N=end_sample_N,
            time_seconds_N=self.time_seconds_N[cut],
        )


def read_clip(clip: ListedClip, recipe: Recipe) -> ShardClip:
    """Read all tars of a clip.

    Raises: DatasetError if one is missing, damaged or another dataset's, or if they hold another
    number of pairs than clips.jsonl says; StorageError if the store does not answer.
    """
    found: list[tuple[Stretch, Place]] = []
    for tar in clip.tars:
        if not exists(tar):
            raise DatasetError(
                f"{tar}: no such shard: copy it there anew, or take it out of the list"
            )
        with on_this_machine(tar) as path:
            for stretch in read_shard(path):
                stored = stretch.sound_images is not None
                if (
                    stretch.clip != clip.id
                    or stretch.sample_rate_hz != recipe.sample_rate_hz
                    or stored != (recipe.sound_images == "stored")
                ):
                    raise DatasetError(
                        f"{tar}: was made from another dataset: take it out of the list"
                    )
                found.append((stretch, tar))
    found.sort(key=lambda stretch_and_tar: stretch_and_tar[0].places)
    stretches = [stretch for stretch, _ in found]
    place_N = np.array([k for stretch in stretches for k in stretch.places], np.int64)
    if (np.diff(place_N) <= 0).any():
        raise DatasetError(
            f"{clip.tars[-1]}: holds pairs that come twice in its clip: export the clip anew"
        )
    if len(place_N) != clip.pairs:
        raise DatasetError(
            f"{clip.tars[0]}: its clip has {len(place_N)} pairs here, clips.jsonl says "
            f'{clip.pairs}: write "pairs": {len(place_N)} in its row, or copy its tars anew'
        )
    pieces, begins, piece_of = _joined(stretches)
    images = [image for stretch in stretches for image in stretch.sound_images or ()]
    return ShardClip(
        id=clip.id,
        tars=[tar for stretch, tar in found for _ in stretch.places],
        place_N=place_N,
        frames=[frame for stretch in stretches for frame in stretch.frames],
        sound_images=images if recipe.sound_images == "stored" else None,
        pieces=pieces,
        piece_N=np.repeat(piece_of, [len(stretch.places) for stretch in stretches]),
        end_sample_N=np.concatenate(
            [
                stretch.end_sample_K - begins[piece]
                for stretch, piece in zip(stretches, piece_of, strict=True)
            ]
        ),
        time_seconds_N=np.array(
            [float(time) for stretch in stretches for time in stretch.time_seconds]
        ),
    )


def decoded_pairs(chosen: Sequence[ShardPair], recipe: Recipe) -> Pairs:
    """These pairs, in this order, ready for networks.

    A "clip" of theirs is a piece of a clip's sound: `clip_ids` has the clip's id for each piece,
    and an id comes more than once where a clip's sound is in several; `clip_N` and `end_sample_N`
    count in pieces. Pictures and sound images are, to the bit, those of `load_pairs`.

    Raises: DatasetError for a damaged picture, or one of another size.
    """
    size, sound_size = recipe.picture_size, recipe.sound_image_size
    frames_N3HW = np.empty((len(chosen), 3, size, size), np.uint8)
    stored_NSS = None
    if recipe.sound_images == "stored":
        stored_NSS = np.empty((len(chosen), sound_size, sound_size), np.uint8)
    numbers: dict[int, int] = {}
    clip_ids: list[str] = []
    sounds: list[np.ndarray] = []
    for n, pair in enumerate(chosen):
        if id(pair.piece) not in numbers:
            numbers[id(pair.piece)] = len(sounds)
            clip_ids.append(pair.clip_id)
            sounds.append(pair.piece)
        name = f"{pair.tar}: its frame at place {pair.k}"
        frames_N3HW[n] = _picture(pair.frame, "RGB", size, name).transpose(2, 0, 1)
        if stored_NSS is not None and pair.sound_image is not None:
            name = f"{pair.tar}: its sound image at place {pair.k}"
            stored_NSS[n] = _picture(pair.sound_image, "L", sound_size, name)
    return Pairs(
        recipe=recipe,
        clip_ids=clip_ids,
        frames_N3HW=frames_N3HW,
        clip_N=np.array([numbers[id(pair.piece)] for pair in chosen], np.int64),
        end_sample_N=np.array([pair.end_sample for pair in chosen], np.int64),
        time_seconds_N=np.array([pair.time_seconds for pair in chosen], np.float64),
        sounds=sounds,
        sound_images_NSS=stored_NSS,
    )


def _joined(stretches: Sequence[Stretch]) -> tuple[list[np.ndarray], list[int], list[int]]:
    """The stretches' sounds as few pieces, where these begin, and each stretch's piece."""
    parts: list[list[np.ndarray]] = []
    begins: list[int] = []
    piece_of: list[int] = []
    stop = 0
    for stretch in stretches:
        sound, begin = stretch.sound, stretch.sound_start_sample
        if sound is None:
            sound, begin = np.empty(0, np.float32), 0
        if not parts or begin > stop:
            parts.append([])
            begins.append(begin)
            stop = begin
        parts[-1].append(sound[stop - begin :])
        stop = max(stop, begin + len(sound))
        piece_of.append(len(parts) - 1)
    return [np.concatenate(together) for together in parts], begins, piece_of


def _picture(content: bytes, mode: str, size: int, name: str) -> np.ndarray:
    """As `store.read_frame` and `store.read_sound_image` read theirs."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            picture = np.asarray(image.convert(mode))
    except (OSError, SyntaxError) as error:
        raise DatasetError(
            f"{name} is not a readable picture: copy the tar anew, or export anew"
        ) from error
    height, width = picture.shape[:2]
    if (height, width) != (size, size):
        raise DatasetError(
            f"{name} is {width}x{height}, the recipe says {size}x{size}: export anew"
        )
    return picture
