"""How the dataset test did where the truth is known: kept with the program, shown in reports.

`calibrated.json` is made by `benchmarks/keep_calibration.py` from what `ask --calibrate` found.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from soundreel.asking.calibration_pieces import EDITION

FILE = "calibrated.json"


@dataclass(frozen=True)
class Calibrated:
    """The last full calibration.

    edition: of the test; it counts for no other. corpora: null corpora of curves for each switch.
    rejections: by switch, (how many were called linked, of how many). p_values: quantiles of the
    p-values over all of them. films: (null corpora of films called linked, of how many).
    """

    edition: int
    corpora: int
    passes: bool
    rejections: dict[str, tuple[int, int]]
    p_values: tuple[float, ...]
    films: tuple[int, int]

    @property
    def holds(self) -> bool:
        """Whether it was passed, by the test as it is now."""
        return self.passes and self.edition == EDITION


@cache
def calibrated() -> Calibrated:
    """What is kept with the program."""
    told = json.loads(files("soundreel.asking").joinpath(FILE).read_text(encoding="utf-8"))
    return Calibrated(
        edition=told["edition"],
        corpora=told["corpora"],
        passes=told["passes"],
        rejections={name: (hits, of) for name, (hits, of) in told["rejections"].items()},
        p_values=tuple(told["p_values"]),
        films=tuple(told["films"]),
    )


def summary_of(numbers: dict[str, Any]) -> dict[str, Any]:
    """What is kept, of the JSON that `ask --calibrate` wrote."""
    features, films = numbers["features"], numbers["films"]
    every_p = sorted(p for switch in features["switches"] for p in switch["p_value"])
    shown = 200
    quantiles = [every_p[(2 * n + 1) * len(every_p) // (2 * shown)] for n in range(shown)]
    return {
        "edition": EDITION,
        "corpora": features["corpora"],
        "passes": numbers["verdict"] == "passes",
        "rejections": {
            switch["name"]: [switch["whole"]["hits"], switch["whole"]["of"]]
            for switch in features["switches"]
        },
        "p_values": quantiles,
        "films": [films["false_positives"]["hits"], films["false_positives"]["of"]],
    }
