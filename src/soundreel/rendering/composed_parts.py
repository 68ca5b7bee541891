"""A sound in the making: stretches of columns in a folder beside it, so that nothing is lost.

Who is killed loses the stretch that was being made; the same command finds the others and goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from soundreel.atomic import atomic_file, discard, write_json
from soundreel.errors import storage_errors
from soundreel.rendering.parts import LOCK, only_writer, parts_folder

_IDENTITY = "sound.json"


@dataclass(frozen=True)
class ComposedParts:
    """Where the stretches are: number k holds columns [k * part_columns, (k + 1) * part_columns).

    columns: how many the sound has. as_halves: kept at half precision.
    """

    folder: Path
    columns: int
    part_columns: int
    as_halves: bool

    @property
    def count(self) -> int:
        """How many stretches the sound has."""
        return -(-self.columns // self.part_columns)

    def span(self, part: int) -> tuple[int, int]:
        """The stretch's columns: first, and stop (exclusive)."""
        first = part * self.part_columns
        return first, min(first + self.part_columns, self.columns)

    def path(self, part: int) -> Path:
        """Where the stretch is, or will be once it is whole."""
        return self.folder / f"columns-{part:06}.npy"

    def there(self) -> int:
        """How many stretches are there, from the first one on without a gap."""
        return next((k for k in range(self.count) if not self.path(k).exists()), self.count)

    def write(self, part: int, pieces: Iterable[Tensor]) -> Iterator[int]:
        """Keep the columns from a stretch's first one on, stretch by stretch.

        pieces: R x K, in their order. Yields, after each piece, how many columns there are now.

        Raises: StorageError.
        """
        waiting: list[Tensor] = []
        first, stop = self.span(part)
        done = first
        for column_RK in pieces:
            waiting.append(column_RK)
            done += column_RK.shape[1]
            while done >= stop > first:
                joined_RK = torch.cat(waiting, 1)
                self._save(part, joined_RK[:, : stop - first])
                waiting = [joined_RK[:, stop - first :].clone()]
                part += 1
                first, stop = self.span(part)
            yield done

    def read(self) -> Iterator[Tensor]:
        """The columns of all stretches, in their order: R x K, float32."""
        for part in range(self.count):
            yield torch.from_numpy(np.load(self.path(part)).astype(np.float32))

    def _save(self, part: int, column_RK: Tensor) -> None:
        kept_RK = column_RK.numpy().astype(np.float16 if self.as_halves else np.float32)
        with atomic_file(self.path(part)) as partial:
            np.save(partial, np.ascontiguousarray(kept_RK))


@contextmanager
def composed_parts(
    out: Path, columns: int, part_columns: int, as_halves: bool, identity: Mapping[str, Any]
) -> Iterator[ComposedParts]:
    """The folder of a sound's stretches, for as long as it is made.

    identity: all that decides the sound, JSON values. Stretches of another one are thrown away.

    The folder is removed when the block ends without error, and where nothing was finished yet.

    Raises: SettingsError if another process is writing this sound; StorageError.
    """
    folder = parts_folder(out)
    with storage_errors(out):
        folder.mkdir(parents=True, exist_ok=True)
        with only_writer(folder, out):
            wanted = json.loads(json.dumps(dict(identity), default=str))
            if _known(folder) != wanted:
                for inside in folder.iterdir():
                    if inside.name != LOCK:
                        discard(inside) if inside.is_dir() else inside.unlink()
                write_json(folder / _IDENTITY, wanted)
            parts = ComposedParts(folder, columns, part_columns, as_halves)
            try:
                yield parts
            except BaseException:
                if parts.there() == 0:
                    discard(folder)
                raise
            discard(folder)


def _known(folder: Path) -> Any:
    try:
        return json.loads((folder / _IDENTITY).read_bytes())
    except (OSError, ValueError):
        return None
