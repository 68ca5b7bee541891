import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.networks.losses import adversarial_loss, discriminator_loss, l1_loss
from soundreel.networks.resample import area_resize, fit_to

EPS = 1e-12
logits = st.lists(st.floats(-12, 12), min_size=1, max_size=30)


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


@given(real=logits, fake=logits)
@settings(max_examples=60, deadline=None)
def test_losses_are_those_of_the_tensorflow_port(real, fake):
    expected_d = np.mean([-math.log(sigmoid(z) + EPS) for z in real]) + np.mean(
        [-math.log(1 - sigmoid(z) + EPS) for z in fake]
    )
    expected_g = np.mean([-math.log(sigmoid(z) + EPS) for z in fake])
    real_logits, fake_logits = torch.tensor(real).double(), torch.tensor(fake).double()
    assert discriminator_loss(real_logits, fake_logits).item() == pytest.approx(
        expected_d, rel=1e-6, abs=1e-6
    )
    assert adversarial_loss(fake_logits).item() == pytest.approx(expected_g, rel=1e-6, abs=1e-6)


def test_losses_stay_finite_where_the_sigmoid_rounds_away():
    assert adversarial_loss(torch.tensor([-500.0])).item() == pytest.approx(500)
    assert adversarial_loss(torch.tensor([500.0])).item() == 0


def test_l1_of_opposites_is_two_and_of_equals_zero():
    one = torch.ones(2, 3, 4, 4)
    assert l1_loss(one, -one).item() == 2
    assert l1_loss(one, one).item() == 0


def area_by_repetition(image_HW: np.ndarray, size: int) -> np.ndarray:
    """Every pixel repeated until the new pixels are whole blocks, then block means."""
    old = image_HW.shape[0]
    fine = np.repeat(np.repeat(image_HW, size, 0), size, 1)
    return fine.reshape(size, old, size, old).mean((1, 3))


@given(old=st.integers(1, 24), new=st.integers(1, 24), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_area_is_the_mean_over_what_each_new_pixel_covers(old, new, seed):
    image = np.random.default_rng(seed).uniform(-1, 1, (old, old))
    resized = area_resize(torch.tensor(image).float()[None, None], new)[0, 0].numpy()
    np.testing.assert_allclose(resized, area_by_repetition(image, new), atol=1e-5)


def test_fit_to_halves_by_means_and_keeps_what_fits():
    x_BCHW = torch.rand(2, 3, 64, 64) * 2 - 1
    torch.testing.assert_close(fit_to(x_BCHW, 32), F.avg_pool2d(x_BCHW, 2), atol=1e-6, rtol=0)
    assert fit_to(x_BCHW, 64) is x_BCHW


def test_fit_to_enlarges_smoothly_within_the_range():
    x_BCHW = torch.where(torch.rand(1, 1, 32, 32) > 0.5, 1.0, -1.0)
    larger = fit_to(x_BCHW, 128)
    assert larger.shape == (1, 1, 128, 128)
    assert larger.abs().max() <= 1
    flat = fit_to(torch.full((1, 1, 8, 8), 0.3), 64)
    torch.testing.assert_close(flat, torch.full_like(flat, 0.3))
