"""Smoothing: exact wherever a film is cut, calm between onsets, sharp at them."""

import pickle
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.errors import SettingsError
from soundreel.evidence.flicker import beat_response, flicker
from soundreel.rendering.kernels import Kernel, smoothing_kernel
from soundreel.rendering.onsets import onsets
from soundreel.rendering.smooth import smoothed
from soundreel.sound.rhythm import OnsetEnvelope, onset_envelope

RATE = 44_100
FPS = Fraction(30)
CLICKS = [0.61, 1.2, 2.045, 2.5]


def clicking(clicks: list[float], seconds: float = 3.2) -> OnsetEnvelope:
    """The envelope of a quiet hum with a burst of noise at each click."""
    rng = np.random.default_rng(0)
    sound = 1e-3 * rng.standard_normal(int(seconds * RATE)).astype(np.float32)
    for click in clicks:
        at = int(click * RATE)
        fall = np.exp(-np.arange(4_000) / 1_500)[: len(sound) - at]
        sound[at : at + len(fall)] += 0.4 * fall * rng.standard_normal(len(fall))
    return onset_envelope(sound, RATE)


def noise(frames: int, height: int = 24, width: int = 20, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), np.uint8)


def whole(frames: np.ndarray, kernel: Kernel) -> np.ndarray:
    return np.stack(list(smoothed(frames, 0, len(frames), kernel)))


KERNELS = st.builds(
    smoothing_kernel,
    st.sampled_from(["none", "exponential", "beats"]),
    st.integers(1, 70),
    st.sampled_from([Fraction(30), Fraction(24_000, 1001), Fraction(12)]),
    st.sampled_from([None, clicking(CLICKS)]),
    st.sampled_from([0, 0.02, 0.07, 0.12]),
    st.sampled_from([Fraction(0), Fraction(1, 3)]),
)


@settings(max_examples=60, deadline=None)
@given(kernel=KERNELS, at=st.integers(0, 69))
def test_weights_sum_to_one_and_stay_inside_the_film(kernel, at):
    n = at % kernel.frames
    weight_K = kernel.weights(n)
    assert weight_K.dtype == np.float32
    assert weight_K.shape == (2 * kernel.reach + 1,)
    assert sum(Fraction(float(weight)) for weight in weight_K) == 1
    assert (weight_K >= 0).all()
    assert all((Fraction(float(weight)) * 65_536).denominator == 1 for weight in weight_K)
    place_K = n + np.arange(-kernel.reach, kernel.reach + 1)
    assert (weight_K[(place_K < 0) | (place_K >= kernel.frames)] == 0).all()


@settings(max_examples=40, deadline=None)
@given(
    kernel=KERNELS,
    cuts=st.tuples(st.integers(0, 70), st.integers(0, 70)),
    size=st.sampled_from([(24, 20), (9, 13), (70, 66)]),
    alike=st.booleans(),
)
def test_any_part_is_to_the_bit_what_the_whole_has_there(kernel, cuts, size, alike):
    frames = noise(kernel.frames, *size)
    if alike:
        frames = (frames // 8 + noise(1, *size, seed=1) // 2).astype(np.uint8)
    first, stop = sorted(cut % (kernel.frames + 1) for cut in cuts)
    given_frames = frames[max(0, first - kernel.reach) : stop + kernel.reach]
    part = list(smoothed(iter(given_frames), first, stop, kernel))
    assert len(part) == stop - first
    if part:
        np.testing.assert_array_equal(np.stack(part), whole(frames, kernel)[first:stop])


@pytest.mark.parametrize("kind", ["exponential", "beats"])
def test_a_frame_is_the_weighted_mean_of_its_neighbours_rounded_half_up(kind):
    frames = noise(60)
    kernel = smoothing_kernel(kind, 60, FPS, clicking(CLICKS))
    kernel = replace(kernel, keeps_contrast=False)
    made = whole(frames, kernel)
    for n in range(60):
        mean = np.zeros(frames.shape[1:])
        for step, weight in enumerate(kernel.weights(n).astype(float), n - kernel.reach):
            if weight:
                mean += weight * frames[step]  # multiples of 2^-16: exact in float64 too
        np.testing.assert_array_equal(made[n], np.floor(mean + 0.5))


@pytest.mark.parametrize("kind", ["exponential", "beats"])
def test_frames_beyond_the_reach_change_nothing(kind):
    kernel = smoothing_kernel(kind, 80, FPS, clicking(CLICKS))
    one, other = noise(80), noise(80, seed=1)
    n = 40
    near = slice(n - kernel.reach, n + kernel.reach + 1)
    other[near] = one[near]
    assert 3 <= kernel.reach <= 36
    np.testing.assert_array_equal(whole(one, kernel)[n], whole(other, kernel)[n])
    other[n - 1] ^= 255
    assert not np.array_equal(whole(one, kernel)[n], whole(other, kernel)[n])


@pytest.mark.parametrize("kind", ["none", "exponential", "beats"])
def test_a_still_film_stays_as_it_is(kind):
    still = np.repeat(noise(1, 33, 30), 40, axis=0)
    kernel = smoothing_kernel(kind, 40, FPS, clicking(CLICKS))
    np.testing.assert_array_equal(whole(still, kernel), still)


def test_none_and_a_spread_of_nothing_pass_the_frames_on():
    frames = noise(30)
    for kernel in (smoothing_kernel("none", 30, FPS), smoothing_kernel("beats", 30, FPS, None, 0)):
        assert kernel.reach == 0
        np.testing.assert_array_equal(whole(frames, kernel), frames)


def test_onsets_are_where_the_clicks_are():
    found = onsets(clicking(CLICKS))
    assert found.seconds_E[0] < 0.03, "the hum begins"
    np.testing.assert_allclose(found.seconds_E[1:], CLICKS, atol=0.012)
    assert (found.rise_db_E[1:] > 10).all()
    shorter = replace(clicking(CLICKS), strength_T=clicking(CLICKS).strength_T[:230])
    np.testing.assert_array_equal(onsets(shorter).seconds_E, found.seconds_E[:-1])
    silent = onset_envelope(np.zeros(RATE, np.float32), RATE)
    assert len(onsets(silent)) == len(onsets(OnsetEnvelope(np.empty(0), RATE, 441, 2048))) == 0


@pytest.mark.parametrize("start", [Fraction(0), Fraction(1, 2)])
def test_nothing_mixes_across_an_onset(start):
    """Black before a click, white from it on: no grey in between, wherever the film starts."""
    frames = 60
    kernel = smoothing_kernel("beats", frames, FPS, clicking([1.2]), start_seconds=start)
    turns = [n for n in range(1, frames) if kernel.barrier_T[n] - kernel.barrier_T[n - 1] > 0.5]
    assert len(turns) == 1
    reacts_seconds = float(turns[0] / FPS + start) - 1.2
    assert 0.0 <= reacts_seconds < 0.03 + 1 / 30 + 0.012
    film = np.zeros((frames, 16, 16, 3), np.uint8)
    film[turns[0] :] = 255
    made = whole(film, replace(kernel, keeps_contrast=False))
    # The rest is exp(-1 / 0.35): what is left of a beat as strong as the song's strongest.
    assert made[: turns[0]].max() <= 255 * np.exp(-1 / 0.35)
    assert made[turns[0] :].min() >= 255 * (1 - np.exp(-1 / 0.35))
    blurred = whole(film, smoothing_kernel("exponential", frames, FPS))
    assert 60 < blurred[turns[0]].mean() < 90


def test_beats_calm_a_noisy_film_and_keep_its_jumps():
    """A picture that changes at each click, under noise in every frame."""
    rng = np.random.default_rng(3)
    clicks = np.arange(0.5, 7.9, 0.5)
    shown = np.searchsorted(clicks, np.arange(240) / 30, side="right")
    scenes = rng.integers(60, 196, (17, 24, 24, 3))
    raw = (scenes[shown] + rng.normal(0, 20, (240, 24, 24, 3))).clip(0, 255).astype(np.uint8)
    envelope = clicking(list(clicks), 8.2)
    beats = whole(raw, smoothing_kernel("beats", 240, FPS, envelope))
    plain = whole(raw, smoothing_kernel("exponential", 240, FPS, seconds=0.1))
    jumps = np.flatnonzero(np.diff(shown)) + 1
    around = np.concatenate([jumps, jumps + 1])
    assert flicker(beats, around) < 0.25 * flicker(raw, around)
    assert beat_response(beats, FPS, clicks) > 2 * beat_response(raw, FPS, clicks)
    assert beat_response(beats, FPS, clicks) > 2 * beat_response(plain, FPS, clicks)


def test_contrast_that_averaging_takes_is_given_back():
    frames = noise(40, 64, 48)
    kernel = smoothing_kernel("beats", 40, FPS)
    kept, lost = whole(frames, kernel), whole(frames, replace(kernel, keeps_contrast=False))

    def contrast(film: np.ndarray) -> float:
        return float(film[15:25].astype(float).std(axis=(1, 2)).mean())

    # White noise of many frames' mean: less by the root of the sum of the squared weights.
    left = np.sqrt(np.square(kernel.weights(20)).sum())
    assert contrast(lost) == pytest.approx(left * contrast(frames), rel=0.05)
    assert contrast(kept) == pytest.approx(2.5 * contrast(lost), rel=0.05)  # the most it gives
    half = (noise(40, 64, 48) // 4 + noise(1, 64, 48, seed=5) // 2).astype(np.uint8)
    assert contrast(whole(half, kernel)) == pytest.approx(contrast(half), rel=0.04)
    mean_levels = kept[15:25].mean(axis=(1, 2)) - lost[15:25].mean(axis=(1, 2))
    assert np.abs(mean_levels).max() < 0.6, "the brightness stays"


def test_where_frames_agree_contrast_is_left_alone():
    rows, columns = np.mgrid[0:64, 0:64]
    film = np.stack(
        [
            np.repeat((128 + 80 * np.sin((rows + columns + t / 4) / 9))[..., None], 3, 2)
            for t in range(30)
        ]
    ).astype(np.uint8)
    kernel = smoothing_kernel("beats", 30, FPS)
    kept, plain = whole(film, kernel), whole(film, replace(kernel, keeps_contrast=False))
    assert np.abs(kept.astype(int) - plain).max() <= 3


def test_a_kernel_is_light_and_travels():
    kernel = smoothing_kernel("beats", 9_000, FPS, clicking(CLICKS))
    packed = pickle.dumps(kernel)
    assert len(packed) < 2 * 8 * 9_000
    np.testing.assert_array_equal(pickle.loads(packed).weights(20), kernel.weights(20))


def test_what_is_wrong_is_said():
    with pytest.raises(SettingsError, match="choose one of none, exponential, beats"):
        smoothing_kernel("median", 10, FPS)  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingsError, match=r"give at most 0\.4 s"):
        smoothing_kernel("beats", 10, FPS, seconds=3)
    assert smoothing_kernel("beats", 10, FPS, seconds=0.4).reach == 36
    with pytest.raises(SettingsError, match="not a time"):
        smoothing_kernel("beats", 10, FPS, seconds=-1)
    kernel = smoothing_kernel("beats", 10, FPS)
    with pytest.raises(ValueError, match="frame 6 is missing"):
        list(smoothed(noise(6), 0, 10, kernel))
    with pytest.raises(ValueError, match="film of 10"):
        list(smoothed(noise(10), 4, 11, kernel))
