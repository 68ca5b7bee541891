"""Griffin-Lim against librosa, overlap-add against scipy and librosa, and its two measures."""

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.sound.griffin_lim import SegmentGrid, griffin_lim
from soundreel.sound.inversion_measures import (
    column_distance_db,
    log_spectral_distance_db,
    spectral_convergence,
)
from soundreel.sound.phases import middle_phases, phases_along_time

RATE = 44_100
HANN = torch.hann_window(288)
GRID = SegmentGrid(HANN, 510, 72)


def music(count: int, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    t = np.arange(count) / RATE
    sound = sum(
        rng.uniform(0.05, 1) * np.sin(2 * np.pi * hz * t) * (1 + np.sin(2 * np.pi * t * hz / 99))
        for hz in np.exp(rng.uniform(np.log(90), np.log(9_000), 9))
    )
    return torch.from_numpy((0.05 * (sound + rng.standard_normal(count))).astype(np.float32))


def librosa_stft(sound: torch.Tensor) -> np.ndarray:
    window = np.pad(HANN.numpy(), (0, 510 - 288))  # at the frame's start, as ours
    return librosa.stft(
        np.pad(sound.numpy(), (0, 222)), n_fft=510, hop_length=72, window=window, center=False
    )


def test_analysis_is_librosas():
    sound = music(5_000)
    columns = (5_000 - 288) // 72 + 1
    spectrum = GRID.analyse(sound, columns)[:, 0]
    np.testing.assert_allclose(spectrum.T.numpy(), librosa_stft(sound), atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    segment=st.integers(8, 60),
    pad=st.integers(0, 20),
    hop=st.integers(3, 70),
    columns=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_what_was_analysed_comes_back(segment, pad, hop, columns, seed):
    """Whatever the hop, dividing the window or not, and with segments between the columns."""
    between = -(-3 * hop // segment)
    offsets = tuple(place * hop // between for place in range(between))
    window = torch.from_numpy(np.hanning(segment + 2)[1:-1].astype(np.float32))
    grid = SegmentGrid(window, segment + pad, hop, offsets)
    sound = torch.randn(grid.samples(columns), generator=torch.Generator().manual_seed(seed))
    back = grid.synthesise(grid.analyse(sound, columns))
    inside = slice(segment // 3, len(sound) - segment // 3)
    torch.testing.assert_close(back[inside], sound[inside], atol=2e-4, rtol=0)


@pytest.mark.parametrize("iterations", [1, 8, 32])
def test_it_converges_as_librosas_does_from_the_same_phases(iterations):
    window = torch.hann_window(256)
    grid = SegmentGrid(window, 256, 60)
    columns = 300
    sound = music(grid.samples(columns))
    amplitude = grid.analyse(sound, columns).abs()
    reference = librosa.griffinlim(
        amplitude[:, 0].T.numpy(),
        n_iter=iterations,
        hop_length=60,
        win_length=256,
        n_fft=256,
        window="hann",
        center=False,
        momentum=0.99,
        random_state=5,
    )
    angle = 2 * np.pi * np.random.RandomState(5).random(size=(129, columns))
    start = torch.from_numpy(np.exp(1j * angle).astype(np.complex64)).T.unsqueeze(1)
    made = griffin_lim(amplitude, grid, start, iterations=iterations, momentum=0.99)

    def convergence(of: torch.Tensor) -> float:
        again = grid.analyse(of, columns).abs()[8:-8, 0].T
        return spectral_convergence(amplitude[8:-8, 0].T, again)

    theirs = convergence(torch.from_numpy(reference[: len(sound)]).float())
    assert convergence(made) == pytest.approx(theirs, rel=0.03)


def test_more_iterations_come_nearer():
    sound = music(GRID.samples(200))
    amplitude = GRID.analyse(sound, 200).abs()
    start = torch.polar(torch.ones(amplitude.shape), torch.rand(amplitude.shape) * 6.28)
    far = [
        spectral_convergence(
            amplitude[:, 0].T,
            GRID.analyse(griffin_lim(amplitude, GRID, start, iterations=count, momentum=0.99), 200)
            .abs()[:, 0]
            .T,
        )
        for count in (0, 4, 16, 64)
    ]
    assert far == sorted(far, reverse=True)
    assert far[-1] < 0.4 * far[0]


def test_the_right_phases_are_kept():
    sound = music(GRID.samples(100))
    spectrum = GRID.analyse(sound, 100)
    made = griffin_lim(spectrum.abs(), GRID, spectrum.sgn(), iterations=5, momentum=0.99)
    torch.testing.assert_close(made[600:-600], sound[600:-600], atol=1e-3, rtol=0)


def test_samples_that_are_held_stay():
    sound = music(GRID.samples(100))
    amplitude = GRID.analyse(sound, 100).abs()
    start = torch.ones(amplitude.shape, dtype=torch.complex64)
    made = griffin_lim(
        amplitude,
        GRID,
        start,
        iterations=3,
        momentum=0.99,
        held_N=sound[:2_000],
        hold_N=torch.ones(2_000),
    )
    assert torch.equal(made[:2_000], sound[:2_000])


@settings(max_examples=25, deadline=None)
@given(hz=st.floats(700, 20_000))
def test_phases_turn_as_a_tone_does(hz):
    sound = torch.sin(2 * torch.pi * hz / RATE * torch.arange(GRID.samples(20)).double()).float()
    true = GRID.analyse(sound, 20)
    guess = phases_along_time(true.abs(), GRID, middle_phases(true[0, 0], GRID))
    loudest = int(true[0, 0].abs().argmax())
    apart = (guess[:, 0, loudest] * true[:, 0, loudest].sgn().conj()).angle().abs()
    # 20 segments of 72 samples: a tone half a frequency away that is not seen
    # to be there would be off by 9.
    assert apart.max() < 1.6


# --- the measures


def test_equal_spectrograms_are_no_distance_apart():
    true = torch.rand(5, 7) + 0.1
    assert spectral_convergence(true, true) == 0
    assert log_spectral_distance_db(true, true) == 0
    assert column_distance_db(true, true, 90) == 0


def test_distances_are_those_of_the_formulas():
    true, made = torch.full((3, 4), 2.0), torch.full((3, 4), 1.0)
    assert spectral_convergence(true, made) == pytest.approx(0.5)
    assert log_spectral_distance_db(true, made) == pytest.approx(20 * np.log10(2))
    assert log_spectral_distance_db(true, made * 0) == pytest.approx(100)
    assert column_distance_db(true / 4, made / 4, 90) == pytest.approx(0.25 * 45)


@pytest.mark.parametrize("measure", [spectral_convergence, log_spectral_distance_db])
def test_measures_refuse_what_they_cannot_compare(measure):
    with pytest.raises(ValueError, match="one shape"):
        measure(torch.ones(2, 3), torch.ones(2, 4))
    with pytest.raises(ValueError, match="one shape"):
        measure(torch.ones(0, 3), torch.ones(0, 3))
    with pytest.raises(ValueError, match="all zero"):
        measure(torch.zeros(2, 3), torch.ones(2, 3))
