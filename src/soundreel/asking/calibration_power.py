"""How strong must dependence be for the dataset test to find it? On planted corpora of curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from soundreel.asking.calibration import ALPHA
from soundreel.asking.calibration_pieces import (
    Corpora,
    Drawing,
    Outcome,
    Piece,
    Rate,
    Test,
    answered,
    pieces_of,
    the_test,
)
from soundreel.errors import SettingsError
from soundreel.evidence.verdicts import detectable
from soundreel.progress import Listener, silent
from soundreel.synthetic.truth import PlantedTruth

COUPLINGS = (0.0, 0.05, 0.1, 0.15, 0.2)
DRAWINGS: tuple[Drawing, ...] = ("direct", "planted")


@dataclass(frozen=True)
class Size:
    """A size of corpus, and what the protocol says of it.

    told_power: by coupling, both nulls at .05; told_mde80: in score units. Source: the table of
    docs/evidence.md, section B.
    """

    name: str
    videos: int
    samples: int
    persistence: float
    shared_fades: bool
    told_power: tuple[tuple[float, float], ...]
    told_mde80: float


SIZES = (
    Size(
        "30 x 40, .5",
        30,
        40,
        0.5,
        False,
        ((0.0, 0.03), (0.05, 0.19), (0.1, 0.77), (0.15, 0.99), (0.2, 1.0)),
        0.064,
    ),
    Size(
        "30 x 40, .8",
        30,
        40,
        0.8,
        False,
        ((0.0, 0.03), (0.05, 0.16), (0.1, 0.58), (0.15, 0.98), (0.2, 1.0)),
        0.077,
    ),
    Size("30 x 40, .8, fades", 30, 40, 0.8, True, ((0.0, 0.05), (0.1, 0.67), (0.2, 1.0)), 0.075),
    Size("30 x 160, .8", 30, 160, 0.8, False, ((0.0, 0.03), (0.05, 0.32), (0.1, 0.95)), 0.051),
    Size("12 x 40, .8", 12, 40, 0.8, False, ((0.1, 0.26), (0.2, 0.84)), 0.121),
)


@dataclass(frozen=True)
class PowerAt:
    """What the test makes of corpora of one size and coupling.

    power: p at most .05 against both nulls. found: a verdict of YES or NEGLIGIBLE, for which the
    95% interval must lie above 0 too. score: the mean; mde80: the median over corpora.
    told_power, told_mde80: the protocol's, None where it has none.
    """

    size: str
    drawing: Drawing
    coupling: float
    power: Rate
    found: Rate
    score: float
    mde80: float
    told_power: float | None
    told_mde80: float | None

    def as_json(self) -> dict[str, Any]:
        """As JSON has it, for a report and for figures."""
        rates = {"power": self.power.as_json(), "found": self.found.as_json()}
        return asdict(self) | rates


@dataclass(frozen=True)
class Power:
    """The power of the test, size by size and coupling by coupling."""

    corpora: int
    draws: int
    seed: int
    rows: tuple[PowerAt, ...]

    def as_json(self) -> dict[str, Any]:
        """As JSON has it, for a report and for figures."""
        plain = {"corpora": self.corpora, "draws": self.draws, "seed": self.seed}
        return plain | {"alpha": ALPHA, "rows": [row.as_json() for row in self.rows]}

    @property
    def table(self) -> str:
        """For a person: a line for each size and coupling, the protocol's numbers last."""
        lines = [
            f"{'':20} {'drawn':>8} {'coupling':>8} {'power':>6} {'95% interval':>13} {'found':>6} "
            f"{'score':>6} {'MDE80':>6}   told: power, MDE80"
        ]
        for row in self.rows:
            low, high = row.power.interval
            span = f"{low:.2f}-{high:.2f}"
            told = "" if row.told_power is None else f"{row.told_power:.2f}"
            least = "" if row.told_mde80 is None else f"{row.told_mde80:.3f}"
            lines.append(
                f"{row.size:20} {row.drawing:>8} {row.coupling:8.2f} {row.power.share:6.2f} "
                f"{span:>13} {row.found.share:6.2f} {row.score:6.3f} {row.mde80:6.3f}   "
                f"{told:>11} {least:>6}".rstrip()
            )
        return "\n".join(lines)


def power(
    corpora: int,
    seed: int = 0,
    workers: int = 1,
    progress: Listener = silent,
    draws: int = 199,
    kept: Path | None = None,
    sizes: Sequence[Size] = SIZES,
    couplings: Sequence[float] = COUPLINGS,
    drawings: Sequence[Drawing] = DRAWINGS,
    test: Test = the_test,
) -> Power:
    """How often the test finds planted couplings, in corpora of several sizes.

    corpora: how many of each size, coupling and drawing (`calibration_pieces.Corpora`). kept: a
    folder for what is finished: the same call again goes on from there.

    Raises: SettingsError for no corpora; StorageError if `kept` cannot be written.
    """
    if corpora < 1:
        raise SettingsError(f"corpora = {corpora}: give at least one for each coupling")
    cells: list[tuple[Drawing, Size, float]] = [
        (drawing, size, coupling)
        for drawing in drawings
        for size in sizes
        for coupling in couplings
    ]
    pieces: list[Piece] = []
    cell_of: dict[str, tuple[Drawing, Size, float]] = {}
    for drawing, size, coupling in cells:
        kind = Corpora(
            PlantedTruth(coupling=coupling, shared_fades=size.shared_fades),
            size.videos,
            size.samples,
            size.persistence,
            drawing,
        )
        name = _name(drawing, size, coupling)
        cell_of[name] = (drawing, size, coupling)
        pieces += pieces_of(name, "test", kind, corpora, draws, seed)
    found: dict[str, list[Outcome]] = {name: [] for name in cell_of}
    for piece, rows in answered(pieces, test, workers, progress, kept, "power"):
        found[piece.name] += [Outcome(**row) for row in rows]
    return Power(
        corpora, draws, seed, tuple(_row(*cell_of[name], some) for name, some in found.items())
    )


def _name(drawing: Drawing, size: Size, coupling: float) -> str:
    fades = "-fades" if size.shared_fades else ""
    return f"{drawing}-{size.videos}x{size.samples}-{size.persistence}{fades}-{coupling}"


def _row(drawing: Drawing, size: Size, coupling: float, found: list[Outcome]) -> PowerAt:
    told = dict(size.told_power) if drawing == "direct" else {}
    return PowerAt(
        size=size.name,
        drawing=drawing,
        coupling=coupling,
        power=Rate.of([one.p_value <= ALPHA for one in found]),
        found=Rate.of([one.is_found for one in found]),
        score=float(np.mean([one.score for one in found])),
        mde80=float(np.median([detectable(one.null_sd) for one in found])),
        told_power=told.get(coupling),
        told_mde80=size.told_mde80 if drawing == "direct" else None,
    )
