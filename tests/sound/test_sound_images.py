"""Sound images: the paper's against scipy, the physics of ours, and slices against windows."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import spectrogram

from soundreel.recipe import PRESET_NAMES, Recipe, recipe_from
from soundreel.sound.representation import (
    per_window_images,
    sliced_images,
    sound_images,
    windows_of,
)
from soundreel.sound.spectra import columns_of, log_density, mel_filters, psd_density

RATE = 44_100
SMALL = {"sound_image_size": 64, "fft_samples": 126, "segment_samples": 90, "hop_samples": 49}
SMALL_LOG = recipe_from("default", **SMALL, window_samples=90 + 63 * 49)
SMALL_PSD = recipe_from("default", representation="psd", **SMALL, window_samples=90 + 63 * 49)
SMALL_MEL = recipe_from(
    "mel",
    sound_image_size=64,
    segment_samples=512,
    fft_samples=1024,
    hop_samples=49,
    window_samples=512 + 63 * 49,
)
SMALL_WAVEFORM = recipe_from("paper-waveform", sound_image_size=64, window_samples=4096)
SMALL_RECIPES = [SMALL_LOG, SMALL_PSD, SMALL_MEL, SMALL_WAVEFORM]


def music(count: int, seed: int = 0, loudest: float = 0.7) -> torch.Tensor:
    """Chords, noise bursts and silences: something with structure at every level."""
    rng = np.random.default_rng(seed)
    t = np.arange(count) / RATE
    sound = sum(
        rng.uniform(0.05, 1) * np.sin(2 * np.pi * hz * t + rng.uniform(0, 6))
        for hz in np.exp(rng.uniform(np.log(40), np.log(15_000), 12))
    )
    sound = (
        sound + rng.standard_normal(count) * np.repeat(rng.random(count // 2048 + 1), 2048)[:count]
    )
    sound *= np.repeat(rng.random(count // 4096 + 1) > 0.2, 4096)[:count]
    return torch.from_numpy((sound * (loudest / np.abs(sound).max())).astype(np.float32))


def tone(hz: float, amplitude: float, count: int) -> torch.Tensor:
    return torch.from_numpy(
        (amplitude * np.sin(2 * np.pi * hz * np.arange(count) / RATE)).astype(np.float32)
    )


def scipy_density(sound: np.ndarray) -> np.ndarray:
    steps = np.clip(np.round(sound.astype(np.float64) * 32768), -32768, 32767).astype(np.int16)
    return spectrogram(steps, RATE, nperseg=288, noverlap=33, nfft=510)[2]


# --- the paper's


@pytest.mark.parametrize("loudest", [1e-4, 0.003, 0.1, 0.9, 1.5])
def test_psd_is_scipys_to_the_byte(loudest):
    recipe = recipe_from("paper")
    sound = music(300_000, seed=int(loudest * 1000), loudest=loudest)
    ends = torch.tensor([65_536, 131_073, 299_999])
    images = sound_images(sound, ends, recipe)
    for image, end in zip(images, ends.tolist(), strict=True):
        expected = np.clip(scipy_density(sound.numpy()[end - 65_536 : end]), 0, 255).astype(
            np.uint8
        )
        assert expected.shape == (256, 256)
        actual = ((image[0].double() + 1) * 127.5).round()
        np.testing.assert_array_equal(actual.numpy(), expected)
        torch.testing.assert_close(image[0], torch.from_numpy(expected / 127.5 - 1).float())


def test_psd_density_is_scipys_in_double_precision():
    sound = music(65_536)
    steps = np.clip(np.round(sound.double().numpy() * 32768), -32768, 32767)
    # Floats instead of integers: scipy then neither rounds its window nor its result.
    expected = spectrogram(steps, RATE, nperseg=288, noverlap=33, nfft=510)[2]
    actual = psd_density(sound.unfold(0, 288, 255), recipe_from("paper")).numpy().T
    assert actual.dtype == np.float64
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-9 * expected.max())


def test_psd_has_256_columns_and_leaves_the_last_223_samples_unused():
    recipe = recipe_from("paper")
    assert recipe.columns == 256
    sound = music(65_536)
    changed = sound.clone()
    changed[-223:] = 0.5
    end = torch.tensor([65_536])
    assert torch.equal(sound_images(sound, end, recipe), sound_images(changed, end, recipe))
    changed[-224] = 0.5
    assert not torch.equal(sound_images(sound, end, recipe), sound_images(changed, end, recipe))


def test_waveform_is_the_window_row_by_row():
    recipe = recipe_from("paper-waveform")
    sound = music(80_000)
    image = sound_images(sound, torch.tensor([70_000]), recipe)[0, 0]
    window = sound[70_000 - 65_536 : 70_000]
    assert torch.equal(image, (window / window.abs().max()).reshape(256, 256))
    assert image.abs().max() == 1


def test_waveform_of_silence_is_zero():
    image = sound_images(torch.zeros(10_000), torch.tensor([9_000]), SMALL_WAVEFORM)
    assert torch.equal(image, torch.zeros(1, 1, 64, 64))


# --- the physics of ours


@pytest.mark.parametrize("preset", ["default", "mel", "paper"])
def test_silence_is_the_floor_everywhere(preset):
    recipe = recipe_from(preset)
    image = sound_images(torch.zeros(100_000), torch.tensor([90_000]), recipe)
    assert torch.equal(image, -torch.ones(1, 1, 256, 256))


@pytest.mark.parametrize("recipe", SMALL_RECIPES, ids=lambda recipe: recipe.representation)
def test_the_first_window_of_a_song_is_silence(recipe):
    silence = 0.0 if recipe.representation == "waveform" else -1.0
    image = sound_images(music(30_000), torch.tensor([0]), recipe)
    assert torch.equal(image, torch.full((1, 1, 64, 64), silence))


@settings(max_examples=30, deadline=None)
@given(hz=st.floats(400, 21_500), other_hz=st.floats(400, 21_500))
def test_a_tone_lights_its_row_and_no_other_far_away(hz, other_hz):
    recipe = recipe_from()
    rows = []
    for frequency in (hz, other_hz):
        image = sound_images(tone(frequency, 0.5, 70_000), torch.tensor([69_000]), recipe)[0, 0]
        bottom_up = image.flip(0)
        row = int(bottom_up.mean(1).argmax())
        assert abs(row - frequency * 510 / RATE) <= 1
        far = torch.ones(256, dtype=torch.bool)
        far[max(0, row - 24) : row + 25] = False
        assert bottom_up[row].min() > 0.5
        assert bottom_up[far].max() < bottom_up[row].min() - 0.8
        rows.append(row)
    assert abs((rows[1] - rows[0]) - (other_hz - hz) * 510 / RATE) <= 1.5


@settings(max_examples=20, deadline=None)
@given(hz=st.floats(60, 15_000))
def test_a_tone_lights_its_mel_band(hz):
    recipe = recipe_from("mel")
    import librosa

    image = sound_images(tone(hz, 0.5, 70_000), torch.tensor([69_000]), recipe)[0, 0]
    row = image.flip(0).mean(1).argmax().item()
    centres = librosa.mel_frequencies(258, fmin=20.0, fmax=16_000.0)[1:-1]
    assert abs(row - np.abs(centres - hz).argmin()) <= 1


def test_a_full_scale_tone_has_the_density_that_theory_says():
    # Half a squared amplitude, spread over the window's equivalent noise bandwidth (Hann: 1.5).
    recipe = recipe_from()
    density = log_density(tone(RATE * 60 / 510, 1.0, 40_000).unfold(0, 288, 245), recipe)
    expected = 0.5 / (1.5 * RATE / 288)
    torch.testing.assert_close(density.max(1).values.mean().item(), expected, rtol=0.01, atol=0)


def test_log_is_scipys_spectrogram_with_a_hann_window():
    sound = music(recipe_from().window_samples)
    expected = spectrogram(
        sound.double().numpy(),
        RATE,
        window="hann",
        nperseg=288,
        noverlap=43,
        nfft=510,
        detrend=lambda segments: segments,  # type: ignore[arg-type]  # none, as False would say
    )[2]
    level = (10 * np.log10(np.maximum(expected, 1e-30)) + 120) / 90 * 2 - 1
    image = sound_images(sound, torch.tensor([len(sound)]), recipe_from())[0, 0]
    np.testing.assert_allclose(image.numpy(), level.clip(-1, 1)[::-1], atol=2e-4)


def test_white_noise_has_the_density_that_theory_says():
    noise = torch.randn(2_000_000, generator=torch.Generator().manual_seed(1)) * 0.1
    density = log_density(noise.unfold(0, 288, 245), recipe_from()).double().mean(0)
    # Without the first and last rows, which are not doubled.
    torch.testing.assert_close(
        density[4:-4], torch.full((248,), 0.01 / (RATE / 2)).double(), rtol=0.05, atol=0
    )
    image = sound_images(noise, torch.tensor([500_000]), recipe_from("mel"))
    level_db = (image.mean() + 1) / 2 * 90 - 110
    # The mean of the logarithm lies below the logarithm of the mean, by at most 2.5 dB.
    assert 10 * np.log10(0.01 / (RATE / 2)) - 2.6 < level_db < 10 * np.log10(0.01 / (RATE / 2))


@pytest.mark.parametrize("preset", ["default", "mel"])
def test_six_decibels_more_lift_every_pixel_by_as_much(preset):
    recipe = recipe_from(preset)
    sound, end = music(100_000) * 0.3, torch.tensor([90_000])
    quiet, loud = sound_images(sound, end, recipe), sound_images(sound * 2, end, recipe)
    inside = (quiet > -1) & (loud < 1)
    assert inside.float().mean() > 0.4
    lift = 2 * 20 * np.log10(2) / (recipe.ceiling_db - recipe.floor_db)
    torch.testing.assert_close(
        (loud - quiet)[inside], torch.full_like(loud, lift)[inside], rtol=0, atol=2e-5
    )


@pytest.mark.parametrize("recipe", SMALL_RECIPES[:3], ids=lambda recipe: recipe.representation)
def test_a_hop_later_is_a_column_further(recipe):
    sound = music(40_000)
    ends = torch.tensor([20_000, 20_000 + recipe.hop_samples, 20_000 + 5 * recipe.hop_samples])
    now, next_one, fifth = per_window_images(sound, ends, recipe)
    assert torch.equal(next_one[..., :-1], now[..., 1:])
    assert torch.equal(fifth[..., :-5], now[..., 5:])


@settings(max_examples=30, deadline=None)
@given(
    recipe=st.sampled_from(SMALL_RECIPES),
    end=st.integers(-100, 31_000),
    seed=st.integers(0, 1000),
)
def test_a_window_hears_nothing_at_or_after_its_end(recipe, end, seed):
    sound = music(30_000, seed)
    changed = sound.clone()
    changed[max(end, 0) :] = torch.rand(len(changed[max(end, 0) :]))
    ends = torch.tensor([end])
    assert torch.equal(sound_images(sound, ends, recipe), sound_images(changed, ends, recipe))


def test_the_sound_just_before_the_end_is_the_last_column():
    sound = torch.zeros(60_000)
    sound[49_900:50_000] = 0.5 * torch.sin(torch.arange(100) * 0.8)
    image = sound_images(sound, torch.tensor([50_000]), recipe_from())[0, 0]
    assert (image[:, :-2] == -1).all()
    assert image[:, -1].max() > 0


def test_low_is_at_the_bottom_and_in_psd_at_the_top():
    sound, end = tone(500, 0.5, 70_000), torch.tensor([69_000])
    assert sound_images(sound, end, recipe_from())[0, 0].mean(1).argmax() > 240
    assert sound_images(sound, end, recipe_from("mel"))[0, 0].mean(1).argmax() > 150
    assert sound_images(sound, end, recipe_from("paper"))[0, 0].mean(1).argmax() < 16


# --- slices, batches, edges


@settings(max_examples=60, deadline=None)
@given(
    recipe=st.sampled_from(SMALL_RECIPES[:3]),
    first=st.integers(-2_000, 40_000),
    hops=st.lists(st.integers(0, 400), min_size=1, max_size=12),
)
def test_slices_equal_windows_to_the_bit(recipe, first, hops):
    sound = music(36_000, 7)
    ends = first + torch.tensor(hops) * recipe.hop_samples
    sliced = sliced_images(sound, ends, recipe)
    assert torch.equal(sliced, per_window_images(sound, ends, recipe))
    assert torch.equal(sliced, sound_images(sound, ends, recipe))


@pytest.mark.parametrize("preset", ["default", "mel", "paper"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_film_sliced_equals_its_windows_to_the_bit(preset, threads):
    recipe = recipe_from(preset)
    sound = music(15 * RATE, 3)
    # Over more columns than are transformed at a time, and no whole number of such tiles.
    ends = torch.arange(70_003, 14 * RATE, 150 * recipe.hop_samples)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        sliced = sliced_images(sound, ends, recipe)
        assert torch.equal(sliced, per_window_images(sound, ends, recipe))
        alone = torch.cat(
            [per_window_images(sound, ends[k : k + 1], recipe) for k in (0, 5, -1)][:2]
        )
        assert torch.equal(sliced[[0, 5]], alone)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_images_do_not_depend_on_their_batch(preset):
    recipe = recipe_from(preset)
    sound = music(4 * RATE, 5)
    ends = torch.tensor([150_001, 0, 1_470, 2_940, 4 * RATE + 30_000, 88_200, 89_670, 91_140, 3])
    together = sound_images(sound, ends, recipe)
    assert together.shape == (9, 1, 256, 256)
    assert together.dtype == torch.float32
    assert together.abs().max() <= 1
    for place, end in enumerate(ends):
        assert torch.equal(together[place], sound_images(sound, end[None], recipe)[0])


def test_the_images_may_be_written_into():
    sound = music(40_000)
    ends = torch.arange(8_000, 12_000, SMALL_LOG.hop_samples)
    images = sound_images(sound, ends, SMALL_LOG)
    expected = images[1].clone()
    images[0].fill_(9)
    assert torch.equal(images[1], expected)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 500),
    length=st.integers(1, 300),
    ends=st.lists(st.integers(-700, 1300), max_size=5),
)
def test_windows_are_the_samples_before_their_ends(count, length, ends):
    sound = torch.arange(1, count + 1).float()
    windows = windows_of(sound, torch.tensor(ends, dtype=torch.int64), length)
    expected = [[n + 1 if 0 <= n < count else 0 for n in range(end - length, end)] for end in ends]
    assert windows.tolist() == expected


def test_no_ends_make_no_images():
    none = torch.empty(0, dtype=torch.int64)
    for make in (sound_images, per_window_images, sliced_images):
        assert make(music(9_000), none, SMALL_LOG).shape == (0, 1, 64, 64)


def test_slices_refuse_ends_that_share_no_columns():
    with pytest.raises(ValueError, match="whole hops of 49 samples"):
        sliced_images(music(9_000), torch.tensor([5_000, 5_001]), SMALL_LOG)
    with pytest.raises(ValueError, match="share no columns"):
        sliced_images(music(9_000), torch.tensor([5_000, 5_049]), SMALL_WAVEFORM)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_a_gpu_makes_the_same_images(preset):
    recipe = recipe_from(preset)
    sound, ends = music(4 * RATE), torch.arange(0, 4 * RATE, 1_470)
    expected = sound_images(sound, ends, recipe)
    actual = sound_images(sound.cuda(), ends.cuda(), recipe)
    assert actual.is_cuda
    torch.testing.assert_close(actual.cpu(), expected, rtol=0, atol=2 / 255)
    assert torch.equal(actual, per_window_images(sound.cuda(), ends, recipe))


# --- mel


def test_mel_filters_are_librosas():
    import librosa

    for recipe in (recipe_from("mel"), SMALL_MEL):
        expected = librosa.filters.mel(
            sr=RATE,
            n_fft=recipe.fft_samples,
            n_mels=recipe.sound_image_size,
            fmin=recipe.mel_low_hz,
            fmax=recipe.mel_high_hz,
            dtype=np.float64,
        )
        actual = mel_filters(
            RATE,
            recipe.fft_samples,
            recipe.sound_image_size,
            recipe.mel_low_hz,
            recipe.mel_high_hz,
        )
        np.testing.assert_allclose(
            actual, expected * RATE / recipe.fft_samples, rtol=1e-9, atol=1e-12
        )
        assert (actual.sum(1) > 0).all()


def test_mel_columns_are_the_filters_times_the_density():
    recipe: Recipe = recipe_from("mel")
    segments = music(30_000, 2)[4_000:].unfold(0, recipe.segment_samples, recipe.hop_samples)
    density = log_density(segments, recipe).double().numpy()
    filters = mel_filters(RATE, 4096, 256, 20.0, 16_000.0)
    level_db = 10 * np.log10(np.maximum(density @ filters.T, 1e-30))
    expected = np.clip((level_db + 110) / 90 * 2 - 1, -1, 1)[:, ::-1]
    np.testing.assert_allclose(columns_of(segments, recipe).numpy(), expected, atol=1e-4)
