"""A run's rows and sheets as TensorBoard events, where the extra `tensorboard` is installed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from soundreel.errors import storage_errors

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter

#: A number's group on the board; what is in no group stands alone.
_GROUPS = {
    "l1": "measured",
    "mean_l1": "measured",
    "ms_ssim": "measured",
    "sharpness": "measured",
    "sensitivity": "measured",
    "discriminator_loss": "training",
    "adversarial_loss": "training",
    "l1_loss": "training",
    "learning_rate": "training",
    "samples_per_second": "training",
    "epoch": "training",
}
_GROUPS_BY_BEGINNING = {"follow": "following", "own": "following", "swapped": "following"}
_NOT_DRAWN = ("step", "seconds")


def board_for(folder: Path) -> Board | None:
    """The board of a run folder; None where TensorBoard is not installed."""
    return Board(folder / "tensorboard") if find_spec("tensorboard") else None


def tag_of(name: str) -> str:
    """Under which name a column of metrics.jsonl is found on the board."""
    group = _GROUPS.get(name) or _GROUPS_BY_BEGINNING.get(name.split("_")[0])
    return f"{group}/{name}" if group else name


class Board:
    """Events of one run, in the order of its steps.

    A run that was resumed writes another file. Its first event says from which step on the
    earlier files no longer count, so that nothing is there twice.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: SummaryWriter | None = None

    def row(self, row: Mapping[str, Any]) -> None:
        """Add the numbers of a row of metrics.jsonl. Raises: StorageError."""
        step = row["step"]
        with storage_errors(self._folder):
            writer = self._writer_from(step)
            for name, value in row.items():
                if isinstance(value, int | float) and name not in _NOT_DRAWN:
                    writer.add_scalar(tag_of(name), value, step)
            writer.flush()

    def sheet(self, step: int, sheet_HWC: np.ndarray) -> None:
        """Add a sample sheet, H x W x 3 uint8. Raises: StorageError."""
        with storage_errors(self._folder):
            writer = self._writer_from(step)
            writer.add_image("sheet", sheet_HWC, step, dataformats="HWC")
            writer.flush()

    def close(self) -> None:
        """Write what is left and stop; a later row begins another file."""
        if self._writer is not None:
            with storage_errors(self._folder):
                self._writer.close()
            self._writer = None

    def _writer_from(self, step: int) -> SummaryWriter:
        if self._writer is None:
            # Not at the top: it takes a second, and is an extra.
            from torch.utils.tensorboard.writer import SummaryWriter

            self._writer = SummaryWriter(str(self._folder), purge_step=step)
        return self._writer
