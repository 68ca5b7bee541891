"""Which measurement was the best, and when to wait no longer for a better one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from soundreel.training.presets import Training

Measure = Literal["l1", "ms_ssim", "follow"]
#: 1 where more is better, -1 where less is.
_BETTER = {"l1": -1, "ms_ssim": 1, "follow": 1}


def best_row(rows: Sequence[dict[str, Any]], measure: Measure) -> dict[str, Any] | None:
    """The first of the rows with the best value; None where none has one."""
    known = [row for row in rows if row.get(measure) is not None]
    return max(known, key=lambda row: _BETTER[measure] * row[measure], default=None)


def ran_out_of_patience(rows: Sequence[dict[str, Any]], settings: Training) -> bool:
    """Whether the last `patience` measurements brought nothing better than what was before."""
    if settings.stop_on is None:
        return False
    best = best_row(rows, settings.stop_on)
    since = len(rows) if best is None else sum(row["step"] > best["step"] for row in rows)
    return since >= settings.patience
