"""Sound images back into sound: ours beside librosa's Griffin-Lim, from the same amplitudes.

Quality: 10 s of four real songs of the test media (or noise and tones made here, where the media
are not there) become columns and sound again, with equal iterations, and the sound is made into
columns once more. "At the columns" is librosa at the recipe's own hop, "between them too" librosa
at the overlap of ours, with the same amplitudes put between the columns. "Far" is the spectral
convergence, "apart" the log-spectral distance in dB of what the picture shows, "long" the same of
2048-sample windows (what an ear tells apart: notes), and "swing" how deep the envelope swings at
the columns' rate, in dB re its mean (a buzz, where it is far above the song's own).

Time: SECONDS of one song, ours from the columns on, librosa from amplitudes that are there.

    python benchmarks/inversion.py [SECONDS] [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

# As the command line does, before torch is there: threads that wait do not spin.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as `threads.let_threads_rest` does

import librosa
import numpy as np
import torch
from torch import Tensor

from soundreel.media.sound import read_sound
from soundreel.recipe import Recipe, recipe_from
from soundreel.sound.amplitudes import amplitudes_of_columns, grid_of, window_of
from soundreel.sound.griffin_lim import SegmentGrid
from soundreel.sound.inversion import sound_of_columns
from soundreel.sound.inversion_measures import column_distance_db, spectral_convergence
from soundreel.sound.representation import columns_from

RATE = 44_100
ITERATIONS = 32
QUALITY_SECONDS = 10
EDGE = 4_096
SONGS = ("waterworks_electronic", "on_the_run_rock", "hungarian_dance_strings", "vibe_ace_jazz")
PRESETS = {"log": "default", "mel": "mel", "psd": "paper"}
_MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", Path(__file__).parents[2] / "shared" / "media"))


def songs(seconds: int) -> dict[str, np.ndarray]:
    """So many seconds of each song, from 10 s on; of sounds made here where there are none."""
    found = {}
    for name in SONGS:
        path = _MEDIA / "songs" / f"{name}.ogg"
        if path.is_file():
            found[name] = read_sound(path, RATE, "mono", Fraction(10), Fraction(10 + seconds))
    if found:
        return found
    rng = np.random.default_rng(0)
    t = np.arange(seconds * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * hz * t) for hz in (110, 277.2, 329.6, 880)) * 0.1
    beats = rng.standard_normal(len(t)) * 0.1 * np.exp(-(t % 0.5) * 12)
    return {"made here": (chord + beats).astype(np.float32)}


def librosas(column_SK: Tensor, recipe: Recipe, hop: int) -> Callable[[], np.ndarray]:
    """A call of librosa's Griffin-Lim at a hop, from amplitudes of ours, made beforehand."""
    own = grid_of(recipe, column_SK.device)
    grid = SegmentGrid(own.window_L, own.fft_samples, recipe.hop_samples)
    amplitude_KF = amplitudes_of_columns(column_SK, recipe, grid)[:, 0]
    places = torch.arange(0, (len(amplitude_KF) - 1) * recipe.hop_samples + 1, hop)
    share_P1 = ((places % recipe.hop_samples) / recipe.hop_samples)[:, None]
    below_P = places // recipe.hop_samples
    above_P = (below_P + 1).clamp(max=len(amplitude_KF) - 1)
    power_KF = amplitude_KF.square()
    amplitude = torch.lerp(power_KF[below_P], power_KF[above_P], share_P1).sqrt().T.numpy()
    length = recipe.segment_samples
    lead = (own.fft_samples - length) // 2  # librosa puts a short window in its frame's middle

    def make() -> np.ndarray:
        sound = librosa.griffinlim(
            amplitude,
            n_iter=ITERATIONS,
            hop_length=hop,
            win_length=length,
            n_fft=own.fft_samples,
            window=window_of(recipe).numpy(),
            center=False,
            momentum=0.99,
            random_state=0,
        )
        return sound[lead:].astype(np.float32)

    return make


def swing_db(sound: Tensor, hz: float) -> float:
    """How deep |sound| swings at a frequency, in dB re its mean."""
    size = sound.double().abs() * torch.hann_window(len(sound), dtype=torch.float64)
    turn = torch.arange(len(sound), dtype=torch.float64) * (-2 * np.pi * hz / RATE)
    swing = 2 * (size * torch.polar(torch.ones_like(turn), turn)).sum().abs() / size.sum()
    return float(20 * swing.log10())


def far_apart(true_N: Tensor, made_N: Tensor, recipe: Recipe) -> list[float]:
    """The four figures of a row; both ends, which librosa cannot determine, are left out."""
    hop = recipe.hop_samples
    edge = EDGE // hop * hop
    stop = min(len(true_N), len(made_N)) - edge
    true_N, made_N = true_N[edge:stop], made_N[edge:stop]
    grid = SegmentGrid(window_of(recipe), recipe.fft_samples, hop)
    columns = (len(true_N) - recipe.segment_samples) // hop + 1
    convergence = spectral_convergence(
        *(grid.analyse(sound, columns).abs()[:, 0].T for sound in (true_N, made_N))
    )
    shown = [columns_from(sound, 0, columns, recipe) for sound in (true_N, made_N)]
    # Of `psd` the picture shows no levels: it is compared through the eyes of `log`.
    seen = recipe_from("default") if recipe.representation == "psd" else recipe
    if seen is not recipe:
        shown = [columns_from(sound, 0, columns, seen) for sound in (true_N, made_N)]
    mel = recipe_from("mel")
    count = (len(true_N) - mel.segment_samples) // mel.hop_samples
    long = [columns_from(sound, 0, count, mel) for sound in (true_N, made_N)]
    return [
        convergence,
        column_distance_db(shown[0], shown[1], seen.ceiling_db - seen.floor_db),
        column_distance_db(long[0], long[1], mel.ceiling_db - mel.floor_db),
        swing_db(made_N, RATE / hop),
    ]


def finer_hop(recipe: Recipe) -> int:
    """The hop nearest to the steps that ours takes."""
    steps = len(grid_of(recipe, torch.device("cpu")).offsets)
    return round(recipe.hop_samples / steps)


def quality() -> dict[str, dict[str, list[float]]]:
    """Print the table; the means over the songs."""
    sounds = {name: torch.from_numpy(sound) for name, sound in songs(QUALITY_SECONDS).items()}
    print(f"{QUALITY_SECONDS} s of {', '.join(sounds)}; {ITERATIONS} iterations; means\n")
    print(f"{'':32}{'far':>8}{'apart':>8}{'long':>8}{'swing':>8}")
    table: dict[str, dict[str, list[float]]] = {}
    for shown, preset in PRESETS.items():
        recipe = recipe_from(preset)
        rows: dict[str, list[list[float]]] = {}
        for true_N in sounds.values():
            columns = (len(true_N) - recipe.segment_samples) // recipe.hop_samples + 1
            column_SK = columns_from(true_N, 0, columns, recipe)
            made = {"the song itself": true_N}
            made["ours"] = sound_of_columns(column_SK, recipe, iterations=ITERATIONS)
            ways = {"librosa, at the columns": recipe.hop_samples}
            if finer_hop(recipe) != recipe.hop_samples:
                ways["librosa, between them too"] = finer_hop(recipe)
            for name, hop in ways.items():
                made[name] = torch.from_numpy(librosas(column_SK, recipe, hop)())
            for name, made_N in made.items():
                rows.setdefault(name, []).append(far_apart(true_N, made_N, recipe))
        table[shown] = {name: np.mean(values, axis=0).tolist() for name, values in rows.items()}
        for name, values in table[shown].items():
            print(f"{shown:5}{name:27}" + "".join(f"{value:8.3f}" for value in values), flush=True)
    return table


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def speed(seconds: int, rounds: int) -> dict[str, float]:
    """Print the times of a long song, in interleaved rounds; ratios of medians."""
    sound = np.resize(next(iter(songs(60).values())), seconds * RATE)
    ratios = {}
    print(f"\n{seconds} s of sound, {torch.get_num_threads()} threads, {rounds} rounds, seconds")
    for shown, preset in PRESETS.items():
        recipe = recipe_from(preset)
        columns = (len(sound) - recipe.segment_samples) // recipe.hop_samples + 1
        column_SK = columns_from(torch.from_numpy(sound), 0, columns, recipe)
        theirs = librosas(column_SK, recipe, finer_hop(recipe))
        taken: dict[str, list[float]] = {"ours": [], "librosa": []}
        for _ in range(rounds):
            taken["ours"].append(
                seconds_of(lambda c=column_SK, r=recipe: sound_of_columns(c, r, iterations=32))
            )
            taken["librosa"].append(seconds_of(theirs))
        ours, librosas_own = (statistics.median(times) for times in taken.values())
        ratios[shown] = librosas_own / ours
        print(
            f"{shown:5} ours {ours:7.1f}   librosa {librosas_own:7.1f}   {ratios[shown]:5.1f} x",
            flush=True,
        )
    return ratios


def main(seconds: int, rounds: int) -> None:
    """Measure and say whether the bars are reached."""
    table, ratios = quality(), speed(seconds, rounds)
    print()
    for shown, rows in table.items():
        peer = rows.get("librosa, between them too", rows["librosa, at the columns"])
        # Of `psd` so much is lost that both are equally far, to a hair.
        as_good = all(rows["ours"][figure] <= 1.005 * peer[figure] for figure in (0, 1))
        print(
            f"bar: {shown} at least as near as librosa from the same amplitudes: "
            f"{'reached' if as_good else 'MISSED'}"
        )
        print(
            f"bar: {shown} at least 5 x as fast: {ratios[shown]:.1f} x "
            f"{'reached' if ratios[shown] >= 5 else 'MISSED'}"
        )


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 180, int(sys.argv[2]) if len(sys.argv) > 2 else 1
    )
