"""Realism within a look: against the distance itself, and in the order that cases must come."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from soundreel.evidence.look_realism import look_realism
from soundreel.evidence.realism import sliced_wasserstein


def pictures(look: int, count: int = 12, seed: int = 0) -> np.ndarray:
    """Clouds as coarse, and in a tone, as the look has them."""
    rng = np.random.default_rng((look, seed))
    clouds = gaussian_filter(rng.standard_normal((count, 32, 48, 3)), (0, 1 + look, 1 + look, 0))
    tone = np.array([(60, 90, 160), (190, 120, 40)][look % 2])
    return (tone + 40 * clouds / clouds.std()).clip(0, 255).astype(np.uint8)


NONE = np.empty((0, 32, 48, 3), np.uint8)


def test_its_own_look_is_nearer_than_another_and_than_a_mixture_of_both():
    real = [pictures(0), pictures(1)]
    others = [pictures(0, seed=1), pictures(1, seed=1)]
    own = look_realism([pictures(0, seed=2), pictures(1, seed=2)], real, others, 0)
    wrong = look_realism([pictures(1, seed=2), pictures(0, seed=2)], real, others, 0)
    mixed = [(film // 2 + other // 2) for film, other in zip(real, real[::-1], strict=True)]
    murky = look_realism(mixed, real, others, 0)
    assert own.made < 0.5 * murky.made < 0.5 * wrong.made
    assert own.made < 1.5 * own.real
    assert look_realism(real, real, others, 0).made < own.made
    # Beside all frames together, the wrong looks would stand as well as the right ones.
    together = np.concatenate(real)
    both = [
        sliced_wasserstein(np.concatenate(made), together, 0, directions=64).value
        for made in (
            [pictures(0, seed=2), pictures(1, seed=2)],
            [pictures(1, seed=2), pictures(0, seed=2)],
        )
    ]
    assert both[1] == pytest.approx(both[0], rel=0.2)


def test_it_is_the_distance_to_the_clip_and_those_of_its_look():
    made, real, others = pictures(0, seed=3), pictures(0), pictures(0, seed=4)
    found = look_realism([made], [real], [others], 7)
    restated = sliced_wasserstein(made, np.concatenate([real, others]), 7, directions=64)
    assert found.made_N[0] == restated.value
    assert found.real_N[0] > 0


def test_a_clip_alone_has_its_halves_to_be_compared_with():
    calm = pictures(0, 24)
    turned = np.concatenate([pictures(0), pictures(1)])
    found = look_realism([calm, turned], [calm, turned], [NONE, NONE], 0)
    assert found.real_N[1] > 3 * found.real_N[0]


def test_what_does_not_match_is_refused():
    with pytest.raises(ValueError, match=r"\(1, 1, 0\) clips"):
        look_realism([pictures(0)], [pictures(0)], [], 0)
    with pytest.raises(ValueError, match=r"\(0, 0, 0\) clips"):
        look_realism([], [], [], 0)
