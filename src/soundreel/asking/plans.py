"""What is decided before any test: the manifest, and the smallest effect that would matter."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from soundreel.asking.curves import HEARD_NAMES, HEARD_WEIGHTS, ClipCurves
from soundreel.evidence.dependence import Design, folds_of, observed_score
from soundreel.evidence.strata import smoothness
from soundreel.evidence.streams import Clip
from soundreel.seeding import seed_for
from soundreel.synthetic.features import planted_features
from soundreel.synthetic.truth import PlantedTruth

#: How much earlier sound counts too, beside what is heard at the same time.
LAG_SECONDS = 0.5
DELTA_CORPORA = 40
#: Larger corpora are translated as if they had so many clips and samples: a score hardly grows.
_MOST_VIDEOS, _MOST_SAMPLES = 60, 240
#: Corpora of curves are smoother than nothing and rougher than a constant.
_PERSISTENCE = (0.0, 0.95)


def lags_for(every_seconds: float) -> tuple[int, ...]:
    """The lags in samples: now, and `LAG_SECONDS` before where samples are dense enough."""
    earlier = round(LAG_SECONDS / every_seconds)
    return (0, earlier) if earlier >= 1 else (0,)


def weights_for(lags: Sequence[int]) -> tuple[float, ...]:
    """What each curve heard weighs, lag by lag."""
    return HEARD_WEIGHTS * len(lags)


def planted_score(
    coupling: float, clips: Sequence[ClipCurves], design: Design, corpora: int = DELTA_CORPORA
) -> float:
    """The score that this coupling has in planted corpora of this size and smoothness.

    coupling: c of the planted-truth corpus, where three of five curves seen follow three heard.
    The mean over `corpora` of them.
    """
    videos = max(3, min(_MOST_VIDEOS, len(clips)))
    samples = int(np.clip(np.median([len(clip.seen_TP) for clip in clips]), 16, _MOST_SAMPLES))
    curves = [clip.seen_TP for clip in clips] + [
        clip.heard_SA[clip.lead : clip.lead + len(clip.seen_TP)] for clip in clips
    ]
    alike_V = smoothness(curves, 1 / design.every_seconds, design.slowest_seconds)
    persistence = float(np.clip(np.median(alike_V), *_PERSISTENCE))
    plain = Design(
        every_seconds=design.every_seconds,
        delta=coupling,
        slowest_seconds=design.slowest_seconds,
        folds=design.folds,
        ridge=design.ridge,
        seed=design.seed,
    )
    scores = []
    for corpus in range(corpora):
        made = planted_features(
            PlantedTruth(coupling=coupling),
            seed_for(design.seed, "ask/delta", corpus) % 2**31,
            videos,
            samples,
            design.every_seconds,
            persistence,
        )
        planted = [
            Clip(heard, seen) for heard, seen in zip(made.audio_VTA, made.visual_VTY, strict=True)
        ]
        scores.append(observed_score(planted, list(range(videos)), plain))
    return float(np.mean(scores))


def manifest_of(
    clips: Sequence[ClipCurves],
    groups: Sequence[int],
    design: Design,
    lags: Sequence[int],
    coupling: float,
    tests: dict[str, str],
    left_out: Sequence[tuple[str, str]],
    extra: dict[str, Any],
) -> dict[str, Any]:
    """Everything that is fixed before any test, as JSON has it.

    tests: the name of each test, and whether it is confirmatory, secondary or exploratory.
    """
    folds = (
        folds_of(groups, design.folds, design.seed) if len(set(groups)) > 1 else [0] * len(clips)
    )
    return {
        "protocol": 1,
        "clips": [
            {
                "id": clip.id,
                "sha256": clip.sha256,
                "seconds": round(clip.seconds, 3),
                "samples": len(clip.seen_TP),
                "group": int(group),
                "fold": int(fold),
            }
            for clip, group, fold in zip(clips, groups, folds, strict=True)
        ],
        "left_out": [list(pair) for pair in left_out],
        "heard": list(HEARD_NAMES),
        "seen": list(clips[0].seen_names),
        "lags_samples": list(lags),
        "design": asdict(design),
        "smallest_coupling_of_interest": coupling,
        "tests": tests,
        **extra,
    }


def digest_of(manifest: dict[str, Any]) -> str:
    """The SHA-256 of a manifest, in the one way of writing it that sorts its keys."""
    written = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(written.encode()).hexdigest()
