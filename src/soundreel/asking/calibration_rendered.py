"""The dataset test on planted corpora of real video files, through everything that measures them.

Curves made here have no decoder, no cuts, no fingerprint and no shared instruments; films have.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from soundreel.asking.calibration import ALPHA, SWITCHES
from soundreel.asking.calibration_pieces import Rate
from soundreel.atomic import discard, write_json
from soundreel.errors import SettingsError
from soundreel.evidence.proportion import binomial_p_value
from soundreel.progress import Listener, Step, silent
from soundreel.seeding import seed_for
from soundreel.synthetic.corpus import make_corpus
from soundreel.synthetic.truth import PlantedTruth

#: Video files, and the place of a report -> the verdict, and the p-value where there is one.
Ask = Callable[[Sequence[Path], Path], tuple[str, float | None]]
Kind = Literal["null", "duplicates", "coupled"]

#: Counts up when the same corpora would be asked otherwise: kept answers are then made anew.
_EDITION = 2
_FOUND = ("YES", "NEGLIGIBLE")


@dataclass(frozen=True)
class RenderedPlan:
    """One corpus to be made and asked. name: of its folder; switch: a name of `SWITCHES`."""

    name: str
    kind: Kind
    switch: str
    truth: PlantedTruth
    seed: int


@dataclass(frozen=True)
class RenderedCorpus:
    """What was said of one corpus; seconds: what making and asking it took."""

    name: str
    kind: Kind
    switch: str
    coupling: float
    verdict: str
    p_value: float | None
    seconds: float

    @property
    def is_found(self) -> bool:
        """Whether dependence was found, however small."""
        return self.verdict in _FOUND


@dataclass(frozen=True)
class RenderedCalibration:
    """What the calibration on video files found, corpus by corpus."""

    clips: int
    clip_seconds: float
    corpora: tuple[RenderedCorpus, ...]

    @property
    def false_positives(self) -> Rate:
        """Null corpora in which dependence was found."""
        return Rate.of([one.is_found for one in self._of("null")])

    @property
    def duplicates(self) -> Rate:
        """Corpora with the same song twice that came back INVALID."""
        return Rate.of([one.verdict == "INVALID" for one in self._of("duplicates")])

    @property
    def wrongly_invalid(self) -> Rate:
        """Corpora of different songs that came back INVALID."""
        others = [one for one in self.corpora if one.kind != "duplicates"]
        return Rate.of([one.verdict == "INVALID" for one in others])

    @property
    def found_at(self) -> dict[float, Rate]:
        """By coupling, in how many corpora dependence was found; 0 are the null corpora."""
        couplings = sorted({one.coupling for one in self.corpora if one.kind != "duplicates"})
        return {
            coupling: Rate.of(
                [
                    one.is_found
                    for one in self.corpora
                    if one.kind != "duplicates" and one.coupling == coupling
                ]
            )
            for coupling in couplings
        }

    @property
    def passes(self) -> bool:
        """Whether the films say what was planted in them.

        No more is found in null corpora than .05 explains (fewer than 5% of all calibrations would
        have so much), every planted duplicate is INVALID and nothing else is, and the strongest
        coupling is found in at least half its corpora.
        """
        wrong, found = self.false_positives, self.found_at
        strongest = max(found, default=0.0)
        return (
            binomial_p_value(wrong.hits, wrong.trials, ALPHA) >= ALPHA
            and self.duplicates.hits == self.duplicates.trials
            and self.wrongly_invalid.hits == 0
            and (strongest == 0 or 2 * found[strongest].hits >= found[strongest].trials)
        )

    def as_json(self) -> dict[str, Any]:
        """As JSON has it, for a report and for figures."""
        rates = ("false_positives", "duplicates", "wrongly_invalid")
        return {
            "clips": self.clips,
            "clip_seconds": self.clip_seconds,
            "passes": self.passes,
            **{key: getattr(self, key).as_json() for key in rates},
            "found_at": [
                {"coupling": coupling, **rate.as_json()} for coupling, rate in self.found_at.items()
            ],
            "corpora": [asdict(one) for one in self.corpora],
        }

    @property
    def table(self) -> str:
        """For a person: a line for each corpus, then what they come to."""
        lines = []
        for one in self.corpora:
            p_value = "" if one.p_value is None else f"p = {one.p_value:.4f}"
            lines.append(
                f"{one.name:26} {one.switch:20} coupling {one.coupling:4.2f}  "
                f"{one.verdict:10} {p_value}".rstrip()
            )
        told = [
            ("found where nothing is", self.false_positives),
            ("the same song twice: INVALID", self.duplicates),
            ("INVALID without that", self.wrongly_invalid),
            *((f"found at a coupling of {c:g}", rate) for c, rate in self.found_at.items() if c),
        ]
        return "\n".join(lines + [f"{what:30} {r.hits} of {r.trials}" for what, r in told])

    def _of(self, kind: Kind) -> list[RenderedCorpus]:
        return [one for one in self.corpora if one.kind == kind]


def rendered_plans(
    corpora: int,
    seed: int = 0,
    couplings: Sequence[float] = (0.1, 0.2, 0.4, 0.8),
    coupled_corpora: int = 2,
    duplicate_corpora: int = 2,
) -> list[RenderedPlan]:
    """Which corpora are made: null ones, the switches taking turns; duplicates; couplings.

    Raises: SettingsError for a coupling that is not above 0 and at most 1.
    """
    if not all(0 < coupling <= 1 for coupling in couplings):
        raise SettingsError(f"couplings {list(couplings)}: each must be above 0 and at most 1")
    names = itertools.islice(itertools.cycle(SWITCHES), corpora)
    told: list[tuple[str, Kind, str, PlantedTruth]] = [
        *((f"null-{n:03}", "null", name, SWITCHES[name]) for n, name in enumerate(names)),
        *(
            (f"duplicates-{n:03}", "duplicates", "none", PlantedTruth(duplicate_songs=True))
            for n in range(duplicate_corpora)
        ),
        *(
            (f"coupling-{c:g}-{n:03}", "coupled", "none", PlantedTruth(coupling=c))
            for c in couplings
            for n in range(coupled_corpora)
        ),
    ]
    return [
        RenderedPlan(
            name, kind, switch, truth, seed_for(seed, f"calibration/rendered/{name}") % 2**31
        )
        for name, kind, switch, truth in told
    ]


def calibrate_rendered(
    out: Path,
    corpora: int,
    ask: Ask,
    clips: int = 12,
    clip_seconds: float = 30.0,
    seed: int = 0,
    couplings: Sequence[float] = (0.1, 0.2, 0.4, 0.8),
    coupled_corpora: int = 2,
    duplicate_corpora: int = 2,
    workers: int = 1,
    keep_films: bool = False,
    progress: Listener = silent,
    width: int = 128,
    height: int = 72,
    fps: Fraction = Fraction(12),
) -> RenderedCalibration:
    """Make planted corpora of real video files, and ask of each whether music makes its pictures.

    out: a folder; each corpus has one in it, with its films (removed once it was asked, unless
    `keep_films`) and what `ask` writes beside its report; and a file with the answer, so that the
    same call again goes on from there. corpora: how many null ones.

    Raises: SettingsError for numbers out of range; StorageError; and whatever `ask` raises.
    """
    plans = rendered_plans(corpora, seed, couplings, coupled_corpora, duplicate_corpora)
    size = {"clips": clips, "seconds": clip_seconds, "frame": [width, height, str(fps)]}
    done = []
    progress(Step("calibrate on films", 0, len(plans), "corpora"))
    for plan in plans:
        told = asdict(plan) | {"truth": plan.truth.model_dump(), "edition": _EDITION} | size
        digest = hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=6)
        answer = out / f"{plan.name}-{digest.hexdigest()}.json"
        corpus = _read(answer)
        if corpus is None:
            began = time.monotonic()
            folder = out / answer.stem
            films = make_corpus(
                folder / "films",
                clips,
                clip_seconds,
                plan.truth,
                plan.seed,
                width,
                height,
                fps,
                workers=workers,
            )
            verdict, p_value = ask(films, folder / "report.html")
            corpus = RenderedCorpus(
                plan.name,
                plan.kind,
                plan.switch,
                plan.truth.coupling,
                verdict,
                None if p_value is None else float(p_value),
                time.monotonic() - began,
            )
            write_json(answer, asdict(corpus))
            if not keep_films:
                discard(folder / "films")
        done.append(corpus)
        progress(Step("calibrate on films", len(done), len(plans), "corpora", plan.name))
    return RenderedCalibration(clips, float(clip_seconds), tuple(done))


def _read(path: Path) -> RenderedCorpus | None:
    """The answer that a file holds; None if it is not there or not whole."""
    try:
        return RenderedCorpus(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
