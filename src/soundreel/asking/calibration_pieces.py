"""Planted corpora of curves put to a test, piece by piece; finished pieces are kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from soundreel.atomic import write_json
from soundreel.evidence.dependence import Design, dependence
from soundreel.evidence.proportion import binomial_interval
from soundreel.evidence.streams import Clip
from soundreel.evidence.wrong_ways import WRONG_WAYS
from soundreel.parallel import map_items
from soundreel.progress import Listener, Step
from soundreel.seeding import numpy_generator_for, seed_for
from soundreel.synthetic.features import planted_features
from soundreel.synthetic.truth import FADE_UNITS, PlantedTruth, fade_depth

#: So many corpora are one piece: one file, and one item of work.
PIECE = 20
#: Counts up when a test would answer otherwise than before: kept pieces are then made anew.
EDITION = 2

EVERY_SECONDS = 1.5
#: A score that is about what a coupling of .1 gives; it decides nothing that is counted here.
DELTA = 0.03

Drawing = Literal["planted", "direct"]


@dataclass(frozen=True)
class Corpora:
    """A kind of corpus, of which any number can be drawn.

    drawing: "planted": the planted-truth corpus: of 5 curves seen 3 follow, of 8 heard 3 matter,
        and the others are mixtures of these; "direct": as the protocol simulated: 8 curves
        heard and 4 seen, all AR(1) and independent, but that each curve seen follows one of the
        curves heard by a correlation of `truth.coupling`.
    """

    truth: PlantedTruth
    videos: int = 30
    samples: int = 40
    persistence: float = 0.8
    drawing: Drawing = "planted"

    def drawn(self, seed: int) -> tuple[list[Clip], np.ndarray]:
        """One corpus: its clips, and which song each has."""
        if self.drawing == "direct":
            return self._direct(seed), np.arange(self.videos)
        made = planted_features(
            self.truth, seed, self.videos, self.samples, EVERY_SECONDS, self.persistence
        )
        pairs = zip(made.audio_VTA, made.visual_VTY, strict=True)
        return [Clip(heard_TA, seen_TP) for heard_TA, seen_TP in pairs], made.song_of_video

    def _direct(self, seed: int) -> list[Clip]:
        rng = numpy_generator_for(seed, "features/direct")
        shock_TVD = rng.standard_normal((self.samples, self.videos, 12))
        curve_TVD = np.empty_like(shock_TVD)
        before_VD = rng.standard_normal((self.videos, 12))
        for t, shock_VD in enumerate(shock_TVD):
            fresh_VD = np.sqrt(1 - self.persistence**2) * shock_VD
            before_VD = curve_TVD[t] = self.persistence * before_VD + fresh_VD
        heard_VTA, own_VTP = np.split(curve_TVD.transpose(1, 0, 2), [8], axis=2)
        r = self.truth.coupling
        seen_VTP = r * heard_VTA[..., :4] + np.sqrt(1 - r**2) * own_VTP
        if self.truth.shared_fades:
            fade_T1 = FADE_UNITS * fade_depth(self.samples)[:, None]
            heard_VTA, seen_VTP = heard_VTA - fade_T1, seen_VTP - fade_T1
        return [Clip(heard, seen) for heard, seen in zip(heard_VTA, seen_VTP, strict=True)]


@dataclass(frozen=True)
class Outcome:
    """What a test said of one corpus. The fields are those of `dependence.Dependence`."""

    verdict: str
    p_value: float
    p_swap: float
    p_shift: float
    score: float
    null_sd: float

    @property
    def is_found(self) -> bool:
        """Whether it says that there is dependence, however small."""
        return self.verdict in ("YES", "NEGLIGIBLE")


#: Anything that answers the question of clips, their groups and a design.
Test = Callable[[Sequence[Clip], Sequence[int], Design], Outcome]


def the_test(clips: Sequence[Clip], groups: Sequence[int], design: Design) -> Outcome:
    """The confirmatory test."""
    found = dependence(clips, groups, design)
    return Outcome(
        found.verdict, found.p_value, found.p_swap, found.p_shift, found.score, found.null_sd
    )


@dataclass(frozen=True)
class Piece:
    """Some corpora of one kind, by their numbers, and what is to be asked of them.

    what: "test", or "wrong": every wrong way. name: which corpora, for files and for seeds.
    """

    name: str
    what: Literal["test", "wrong"]
    corpora: Corpora
    first: int
    count: int
    draws: int
    seed: int

    @property
    def seeds(self) -> list[int]:
        """A seed for each corpus: the same whatever is asked, and however pieces are cut."""
        numbers = range(self.first, self.first + self.count)
        return [seed_for(self.seed, f"calibration/{self.name}", n) % 2**31 for n in numbers]

    def kept_in(self, folder: Path, test: Test) -> Path:
        """Its file, whose name holds a digest of all that the answers depend on."""
        told = {
            **asdict(self),
            "corpora": asdict(self.corpora) | {"truth": self.corpora.truth.model_dump()},
            "test": f"{test.__module__}.{test.__qualname__}" if self.what == "test" else "",
            "edition": EDITION,
        }
        written = json.dumps(told, sort_keys=True)
        digest = hashlib.blake2b(written.encode(), digest_size=6).hexdigest()
        return folder / f"{self.what}-{self.name}-{self.first:05}-{digest}.json"


def pieces_of(
    name: str,
    what: Literal["test", "wrong"],
    corpora: Corpora,
    count: int,
    draws: int,
    seed: int,
) -> list[Piece]:
    """The pieces of `count` corpora of a kind."""
    return [
        Piece(name, what, corpora, first, min(PIECE, count - first), draws, seed)
        for first in range(0, count, PIECE)
    ]


def answered(
    pieces: Sequence[Piece],
    test: Test,
    workers: int,
    progress: Listener,
    kept: Path | None,
    task: str,
) -> Iterator[tuple[Piece, list[dict[str, Any]]]]:
    """Every piece with its answers, a row for each corpus; those that are kept are not redone.

    kept: a folder, made where it is missing. Closing the iterator stops the work.

    Raises: StorageError if the folder cannot be written.
    """
    total, done = sum(piece.count for piece in pieces), 0
    progress(Step(task, 0, total, "corpora"))
    made = map_items(partial(_answers, test=test, kept=kept), pieces, workers)
    for piece, rows in zip(pieces, made, strict=True):
        done += piece.count
        progress(Step(task, done, total, "corpora", piece.name))
        yield piece, rows


def _answers(piece: Piece, test: Test, kept: Path | None) -> list[dict[str, Any]]:
    path = None if kept is None else piece.kept_in(kept, test)
    if path is not None and (before := _read(path, piece.count)) is not None:
        return before
    rows = [_answer(piece, seed, test) for seed in piece.seeds]
    if path is not None:
        write_json(path, rows)
    return rows


def _answer(piece: Piece, seed: int, test: Test) -> dict[str, Any]:
    clips, song_V = piece.corpora.drawn(seed)
    groups = list(range(len(clips)))
    design = Design(EVERY_SECONDS, DELTA, draws=piece.draws, seed=seed)
    if piece.what == "wrong":
        return {name: way(clips, groups, design) for name, way in WRONG_WAYS.items()}
    if len(np.unique(song_V)) < len(song_V):
        # Curves have no fingerprint: here the corpus itself says which songs are the same.
        return asdict(Outcome("INVALID", 1.0, 1.0, 1.0, 0.0, 0.0))
    return asdict(test(clips, groups, design))


def _read(path: Path, count: int) -> list[dict[str, Any]] | None:
    """The rows that a file holds; None if it is not there or not whole."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return rows if isinstance(rows, list) and len(rows) == count else None


@dataclass(frozen=True)
class Rate:
    """How often something came about: hits of trials, with the exact 95% interval."""

    hits: int
    trials: int

    @property
    def share(self) -> float:
        """Hits by trials; 0 of no trials."""
        return self.hits / self.trials if self.trials else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the share (Clopper and Pearson)."""
        return binomial_interval(self.hits, self.trials)

    def as_json(self) -> dict[str, Any]:
        """As JSON has it."""
        low, high = self.interval
        return {"hits": self.hits, "of": self.trials, "share": self.share, "low": low, "high": high}

    @classmethod
    def of(cls, values: Sequence[bool] | np.ndarray) -> Rate:
        """How many of these are true."""
        return cls(int(np.count_nonzero(values)), len(values))
