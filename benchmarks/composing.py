"""What a picture-to-sound model composes of held-out clips, beside the clips' own sound.

    python benchmarks/composing.py MODEL DATASET [--rounds 8] [--clips 14]

The frames of each held-out clip alone are composed, in the voice of the training clip that they
look most like. Two tables: how loudness and onsets of what is composed (10 moments a second) go
with the clip's own sound and with the other clips' sounds at the same times (mean correlations,
their difference, its 95 % bootstrap interval over clips); and level, crest factor, silence and
the modulation spectrum's lines beside those of the training sound.
"""

from __future__ import annotations

import argparse
import os
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as `threads.let_threads_rest` does
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy.signal import welch

from soundreel.dataset.loading import Pairs, load_pairs
from soundreel.dataset.store import open_dataset
from soundreel.evidence.song_likeness import heard_curves
from soundreel.networks.bundle import Model, load_model
from soundreel.rendering.composing import WINDOWS_PER_SECOND, composed_sound
from soundreel.rendering.voicing import voicing_of_frames

_BLOCK_SECONDS = 0.05
#: So far below a sound's own level is silence in it.
_SILENT_DB = -40.0
_HOP = 64


def main() -> None:
    """Compose, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--rounds", type=int, default=8, help="of Griffin-Lim")
    parser.add_argument("--clips", type=int, default=100)
    asked = parser.parse_args()
    model, dataset = load_model(asked.model), open_dataset(asked.dataset)
    rate = model.recipe.sample_rate_hz
    made, true = [], []
    for split in ("test", "val"):
        pairs = load_pairs(dataset, split)
        for clip in range(len(pairs.clip_ids)):
            if len(made) < asked.clips:
                sound_N, voice = _composed(model, pairs, clip, asked.rounds)
                made.append(sound_N)
                true.append(np.asarray(pairs.sounds[clip])[: len(sound_N)])
                print(f"{pairs.clip_ids[clip]}: {len(sound_N) / rate:.1f} s, voice {voice}")
    _following(made, true, rate)
    training = load_pairs(dataset, "train")
    _plausible({"composed": made, "training": [np.asarray(s) for s in training.sounds]}, rate)


def _composed(model: Model, pairs: Pairs, clip: int, rounds: int) -> tuple[np.ndarray, str]:
    """The sound that is composed of a clip's frames, and in whose voice."""
    places = np.flatnonzero(pairs.clip_N == clip)
    time = pairs.time_seconds_N[places]
    fps = Fraction(1 / float(np.median(np.diff(time)))).limit_denominator(1001)
    # Where pairs were left out the last frame stands.
    count = round(float(time[-1] * fps)) + 1
    shown = np.searchsorted(time, np.arange(count) / float(fps) + 1e-6, side="right") - 1
    frames = (pairs.frames_N3HW[places[max(0, n)]].transpose(1, 2, 0) for n in shown)
    voice, frames = voicing_of_frames(model, None, frames, fps)
    pieces = composed_sound(model, frames, fps, iterations=rounds, cueing=voice.cue)
    return np.concatenate(list(pieces)), voice.name


def _following(made: list[np.ndarray], true: list[np.ndarray], rate: int) -> None:
    curves = [[heard_curves([sound], rate) for sound in sounds] for sounds in (made, true)]
    moments = min(len(one) for kind in curves for one in kind)
    rng = np.random.default_rng(0)
    print("\n| | own | others' | difference | 95 % | own first |\n|---|---|---|---|---|---|")
    for name in ("loudness_db_T", "onset_T"):
        ours, theirs = (np.array([getattr(one, name)[:moments] for one in kind]) for kind in curves)
        together = np.corrcoef(ours, theirs)[: len(ours), len(ours) :]
        own = np.diag(together)
        others = (together.sum(1) - own) / (len(own) - 1)
        drawn = rng.choice(own - others, (4_000, len(own))).mean(1)
        low, high = np.quantile(drawn, (0.025, 0.975))
        first = (together.argmax(1) == np.arange(len(own))).mean()
        print(
            f"| {name.split('_')[0]} | {own.mean():.2f} | {others.mean():.2f} | "
            f"{(own - others).mean():.2f} | {low:.2f} to {high:.2f} | {first:.0%} |"
        )


def _plausible(sounds_by_kind: dict[str, list[np.ndarray]], rate: int) -> None:
    window_hz = float(WINDOWS_PER_SECOND)
    lines = [window_hz * n for n in (1, 2, 3, 4)]
    elsewhere = [13.0, 18.3, 22.1, 27.2, 36.4, 41.3, 52.7]
    print(
        "\n| | level, dB | crest, dB | silence | line at the window rate and its multiples, dB | "
        "at other rates |\n|---|---|---|---|---|---|"
    )
    for kind, sounds in sounds_by_kind.items():
        rows = []
        for sound_N in sounds:
            level_db = 10 * np.log10(np.mean(np.square(sound_N, dtype=float)) + 1e-12)
            crest_db = 20 * np.log10(np.abs(sound_N).max() + 1e-9) - level_db
            block = int(_BLOCK_SECONDS * rate)
            blocks = sound_N[: len(sound_N) // block * block].reshape(-1, block)
            block_db = 10 * np.log10(np.square(blocks, dtype=float).mean(1) + 1e-12)
            silent = float((block_db < level_db + _SILENT_DB).mean())
            rows.append([level_db, crest_db, silent, *_lines(sound_N, rate, lines, elsewhere)])
        low, middle, high = np.quantile(np.array(rows), (0.1, 0.5, 0.9), axis=0)
        cells = [f"{m:.2f} ({a:.2f} to {b:.2f})" for a, m, b in zip(low, middle, high, strict=True)]
        print(f"| {kind} | {' | '.join(cells)} |")


def _lines(
    sound_N: np.ndarray, rate: int, lines: list[float], elsewhere: list[float]
) -> tuple[float, float]:
    """How far the envelope's spectrum stands above its surroundings, on average over rates."""
    envelope = np.abs(sound_N[: len(sound_N) // _HOP * _HOP].reshape(-1, _HOP)).mean(1)
    hz, power = welch(
        envelope - envelope.mean(), rate / _HOP, nperseg=min(8_192, len(envelope) // 2)
    )

    def above(at_hz: float) -> float:
        near = (np.abs(hz - at_hz) > 0.6) & (np.abs(hz - at_hz) < 3)
        return float(10 * np.log10(power[np.argmin(np.abs(hz - at_hz))] / np.median(power[near])))

    return float(np.mean([above(f) for f in lines])), float(np.mean([above(f) for f in elsewhere]))


if __name__ == "__main__":
    main()
