"""The audit that goes with a model: the report of `soundreel ask --model`, read for its numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soundreel.errors import SharingError

_FORMAT = "soundreel-evidence"
_LARGEST_BYTES = 2**24


def _number(value: float) -> str:
    return f"{value:.3g}"


def _share(value: float) -> str:
    return f"{100 * value:.3g} %"


def _interval(value: list[float]) -> str:
    return f"{value[0]:.3g} to {value[1]:.3g}"


#: Key in the report, its name on the card, how it is written, and how to read it.
_ROWS: tuple[tuple[str, str, Callable[[Any], str], str], ...] = (
    ("sensitivity", "sensitivity", _share, "how much its pictures vary, beside the real frames"),
    ("usefulness", "usefulness", _number, "its own song, less another's; 0: any song would do"),
    ("ci_95", "95 % interval of it", _interval, "effects that go well with these songs"),
    ("p_value", "p-value", _number, "how often luck alone does as well"),
    ("skill", "skill", _number, "error beside the mean frame's; 0: no better, 1: perfect"),
    ("two_afc", "right moment", _share, "of two, its picture's own; guessing gives 50 %"),
    ("copy_rate", "copied", _share, "of its pictures are training frames, or as near as"),
    ("sliced_wasserstein", "sliced Wasserstein", _number, "distance to real frames; 0: none"),
    ("flicker", "flicker", _number, "beside the real videos; 1: alike"),
    ("motion_ratio", "motion", _number, "beside the real videos; 1: alike"),
)


@dataclass(frozen=True)
class Audit:
    """A report on a model.

    verdict: its one word. songs: how many songs it was asked with, that it never heard.
    rows: name, value and how to read it, of what was measured; none where it is invalid.
    numbers_file, report_file: the JSON file, and the page beside it where there is one.
    """

    verdict: str
    songs: int
    rows: tuple[tuple[str, str, str], ...]
    numbers_file: Path
    report_file: Path | None


def read_audit(place: Path, weights_sha256: str) -> Audit:
    """The report of `soundreel ask DATASET --model MODEL --out place`, page or JSON file.

    weights_sha256: of the model that it is to be on.

    Raises: SharingError if there is none, it is on something else, or on another model.
    """
    numbers_file = place.with_suffix(".json")
    try:
        if numbers_file.stat().st_size > _LARGEST_BYTES:
            raise ValueError("too large")
        told = json.loads(numbers_file.read_bytes())
        if told["format"] != _FORMAT or told["kind"] != "model":
            raise ValueError("on something else")
        found = told.get("model") or {}
        audit = Audit(
            verdict=str(told["verdict"])[:100],
            songs=len(told["songs"]),
            rows=tuple(
                (name, written(found[key]), reading)
                for key, name, written, reading in _ROWS
                if found.get(key) is not None
            ),
            numbers_file=numbers_file,
            report_file=page if (page := place.with_suffix(".html")).is_file() else None,
        )
    except OSError as error:
        raise SharingError(
            f"{numbers_file}: cannot be read ({error.strerror}): give a report of `soundreel ask "
            "DATASET --model MODEL`"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise SharingError(
            f"{numbers_file}: no report on a model: make one with `soundreel ask DATASET --model "
            "MODEL`"
        ) from error
    asked = _asked_of(numbers_file)
    if asked is not None and asked != weights_sha256:
        raise SharingError(f"{numbers_file}: is a report on another model: ask this one")
    return audit


def _asked_of(numbers_file: Path) -> str | None:
    """The hash of the weights that a report is on, where its manifest still lies beside it."""
    manifest = numbers_file.with_name(f"{numbers_file.stem}.manifest.json")
    try:
        model = json.loads(manifest.read_bytes())["model"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return model if isinstance(model, str) else None
