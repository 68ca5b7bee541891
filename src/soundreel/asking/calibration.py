"""Does the dataset test do what it says? Its false positives under every switch, on curves.

Every corpus here is null: pictures and music have nothing to do with each other. Each switch lays
one of the traps that tests are known to fall into, and wrong ways of testing are measured beside
the right one, so that a trap that catches nobody would be seen too.

Source: the planted-truth corpus of docs/evidence.md, section F.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soundreel.asking.calibration_pieces import (
    Corpora,
    Outcome,
    Rate,
    Test,
    answered,
    pieces_of,
    the_test,
)
from soundreel.errors import SettingsError
from soundreel.evidence.proportion import binomial_p_value
from soundreel.evidence.wrong_ways import WRONG_WAYS
from soundreel.progress import Listener, silent
from soundreel.synthetic.truth import PlantedTruth

ALPHA = 0.05
#: What a test that claims .05 may do at most.
BAR = 0.07
#: From so many corpora on the rate itself is held against the bar.
ENOUGH = 500

#: Every null corpus, by name: no switch, each alone, and all that go together. (A walk and matched
#: smoothness both say how the curves move, so they take turns; one look for all takes away the
#: looks of genres.)
SWITCHES: dict[str, PlantedTruth] = {
    "none": PlantedTruth(),
    "one look": PlantedTruth(look_constant=False),
    "look by genre": PlantedTruth(look_by_genre=True),
    "shared fades": PlantedTruth(shared_fades=True),
    "random walk": PlantedTruth(random_walk=True),
    "matched smoothness": PlantedTruth(matched_smoothness=True),
    "same tempo": PlantedTruth(same_tempo_random_phase=True),
    "own mapping": PlantedTruth(per_video_mapping=True),
    "nonlinear": PlantedTruth(nonlinear=True),
    "offset .3 s": PlantedTruth(av_offset_seconds=0.3),
    "all, walking": PlantedTruth(
        look_by_genre=True,
        shared_fades=True,
        random_walk=True,
        same_tempo_random_phase=True,
        per_video_mapping=True,
        nonlinear=True,
        av_offset_seconds=0.3,
    ),
    "all, matched": PlantedTruth(
        look_by_genre=True,
        shared_fades=True,
        matched_smoothness=True,
        same_tempo_random_phase=True,
        per_video_mapping=True,
        nonlinear=True,
        av_offset_seconds=0.3,
    ),
}
DUPLICATES = PlantedTruth(duplicate_songs=True)
_DUPLICATE_CORPORA = 5


@dataclass(frozen=True)
class SwitchRates:
    """How often a test found what is not there, under one switch.

    whole: a verdict of YES or NEGLIGIBLE. both: p at most .05 against both nulls, whatever the
    interval says. swap, shift: p at most .05 against that null alone. wrong: of each wrong way.
    p_swap, p_shift, p_value: of each corpus (uniform under a null that is right, but p_value,
    the larger of both, tends to be larger).
    """

    name: str
    whole: Rate
    both: Rate
    swap: Rate
    shift: Rate
    wrong: dict[str, Rate]
    p_value: tuple[float, ...]
    p_swap: tuple[float, ...]
    p_shift: tuple[float, ...]

    @property
    def passes(self) -> bool:
        """Whether the whole test is wrong no more often than it may be (`is_within_bar`)."""
        return is_within_bar(self.whole)

    def as_json(self) -> dict[str, Any]:
        """As JSON has it, for a report and for figures."""
        return {
            "name": self.name,
            "passes": self.passes,
            **{key: getattr(self, key).as_json() for key in ("whole", "both", "swap", "shift")},
            "wrong": {name: rate.as_json() for name, rate in self.wrong.items()},
            **{key: list(getattr(self, key)) for key in ("p_value", "p_swap", "p_shift")},
        }


@dataclass(frozen=True)
class FeatureCalibration:
    """What the calibration on curves found.

    corpora: of each switch; wrong_corpora: those of them that the wrong ways were tried on.
    duplicates: how many corpora with the same song twice came back INVALID.
    """

    corpora: int
    wrong_corpora: int
    videos: int
    samples: int
    persistence: float
    draws: int
    seed: int
    switches: tuple[SwitchRates, ...]
    duplicates: Rate

    @property
    def passes(self) -> bool:
        """Whether every switch passes, and every planted duplicate was found."""
        return (
            all(switch.passes for switch in self.switches)
            and self.duplicates.hits == self.duplicates.trials
        )

    def as_json(self) -> dict[str, Any]:
        """As JSON has it, for a report and for figures."""
        plain = ("corpora", "wrong_corpora", "videos", "samples", "persistence", "draws", "seed")
        return {
            **{key: getattr(self, key) for key in plain},
            "alpha": ALPHA,
            "bar": BAR,
            "passes": self.passes,
            "switches": [switch.as_json() for switch in self.switches],
            "duplicates": self.duplicates.as_json(),
        }

    @property
    def table(self) -> str:
        """For a person: a line for each switch, rates of false positives."""
        columns = ("whole test", "both p", "swaps", "shifts", *WRONG_WAYS)
        lines = [f"{'':20} {'95% interval':>13}  " + "  ".join(columns)]
        for switch in self.switches:
            low, high = switch.whole.interval
            rates = [switch.whole, switch.both, switch.swap, switch.shift]
            rates += [switch.wrong[name] for name in WRONG_WAYS if name in switch.wrong]
            values = [
                f"{rate.share:{len(column)}.3f}"
                for column, rate in zip(columns, rates, strict=False)
            ]
            word = "" if switch.passes else "  TOO OFTEN"
            span = f"{low:.3f}-{high:.3f}"
            lines.append(f"{switch.name:20} {span:>13}  " + "  ".join(values) + word)
        lines.append(
            f"{'the same song twice':20} INVALID in {self.duplicates.hits} of "
            f"{self.duplicates.trials}"
        )
        return "\n".join(lines)


def is_within_bar(rate: Rate) -> bool:
    """Whether so many false positives are no more than `BAR` allows.

    From `ENOUGH` corpora on: the rate is at most .07. With fewer it is too coarse for that (one
    more of 20 is .05): it fails where so many or more would come about in less than 5% of all
    cases if false positives came at .07.
    """
    if rate.trials >= ENOUGH:
        return rate.share <= BAR
    return binomial_p_value(rate.hits, rate.trials, BAR) >= ALPHA


def calibrate_features(
    corpora: int,
    seed: int = 0,
    workers: int = 1,
    progress: Listener = silent,
    videos: int = 30,
    samples: int = 40,
    persistence: float = 0.8,
    draws: int = 199,
    kept: Path | None = None,
    wrong_corpora: int | None = None,
    test: Test = the_test,
) -> FeatureCalibration:
    """How often the test finds dependence in null corpora of curves, under every switch.

    corpora: how many of each switch. wrong_corpora: on how many of them the wrong ways are tried
    (None: all). kept: a folder for what is finished: the same call again goes on from there.
    test: another test to be held against the same corpora.

    One test of 30 videos of 40 samples takes about 0.07 s on one core, all wrong ways together
    about as much again twice: 500 corpora a switch 7 minutes, and 15 more.

    Raises: SettingsError for no corpora; StorageError if `kept` cannot be written.
    """
    if corpora < 1:
        raise SettingsError(f"corpora = {corpora}: give at least one for each switch")
    tried = corpora if wrong_corpora is None else min(wrong_corpora, corpora)
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    pieces = []
    for name, truth in SWITCHES.items():
        kind = Corpora(truth, videos, samples, persistence)
        slug = _slug(name)
        pieces += pieces_of(slug, "test", kind, corpora, draws, seed)
        pieces += pieces_of(slug, "wrong", kind, tried, draws, seed)
    twice = Corpora(DUPLICATES, videos, samples, persistence)
    pieces += pieces_of("duplicates", "test", twice, _DUPLICATE_CORPORA, draws, seed)
    for piece, some in answered(pieces, test, workers, progress, kept, "calibrate"):
        rows.setdefault((piece.name, piece.what), []).extend(some)
    return FeatureCalibration(
        corpora=corpora,
        wrong_corpora=tried,
        videos=videos,
        samples=samples,
        persistence=persistence,
        draws=draws,
        seed=seed,
        switches=tuple(
            _rates(name, rows[_slug(name), "test"], rows.get((_slug(name), "wrong"), []))
            for name in SWITCHES
        ),
        duplicates=Rate.of([row["verdict"] == "INVALID" for row in rows["duplicates", "test"]]),
    )


def _rates(name: str, rows: list[dict[str, Any]], wrong_rows: list[dict[str, Any]]) -> SwitchRates:
    found = [Outcome(**row) for row in rows]
    wrong = {}
    if wrong_rows:
        wrong = {way: Rate.of([row[way] <= ALPHA for row in wrong_rows]) for way in WRONG_WAYS}
    return SwitchRates(
        name=name,
        whole=Rate.of([one.is_found for one in found]),
        both=Rate.of([one.p_value <= ALPHA for one in found]),
        swap=Rate.of([one.p_swap <= ALPHA for one in found]),
        shift=Rate.of([one.p_shift <= ALPHA for one in found]),
        wrong=wrong,
        p_value=tuple(one.p_value for one in found),
        p_swap=tuple(one.p_swap for one in found),
        p_shift=tuple(one.p_shift for one in found),
    )


def _slug(name: str) -> str:
    """A switch's name as part of a file's."""
    return "-".join("".join(c if c.isalnum() else " " for c in name).split())
