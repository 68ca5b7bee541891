"""WebDataset shards: a clip as tars of stretches, to be read in one go from anywhere.

A sample of a tar is a stretch: up to 32 pairs that follow each other in a clip, and the one piece
of sound that holds all their windows, so that sound is not stored again for each pair:

    <clip>/<first k>.json             {clip, places, seconds, end_samples, ...}
    <clip>/<first k>.flac             the sound, 16 bit, mono
    <clip>/<first k>.<k>.jpg          the frame at place k, the dataset's own bytes
    <clip>/<first k>.<k>.png          its sound image, instead of the sound, where these are stored

The same dataset gives the same bytes. A tar does not know its clip's split, which may be decided
after it was written: the lists beside the tars do (see `shard_folder`).
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, cast

import numpy as np

from soundreel.atomic import atomic_file
from soundreel.dataset.store import ClipRow, numbered
from soundreel.errors import DatasetError, MediaError, SettingsError, storage_errors
from soundreel.media.sound import read_sound, write_sound
from soundreel.recipe import Recipe
from soundreel.timeline import exact_seconds, grid_time, samples_before

STRETCH_PAIRS = 32
PART_BYTES = 512 * 2**20

#: What reading and taking apart a tar that is not as we write them may come to.
_DAMAGE = (tarfile.TarError, EOFError, KeyError, ValueError, TypeError)
_FRAME_SUFFIX = re.compile(r"(\d+)\.(jpg|png)")


@dataclass(frozen=True)
class Stretch:
    """Up to 32 pairs of a clip that follow each other, and the sound of all their windows.

    places: K places of the recipe's grid, ascending. time_seconds: their exact times.
    end_sample_K: int64, the exclusive end of each pair's window in the clip's sound.
    sound_start_sample: where `sound` begins in the clip's sound, at `sample_rate_hz`.
    sound: float32 in [-1, 1], from the first window's beginning (not before the clip's) to the
        last window's end, with silence after the clip's end; None where sound images are stored.
    frames: the K frames, as JPEG files.
    sound_images: the K stored sound images as PNG files, or None.
    """

    clip: str
    places: tuple[int, ...]
    time_seconds: tuple[Fraction, ...]
    end_sample_K: np.ndarray
    sound_start_sample: int
    sample_rate_hz: int
    sound: np.ndarray | None
    frames: tuple[bytes, ...]
    sound_images: tuple[bytes, ...] | None


def write_clip_shards(
    clip_folder: Path, row: ClipRow, recipe: Recipe, out_folder: Path, part_bytes: int = PART_BYTES
) -> list[Path]:
    """Write one clip as tars into `out_folder` and return them, in order.

    clip_folder: with `frames/`, and `sound.flac` or `sound_images/`.
    part_bytes: a tar that has grown this large is followed by another.

    Raises: DatasetError for a sound that cannot be read, or frames that are not JPEG;
    StorageError.
    """
    frames = numbered(clip_folder / "frames")
    for _, path in frames:
        if path.suffix != ".jpg":
            raise DatasetError(f"{path}: frames in shards are JPEG: save it as .jpg, or delete it")
    images = sound = None
    if recipe.sound_images == "stored":
        images = dict(numbered(clip_folder / "sound_images"))
        frames = [(k, path) for k, path in frames if k in images]
    elif frames:
        try:
            sound = read_sound(clip_folder / "sound.flac", recipe.sample_rate_hz, "left")
        except MediaError as error:
            raise DatasetError(f"{error} (delete the clip's folder, or prepare anew)") from error
    waiting = _stretches(frames, row, recipe)
    written: list[Path] = []
    while waiting:
        path = out_folder / f"{row.id}-{len(written):03}.tar"
        with (
            atomic_file(path) as partial,
            # PAX writes a name that is long or not ASCII exactly, and any other as USTAR does.
            tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as tar,
        ):
            while waiting and tar.offset < part_bytes:
                _add_stretch(tar, waiting.pop(0), row, recipe, sound, images)
        written.append(path)
    return written


class Readable(Protocol):
    """An opened file, or anything else that bytes can be read from, such as a download."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""
        ...


def read_shard(shard: Path | Readable) -> Iterator[Stretch]:
    """The stretches of a tar, in its order; a file that cannot seek (a download) will do.

    Raises: DatasetError if the tar is damaged, cut off, or holds something else.
    """
    if isinstance(shard, Path):
        try:
            opened = shard.open("rb")
        except FileNotFoundError as error:
            raise DatasetError(f"{shard}: no such shard: copy it here anew") from error
        with opened:
            yield from read_shard(opened)
        return
    source = _Remembering(shard)
    try:
        # Any: "r|" does nothing but read, and the declared type asks for more.
        with tarfile.open(fileobj=cast("Any", source), mode="r|") as tar:
            for members in _samples(tar):
                yield _stretch_from(members)
        if any(source.last) or not source.last:
            # A tar that breaks off between two members looks like a shorter one but for its end.
            raise EOFError
    except (*_DAMAGE, MediaError, SettingsError) as error:
        raise DatasetError(
            f"{getattr(shard, 'name', 'a shard')}: is damaged, or no shard of ours: copy it anew, "
            "or delete it to go on without"
        ) from error


class _Remembering:
    """A file to read from, and the last block that was read of it."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self.last = b""

    def read(self, size: int) -> bytes:
        content = self._file.read(size)
        self.last = (self.last + content)[-tarfile.BLOCKSIZE :]
        return content


def _samples(tar: tarfile.TarFile) -> Iterator[dict[str, bytes]]:
    """The members of each sample by suffix: what comes after the first dot of their file names."""
    members: dict[str, bytes] = {}
    of = ""
    for member in tar:
        folder, _, file = member.name.rpartition("/")
        first, _, suffix = file.partition(".")
        key = f"{folder}/{first}"
        if members and key != of:
            yield members
            members = {}
        of = key
        content = tar.extractfile(member)
        if content is not None:
            members[suffix] = content.read()
    if members:
        yield members


@dataclass(frozen=True)
class _Planned:
    """A stretch before it is written: its pairs, and its piece [first, stop) of the sound."""

    frames: tuple[tuple[int, Path], ...]
    time_seconds: tuple[Fraction, ...]
    end_samples: tuple[int, ...]
    first_sample: int
    stop_sample: int


def _stretches(frames: Sequence[tuple[int, Path]], row: ClipRow, recipe: Recipe) -> list[_Planned]:
    """A clip's frames in stretches; a new one too where more than a window's sound has no use."""
    step, rate = recipe.step_seconds(row.fps), recipe.sample_rate_hz
    times = [grid_time(k, recipe.start_seconds, step) for k, _ in frames]
    ends = [samples_before(time, rate) for time in times]
    planned = []
    first = 0
    for at in range(1, len(frames) + 1):
        if (
            at == len(frames)
            or at - first == STRETCH_PAIRS
            or ends[at] - ends[at - 1] > 2 * recipe.window_samples
        ):
            begin = max(0, ends[first] - recipe.window_samples)
            # A window that ends with sample 0 holds nothing, and a file of no sound is no file.
            stop = max(ends[at - 1], begin + 1)
            pairs = slice(first, at)
            planned.append(
                _Planned(tuple(frames[pairs]), tuple(times[pairs]), tuple(ends[pairs]), begin, stop)
            )
            first = at
    return planned


def _add_stretch(
    tar: tarfile.TarFile,
    planned: _Planned,
    row: ClipRow,
    recipe: Recipe,
    sound: np.ndarray | None,
    images: dict[int, Path] | None,
) -> None:
    key = f"{row.id}/{planned.frames[0][0]:06}"
    about: dict[str, Any] = {
        "clip": row.id,
        "places": [k for k, _ in planned.frames],
        "seconds": [str(time) for time in planned.time_seconds],
        "end_samples": list(planned.end_samples),
        "sound_start_sample": planned.first_sample,
        "sample_rate_hz": recipe.sample_rate_hz,
    }
    _add(tar, f"{key}.json", json.dumps(about, ensure_ascii=False).encode())
    if sound is not None:
        piece = np.zeros(planned.stop_sample - planned.first_sample, np.float32)
        heard = sound[planned.first_sample : planned.stop_sample]
        piece[: len(heard)] = heard
        _add(tar, f"{key}.flac", _flac(piece, recipe.sample_rate_hz))
    for k, path in planned.frames:
        _add(tar, f"{key}.{k:06}.jpg", path.read_bytes())
        if images is not None:
            _add(tar, f"{key}.{k:06}.png", images[k].read_bytes())


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # of no time and no owner
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _flac(sound: np.ndarray, sample_rate_hz: int) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "piece.flac"
        write_sound(path, sound, sample_rate_hz)
        return path.read_bytes()


def _stretch_from(members: dict[str, bytes]) -> Stretch:
    """Raises: KeyError, TypeError, ValueError or MediaError for members that are not ours."""
    about = json.loads(members["json"])
    places = tuple(int(k) for k in about["places"])
    rate = int(about["sample_rate_hz"])
    pictures: dict[str, dict[int, bytes]] = {"jpg": {}, "png": {}}
    for suffix, content in members.items():
        found = _FRAME_SUFFIX.fullmatch(suffix)
        if found:
            pictures[found[2]][int(found[1])] = content
    sound = None
    if "flac" in members:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "piece.flac"
            with storage_errors(path):
                path.write_bytes(members["flac"])
            sound = read_sound(path, rate, "left")
    elif not pictures["png"]:
        raise KeyError("flac")
    return Stretch(
        clip=str(about["clip"]),
        places=places,
        time_seconds=tuple(exact_seconds(text) for text in about["seconds"]),
        end_sample_K=np.array(about["end_samples"], np.int64),
        sound_start_sample=int(about["sound_start_sample"]),
        sample_rate_hz=rate,
        sound=sound,
        frames=tuple(pictures["jpg"][k] for k in places),
        sound_images=tuple(pictures["png"][k] for k in places) if sound is None else None,
    )
