from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_pairs import RECIPE, toy_pairs, toy_settings

from soundreel.dataset.loading import Pairs
from soundreel.errors import SettingsError
from soundreel.training.batches import Batches, louder_or_softer, silence_stretch

PLAIN = {"gain_db": 0, "time_mask": 0, "band_mask": 0}


class Twins(Pairs):
    """Pairs whose sound image is the red of their picture: what happens to one must to both."""

    def sound_images(self, indices):
        return self.pictures(indices)[:, :1]


def twins() -> Twins:
    pairs = toy_pairs(range(2))
    noise = np.random.default_rng(0).integers(0, 256, pairs.frames_N3HW.shape).astype(np.uint8)
    return Twins(**{**vars(pairs), "frames_N3HW": noise})


@given(batch=st.integers(1, 7), clips=st.integers(1, 3), epochs=st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_every_epoch_sees_every_pair_once(batch, clips, epochs):
    pairs = toy_pairs(range(clips), 5)
    batches = Batches(pairs, toy_settings(batch=batch), "sound-to-picture")
    steps = -(-epochs * len(pairs) // batch)
    seen = [index for step in range(steps) for index in batches.indices(step)]
    for epoch in range(epochs):
        assert sorted(seen[epoch * len(pairs) :][: len(pairs)]) == list(range(len(pairs)))


def test_epochs_and_seeds_have_their_own_order():
    pairs = toy_pairs(range(4))
    batches = Batches(pairs, toy_settings(batch=32), "sound-to-picture")
    other = Batches(pairs, toy_settings(batch=32, seed=1), "sound-to-picture")
    assert batches.indices(0) != batches.indices(1)
    assert batches.indices(0) != other.indices(0)


@pytest.mark.parametrize("workers", [0, 3])
def test_a_batch_depends_on_its_number_only(workers):
    pairs = toy_pairs(range(2))
    wanted = toy_settings(scale_to=70, mirror=True)
    in_order = list(Batches(pairs, wanted, "sound-to-picture").ahead(0, 9, workers))
    assert len(in_order) == 9
    for step in (7, 2):
        x_BCHW, y_BCHW = Batches(pairs, wanted, "sound-to-picture").batch(step)
        assert torch.equal(x_BCHW, in_order[step][0])
        assert torch.equal(y_BCHW, in_order[step][1])


def test_crop_and_mirror_move_both_pictures_alike():
    wanted = toy_settings(scale_to=72, mirror=True, batch=16, **PLAIN)
    batches = Batches(twins(), wanted, "sound-to-picture")
    x_BCHW, y_BCHW = batches.batch(0)
    torch.testing.assert_close(x_BCHW, y_BCHW[:, :1])
    plain = toy_settings(batch=16, **PLAIN)
    assert not torch.equal(y_BCHW, Batches(twins(), plain, "sound-to-picture").batch(0)[1])


def test_mirror_turns_about_half_of_the_pairs():
    wanted = toy_settings(mirror=True, batch=16, **PLAIN)
    pairs = twins()
    batches = Batches(pairs, wanted, "sound-to-picture")
    turned = 0
    for step in range(4):
        truth = pairs.pictures(batches.indices(step))
        for made, kept in zip(batches.batch(step)[1], truth, strict=True):
            assert torch.equal(made, kept) or torch.equal(made, kept.flip(2))
            turned += int(torch.equal(made, kept.flip(2)))
    assert 20 <= turned <= 44


def test_three_sound_channels_are_the_same_and_directions_swap():
    pairs = toy_pairs(range(1))
    wanted = toy_settings(sound_channels=3, **PLAIN)
    x_BCHW, y_BCHW = Batches(pairs, wanted, "sound-to-picture").batch(0)
    assert x_BCHW.shape == y_BCHW.shape == (2, 3, 64, 64)
    assert torch.equal(x_BCHW[:, 0], x_BCHW[:, 2])
    back_x, back_y = Batches(pairs, wanted, "picture-to-sound").batch(0)
    assert torch.equal(back_x, y_BCHW)
    assert torch.equal(back_y, x_BCHW)


class Fixed:
    """A random generator that always draws the same gain."""

    def __init__(self, gain_db: float) -> None:
        self.gain_db = gain_db

    def uniform(self, low: float, high: float) -> float:
        assert low <= self.gain_db <= high
        return self.gain_db


def test_a_gain_moves_a_logarithmic_sound_image_by_its_decibels():
    pairs = toy_pairs(range(2))
    indices = [3, 12]
    plain = pairs.sound_images(indices)
    louder = louder_or_softer(pairs, indices, [Fixed(4.0), Fixed(-4.0)], 6.0)  # pyright: ignore[reportArgumentType]
    span_db = RECIPE.ceiling_db - RECIPE.floor_db
    moved = 2 * 4.0 / span_db
    inside = plain.abs() < 0.85
    assert inside.float().mean() > 0.3
    torch.testing.assert_close(louder[0][inside[0]], plain[0][inside[0]] + moved, atol=1e-3, rtol=0)
    torch.testing.assert_close(louder[1][inside[1]], plain[1][inside[1]] - moved, atol=1e-3, rtol=0)


def test_a_gain_of_none_is_the_sound_image_also_at_the_songs_beginning():
    pairs = toy_pairs(range(2))
    pairs = replace(pairs, end_sample_N=np.maximum(pairs.end_sample_N - 3_500, 100))
    indices = [0, 1, 9]
    same = louder_or_softer(pairs, indices, [Fixed(0.0)] * 3, 6.0)  # pyright: ignore[reportArgumentType]
    torch.testing.assert_close(same, pairs.sound_images(indices), atol=1e-6, rtol=0)


@given(share=st.floats(0, 0.5), seed=st.integers(0, 1_000), dim=st.sampled_from([1, 2]))
@settings(max_examples=60, deadline=None)
def test_a_mask_is_one_stretch_no_longer_than_its_share(share, seed, dim):
    image_1SS = torch.ones(1, 64, 64)
    silence_stretch(image_1SS, share, np.random.default_rng(seed), dim)
    silent = image_1SS[0].amax(2 - dim) == -1
    places = torch.nonzero(silent).flatten()
    assert len(places) <= share * 64
    if len(places):
        assert places[-1] - places[0] + 1 == len(places)
    assert (image_1SS == -1).sum() == 64 * len(places)


def test_masks_on_a_waveform_are_refused():
    recipe = RECIPE.model_copy(update={"representation": "waveform"})
    with pytest.raises(SettingsError, match="time_mask and band_mask"):
        Batches(replace(toy_pairs(range(1)), recipe=recipe), toy_settings(), "sound-to-picture")
