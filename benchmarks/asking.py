"""How long `ask` takes, and its refitted permutations beside the plain way to do them.

The plain way learns anew for every permutation and fold, from the curves themselves: principal
components and ridge regression as numpy has them. Both give the same scores (checked here).

    python benchmarks/asking.py
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from soundreel.asking.settings import question_from
from soundreel.asking.verb import ask
from soundreel.dataset.build import prepare
from soundreel.evidence.dependence import Design, folds_of
from soundreel.evidence.nulls import uniform_permutations
from soundreel.evidence.refitting import Ridge, refitted_scores
from soundreel.evidence.streams import standardised
from soundreel.media.sound import write_sound
from soundreel.media.writer import FilmWriter, Song
from soundreel.parallel import available_cores
from soundreel.recipe import recipe_from

VIDEOS, SAMPLES, DRAWS, PLAIN_DRAWS = 30, 40, 1_999, 5
SOUND_CURVES, PICTURE_CURVES = 18, 7
RATE_HZ = 22_050


def main() -> None:
    """Both tables."""
    refits()
    whole()


def refits() -> None:
    """The permutations alone."""
    rng = np.random.default_rng(0)
    sounds = standardised(rng.standard_normal((VIDEOS, SAMPLES, SOUND_CURVES)), 1.5)
    pictures = list(standardised(rng.standard_normal((VIDEOS, SAMPLES, PICTURE_CURVES)), 1.5))
    pairings_BV = np.concatenate(
        [np.arange(VIDEOS)[None], uniform_permutations(VIDEOS, DRAWS, rng)]
    )
    fold_V = folds_of(range(VIDEOS), Design(1.5, 0.1).folds, 0)
    began = time.perf_counter()
    ours = refitted_scores(lambda v: sounds, pictures, pairings_BV, fold_V, Ridge())
    our_seconds = time.perf_counter() - began
    began = time.perf_counter()
    for pairing, score_V in zip(pairings_BV[:PLAIN_DRAWS], ours.score_BV, strict=False):
        np.testing.assert_allclose(plainly(sounds[pairing], pictures, fold_V), score_V, atol=1e-8)
    plain_seconds = (time.perf_counter() - began) / PLAIN_DRAWS * len(pairings_BV)
    print(
        f"{VIDEOS} videos x {SAMPLES} samples, {len(pairings_BV):,} pairings refitted: "
        f"{our_seconds:.2f} s; plainly {plain_seconds:.1f} s (from {PLAIN_DRAWS} of them); "
        f"{plain_seconds / our_seconds:.1f} x"
    )


def plainly(sounds: np.ndarray, pictures: Sequence[np.ndarray], fold_V: np.ndarray) -> np.ndarray:
    """The scores of one pairing, each fold learnt from the curves."""
    ridge, score_V = Ridge(), np.empty(len(pictures))
    for fold in range(fold_V.max() + 1):
        learn = np.flatnonzero(fold_V != fold).tolist()
        test = np.flatnonzero(fold_V == fold).tolist()
        x_NA = np.concatenate([sounds[v] for v in learn])
        y_NP = np.concatenate([pictures[v] for v in learn])
        axis_PK = np.linalg.eigh(y_NP.T @ y_NP)[1][:, ::-1][:, : ridge.picture_components]
        axis_AC = np.linalg.eigh(x_NA.T @ x_NA)[1][:, ::-1][:, : ridge.sound_components]
        inner_NC = x_NA @ axis_AC
        gram_CC = inner_NC.T @ inner_NC / len(x_NA) + ridge.strength * np.eye(inner_NC.shape[1])
        weight_CK = np.linalg.solve(gram_CC, inner_NC.T @ (y_NP @ axis_PK) / len(x_NA))
        for v in test:
            guess_TK, truth_TK = sounds[v] @ axis_AC @ weight_CK, pictures[v] @ axis_PK
            score_V[v] = np.mean(
                [np.corrcoef(guess_TK[:, k], truth_TK[:, k])[0, 1] for k in range(axis_PK.shape[1])]
            )
    return score_V


def whole() -> None:
    """From clips to the report."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        films = [film(folder / f"{n:02}.mp4", n) for n in range(VIDEOS)]
        recipe = recipe_from(
            "default",
            every_seconds=Fraction(3, 2),
            picture_size=256,
            start_seconds=Fraction(6),
            stop_seconds=Fraction(66),
        )
        dataset = prepare(films, folder / "dataset", recipe, workers=available_cores())
        for name, what in (("dataset, 40 pairs each", dataset.folder), ("films of 72 s", folder)):
            began = time.perf_counter()
            what = [what] if what == dataset.folder else films
            answer = ask(
                *what, out=folder / f"{name[:4]}.html", question=question_from(draws=DRAWS)
            )
            seconds = time.perf_counter() - began
            print(
                f"ask, {VIDEOS} clips ({name}), {DRAWS:,} permutations, report included: "
                f"{seconds:.0f} s on {available_cores()} cores; bar 180 s; "
                f"{len(answer.numbers['videos'])} asked, {answer.verdict}"
            )


def film(path: Path, seed: int) -> Path:
    """A film of 72 s whose colours and sound wander, each by themselves."""
    rng = np.random.default_rng(seed)
    fps, seconds = Fraction(15), 72
    steps = np.cumsum(rng.standard_normal((fps.numerator * seconds, 3)), axis=0)
    colours = 128 + 90 * np.sin(steps / 12)
    texture = rng.integers(0, 60, (90, 160, 1))
    level = np.exp(
        np.interp(
            np.arange(RATE_HZ * seconds),
            np.arange(seconds * 5) * RATE_HZ / 5,
            rng.standard_normal(seconds * 5),
        )
    )
    sound = 0.05 * level * rng.standard_normal(RATE_HZ * seconds)
    heard = path.with_suffix(".wav")
    write_sound(heard, np.clip(sound, -1, 1).astype(np.float32), RATE_HZ)
    with FilmWriter(path, 160, 90, fps, Song(heard)) as writer:
        for colour in colours:
            writer.write((colour + texture - 30).clip(0, 255).astype(np.uint8))
    heard.unlink()
    return path


if __name__ == "__main__":
    main()
