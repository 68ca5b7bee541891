"""What `ask` hands back, whatever it was asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    """A verdict, where the report on it lies, and all numbers.

    kind: "dataset", "model", "film", "calibration" or "comparison".
    words: a few sentences for a person. numbers: what the JSON file beside the report holds.
    left_out: (clip, why) of what was not used.
    """

    kind: str
    verdict: str
    words: str
    report: Path
    numbers_file: Path | None
    numbers: dict[str, Any]
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def summary(self) -> str:
        """Some lines for a person: the answer, what was left out, and where to read on."""
        left = [f"left out: {clip}: {why}" for clip, why in self.left_out]
        return "\n".join([f"{self.verdict}: {self.words}", *left, f"report: {self.report}"])
