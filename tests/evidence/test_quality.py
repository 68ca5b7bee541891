"""Quality: each number against another way to it, and against what it must say of plain cases."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate1d, gaussian_filter, laplace
from torch import Tensor

from soundreel.evidence.descriptors import picture_descriptors
from soundreel.evidence.following import within_correlation
from soundreel.evidence.quality import follow_margins, ms_ssim, sensitivity, sharpness_ratio

#: Wang 2003.
WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])


def pictures(count: int, size: int, seed: int = 0, blur: float = 2.0) -> Tensor:
    """Cloudy colours with some grain, in [-1, 1]."""
    noise = np.random.default_rng(seed).standard_normal((count, 3, size, size))
    clouds = gaussian_filter(noise, (0, 0, blur * 4, blur * 4)) * 20 + 0.1 * noise
    return torch.from_numpy(np.tanh(clouds).astype(np.float32))


def blurred(x_BCHW: Tensor, sigma: float) -> Tensor:
    return torch.from_numpy(gaussian_filter(x_BCHW.numpy(), (0, 0, sigma, sigma)))


def noisy(x_BCHW: Tensor, amount: float) -> Tensor:
    noise = torch.from_numpy(np.random.default_rng(9).standard_normal(x_BCHW.shape))
    return (x_BCHW + amount * noise).float().clamp(-1, 1)


def window_means(x_HW: np.ndarray) -> np.ndarray:
    """Gaussian means of 11 x 11 pixels, the picture mirrored at its edges."""
    gauss = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    gauss /= gauss.sum()
    return correlate1d(correlate1d(x_HW, gauss, 0, mode="mirror"), gauss, 1, mode="mirror")


def restated_ms_ssim(y_CHW: np.ndarray, truth_CHW: np.ndarray, scales: int) -> float:
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    y_CHW, truth_CHW = y_CHW.astype(np.float64), truth_CHW.astype(np.float64)
    weights = WEIGHTS[:scales] / WEIGHTS[:scales].sum()
    product = 1.0
    for scale in range(scales):
        contrasts, similarities = [], []
        for y, truth in zip(y_CHW, truth_CHW, strict=True):
            mean_y, mean_t = window_means(y), window_means(truth)
            var_y = window_means(y * y) - mean_y**2
            var_t = window_means(truth * truth) - mean_t**2
            both = window_means(y * truth) - mean_y * mean_t
            contrast = (2 * both + c2) / (var_y + var_t + c2)
            contrasts.append(contrast[5:-5, 5:-5])
            light = (2 * mean_y * mean_t + c1) / (mean_y**2 + mean_t**2 + c1)
            similarities.append(light * contrast)
        last = scale == scales - 1
        product *= np.mean(similarities if last else contrasts) ** weights[scale]
        shape = (3, y_CHW.shape[1] // 2, 2, y_CHW.shape[2] // 2, 2)
        y_CHW, truth_CHW = (x.reshape(shape).mean((2, 4)) for x in (y_CHW, truth_CHW))
    return product


@pytest.mark.parametrize(("size", "scales"), [(256, 5), (128, 4), (64, 3), (32, 2)])
def test_ms_ssim_is_that_of_a_plain_restatement_with_as_many_scales_as_fit(size, scales):
    truth = pictures(3, size)
    made = noisy(blurred(truth, 1), 0.1)
    each = [
        restated_ms_ssim(y, t, scales) for y, t in zip(made.numpy(), truth.numpy(), strict=True)
    ]
    assert ms_ssim(made, truth) == pytest.approx(np.mean(each), abs=2e-4)
    assert np.ptp(each) > 1e-3  # a mean over pictures, not one of them


def test_ms_ssim_is_one_for_the_truth_and_falls_with_noise_and_with_blur():
    truth = pictures(3, 64)
    assert ms_ssim(truth, truth) == pytest.approx(1, abs=1e-6)
    by_noise = [ms_ssim(noisy(truth, amount), truth) for amount in (0, 0.05, 0.2, 0.8)]
    by_blur = [ms_ssim(blurred(truth, sigma), truth) for sigma in (0.3, 1, 2, 4)]
    assert by_noise == sorted(by_noise, reverse=True)
    assert by_blur == sorted(by_blur, reverse=True)
    assert by_noise[-1] < 0.7
    assert ms_ssim(pictures(3, 64, seed=5), truth) < 0.5


def test_ms_ssim_takes_sound_images_too():
    sound_images = pictures(2, 64)[:, :1]
    assert ms_ssim(sound_images, sound_images) == pytest.approx(1, abs=1e-6)


def test_pictures_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="at least 11"):
        ms_ssim(pictures(1, 8), pictures(1, 8))
    for measure in (ms_ssim, sharpness_ratio, sensitivity):
        with pytest.raises(ValueError, match="same shape"):
            measure(pictures(2, 32), pictures(3, 32))
        with pytest.raises(ValueError, match="at least one"):
            measure(pictures(2, 32)[:0], pictures(2, 32)[:0])


def test_the_truth_is_as_sharp_as_itself_blur_is_not_and_noise_is_sharper():
    truth = pictures(18, 64)
    assert sharpness_ratio(truth, truth) == pytest.approx(1)
    assert sharpness_ratio(blurred(truth, 1), truth) < 0.5
    assert sharpness_ratio(torch.full_like(truth, 0.3), truth) < 1e-6
    assert sharpness_ratio(noisy(truth, 0.1), truth) > 1


def test_sharpness_is_the_energy_of_the_laplacian_of_luma():
    def energy(x_BCHW: Tensor) -> float:
        luma = np.einsum("c,bchw->bhw", [0.2126, 0.7152, 0.0722], x_BCHW.double().numpy())
        return float(np.mean([laplace(picture)[1:-1, 1:-1] ** 2 for picture in luma]))

    truth = pictures(17, 32)  # more than are taken at once, and an odd number
    made = noisy(truth, 0.05)
    made[-1] = 0
    assert sharpness_ratio(made, truth) == pytest.approx(energy(made) / energy(truth), rel=1e-4)
    half = sharpness_ratio(truth / 2, truth)
    assert half == pytest.approx(1 / 4, rel=1e-4)  # an energy, not an amplitude


def test_a_flat_truth_has_a_finite_sharpness():
    flat = torch.full((2, 3, 32, 32), -0.2)
    assert sharpness_ratio(flat, flat) < 1e-6
    assert 1 < sharpness_ratio(noisy(flat, 0.1), flat) < np.inf


@given(share=st.floats(0, 2), shift=st.floats(-0.4, 0.4))
@settings(max_examples=20, deadline=None)
def test_sensitivity_is_the_share_of_the_variance(share, shift):
    truth = pictures(6, 16) * 0.3
    made = truth.mean(0) + share * (truth - truth.mean(0)) + shift
    assert sensitivity(made, truth) == pytest.approx(share**2, rel=1e-3, abs=1e-6)


def test_sensitivity_is_zero_for_one_answer_to_all_and_one_for_the_truth_in_any_order():
    truth = pictures(6, 32)
    assert sensitivity(truth[:1].expand(6, -1, -1, -1), truth) == pytest.approx(0, abs=1e-9)
    assert sensitivity(truth.flip(0), truth) == pytest.approx(1)
    expected = truth.double().numpy().var(axis=0).mean()
    other = pictures(6, 32, seed=1)
    found = other.double().numpy().var(axis=0).mean() / expected
    assert sensitivity(other, truth) == pytest.approx(found, rel=1e-4)


def test_where_frames_do_not_differ_there_is_nothing_to_be_sensitive_to():
    one = pictures(1, 32)
    assert sensitivity(one, one) == 1
    assert sensitivity(pictures(4, 32), one.expand(4, -1, -1, -1)) == 1


def clip_of(rng: np.random.Generator, moments: int, size: int = 24) -> np.ndarray:
    """A clip whose colour, light and motion go their own ways: T x H x W x 3, uint8."""
    colour_T3 = rng.uniform(0.2, 0.8, (moments, 3))
    grain_THW = rng.uniform(0, 0.3, (moments, 1, 1)) * rng.standard_normal((moments, size, size))
    frames = colour_T3[:, None, None] + grain_THW[..., None]
    return (255 * frames).round().clip(0, 255).astype(np.uint8)


def clips_of(*moments: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [clip_of(rng, count) for count in moments]


def test_the_truth_follows_itself_and_not_the_other_clips():
    truth = clips_of(40, 40, 55, 40)
    for follow in follow_margins(truth, truth).values():
        assert follow is not None
        assert follow.own == pytest.approx(1)
        assert abs(follow.swapped) < 0.25
        assert follow.margin == follow.own - follow.swapped


def test_what_was_made_from_any_song_has_no_margin():
    margins = []
    for seed in range(30):
        truth = clips_of(12, 12, 12, 12, seed=seed)
        made = clips_of(12, 12, 12, 12, seed=100 + seed)
        margins.append([f.margin for f in follow_margins(made, truth).values() if f is not None])
    mean, error = np.mean(margins, axis=0), np.std(margins, axis=0) / np.sqrt(len(margins))
    assert (abs(mean) < 3 * error).all()
    assert len(mean) == 3


def test_the_same_pictures_for_every_song_have_no_margin_however_good_they_are():
    truth = clips_of(20)[0]
    for follow in follow_margins([truth] * 3, [truth] * 3).values():
        assert follow is not None
        assert follow.own == pytest.approx(1)
        assert follow.margin == pytest.approx(0)


def test_a_still_picture_follows_nothing():
    truth = clips_of(20, 20)
    still = [np.repeat(clip[:1], 20, axis=0) for clip in truth]
    for follow in follow_margins(still, truth).values():
        assert follow is not None
        assert (follow.own, follow.swapped) == (0, 0)


def test_margins_are_those_of_the_correlations_one_by_one():
    moments = (9, 14, 9, 6)
    truth, made = clips_of(*moments, seed=1), clips_of(*moments, seed=2)
    made = [(0.6 * t + 0.4 * m).astype(np.uint8) for t, m in zip(truth, made, strict=True)]
    starts = [[0, 4], [0, 3, 8], [0, 4], [0]]
    found = follow_margins(made, truth, starts)
    columns = {
        "brightness": ["brightness"],
        "hue": ["hue_cos", "hue_sin"],
        "motion": ["motion_energy"],
    }
    for name, wanted in columns.items():
        own, swapped = [], []
        for v in range(len(truth)):
            for u in range(len(truth)):
                each = []
                for column in wanted:
                    a = picture_descriptors(made[u])[column]
                    b = picture_descriptors(truth[v])[column]
                    if name == "motion":
                        a, b = np.delete(a, starts[u]), np.delete(b, starts[v])
                    place = np.arange(len(b)) * len(a) // len(b)
                    each.append(within_correlation(a[place], b, slow_terms=0))
                (own if u == v else swapped).append(np.mean(each))
        follow = found[name]
        assert follow is not None
        assert follow.own == pytest.approx(np.mean(own), abs=1e-9)
        assert follow.swapped == pytest.approx(np.mean(swapped), abs=1e-9)


def test_the_change_across_a_gap_is_no_motion():
    rng = np.random.default_rng(3)
    truth, made = [], []
    for _ in range(2):
        runs = []
        for _ in range(6):  # runs of four, each of its own light, moving by its own grain
            grain = rng.uniform(0, 12, (4, 1, 1, 1)) * rng.standard_normal((4, 24, 24, 1))
            runs.append(grain + np.zeros(3))
        light = rng.uniform(60, 200, 6)
        truth.append(np.concatenate([run + s for run, s in zip(runs, light, strict=True)]))
        made.append(np.concatenate([run + 128 for run in runs]))
    to_bytes = lambda clips: [clip.round().clip(0, 255).astype(np.uint8) for clip in clips]  # noqa: E731
    made, truth = to_bytes(made), to_bytes(truth)
    with_gaps = follow_margins(made, truth)["motion"]
    without = follow_margins(made, truth, [np.arange(0, 24, 4)] * 2)["motion"]
    assert without is not None
    assert with_gaps is not None
    assert without.own > 0.97
    assert with_gaps.own < 0.6


def test_too_few_clips_or_moments_say_nothing():
    assert follow_margins([], []) == dict.fromkeys(("brightness", "hue", "motion"))
    one = clips_of(20)
    assert set(follow_margins(one, one).values()) == {None}
    short = clips_of(20, 4, 3)
    found = follow_margins(short, short)
    assert found["brightness"] is not None  # clips of 20 and of 4
    assert found["motion"] is None  # four frames have three changes
    with pytest.raises(ValueError, match="equally many"):
        follow_margins(clips_of(5), clips_of(6))
