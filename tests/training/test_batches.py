from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.dataset.loading import Pairs
from soundreel.errors import SettingsError
from soundreel.networks.model_folder import Direction
from soundreel.training.batches import Batches, silence_stretch
from soundreel.training.presets import Training
from soundreel.training.ranks import Alone
from soundreel.training.reach import Nearby, Resident, resident_bytes
from soundreel.training.source import InMemory
from toy_pairs import RECIPE, toy_pairs, toy_settings

PLAIN = {"gain_db": 0, "time_mask": 0, "band_mask": 0}


class Twins(Pairs):
    """Pairs whose sound image is the red of their picture: what happens to one must to both."""

    def sound_images(self, indices):
        return self.pictures(indices)[:, :1]


def twins() -> Twins:
    pairs = toy_pairs(range(2))
    noise = np.random.default_rng(0).integers(0, 256, pairs.frames_N3HW.shape).astype(np.uint8)
    return Twins(**{**vars(pairs), "frames_N3HW": noise})


def batches_of(
    pairs: Pairs, settings: Training, direction: Direction = "sound-to-picture", **options
) -> Batches:
    source = InMemory(pairs, settings.seed, settings.balance_clips)
    return Batches(source, settings, direction, **options)


def seen_in(source: InMemory, epochs: int) -> list[np.ndarray]:
    return [source.at(epoch, range(len(source)))[1] for epoch in range(epochs)]


@given(clips=st.integers(1, 3), epochs=st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_every_epoch_sees_every_pair_once(clips, epochs):
    source = InMemory(toy_pairs(range(clips), 5), seed=0)
    for seen in seen_in(source, epochs):
        assert sorted(seen) == list(range(len(source)))


@given(counts=st.lists(st.integers(1, 12), min_size=1, max_size=4), seed=st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_balanced_clips_have_equal_shares_and_use_up_their_pairs(counts, seed):
    pairs = toy_pairs(range(len(counts)), 12)
    pairs = pairs.take(np.concatenate([12 * c + np.arange(n) for c, n in enumerate(counts)]))
    source = InMemory(pairs, seed, balance_clips=True)
    epochs = seen_in(source, 6)
    for seen in epochs:
        assert len(seen) == len(pairs)
        shares = np.bincount(pairs.clip_N[seen], minlength=len(counts))
        assert shares.max() - shares.min() <= 1
    together = np.concatenate(epochs)
    for clip in range(len(counts)):
        uses = np.bincount(together, minlength=len(pairs))[pairs.clip_N == clip]
        assert uses.max() - uses.min() <= 2  # a turn half used in each of two epochs at most


def test_epochs_and_seeds_have_their_own_order():
    pairs = toy_pairs(range(4))
    first, second = seen_in(InMemory(pairs, seed=0), 2)
    other = seen_in(InMemory(pairs, seed=1), 1)[0]
    assert list(first) != list(second)
    assert list(first) != list(other)


@pytest.mark.parametrize("batch", [1, 3, 40])
def test_batches_go_through_the_epochs_one_after_the_other(batch):
    wanted = toy_settings(batch=batch, **PLAIN)
    pairs = toy_pairs(range(2))
    batches = batches_of(pairs, wanted)
    steps = -(-3 * len(pairs) // batch)
    made = torch.cat([batches.batch(step).truth_BCHW for step in range(steps)])
    order = np.concatenate(seen_in(InMemory(pairs, 0), 8))[: len(made)]
    assert torch.equal(made, pairs.pictures(order))


@dataclass(frozen=True)
class Rank(Alone):
    """One of several processes, as far as batches ask."""


@pytest.mark.parametrize("count", [2, 4])
def test_the_parts_of_all_processes_are_the_batch_of_one(count):
    pairs, wanted = toy_pairs(range(3)), toy_settings(batch=8, scale_to=70, mirror=True)
    whole = batches_of(pairs, wanted)
    parts = [batches_of(pairs, wanted, ranks=Rank(rank, count)) for rank in range(count)]
    for step in (0, 2, 5):
        together = [part.batch(step) for part in parts]
        alone = whole.batch(step)
        assert torch.equal(torch.cat([part.x_BCHW for part in together]), alone.x_BCHW)
        assert torch.equal(torch.cat([part.truth_BCHW for part in together]), alone.truth_BCHW)
        assert sum((part.seeds for part in together), ()) == alone.seeds


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(SettingsError, match="multiple of 2"):
        batches_of(toy_pairs(range(1)), toy_settings(batch=3), ranks=Rank(0, 2))
    with pytest.raises(SettingsError, match="accumulate = 4"):
        batches_of(toy_pairs(range(1)), toy_settings(batch=4, accumulate=4), ranks=Rank(0, 2))


@pytest.mark.parametrize("workers", [0, 3])
def test_a_batch_depends_on_its_number_only(workers):
    pairs = toy_pairs(range(2))
    wanted = toy_settings(scale_to=70, mirror=True)
    in_order = list(batches_of(pairs, wanted, "sound-to-picture").ahead(0, 9, workers))
    assert len(in_order) == 9
    for step in (7, 2):
        again = batches_of(pairs, wanted, "sound-to-picture").batch(step)
        assert torch.equal(again.x_BCHW, in_order[step].x_BCHW)
        assert torch.equal(again.truth_BCHW, in_order[step].truth_BCHW)
        assert again.seeds == in_order[step].seeds


def test_crop_and_mirror_move_both_pictures_alike():
    wanted = toy_settings(scale_to=72, mirror=True, batch=16, **PLAIN)
    batches = batches_of(twins(), wanted, "sound-to-picture")
    x_BCHW, y_BCHW = batches.batch(0).x_BCHW, batches.batch(0).truth_BCHW
    torch.testing.assert_close(x_BCHW, y_BCHW[:, :1])
    plain = toy_settings(batch=16, **PLAIN)
    assert not torch.equal(
        y_BCHW, batches_of(twins(), plain, "sound-to-picture").batch(0).truth_BCHW
    )


def test_mirror_turns_about_half_of_the_pairs():
    wanted = toy_settings(mirror=True, batch=16, **PLAIN)
    pairs = twins()
    batches = batches_of(pairs, wanted, "sound-to-picture")
    turned = 0
    for step in range(4):
        places = range(16 * step % 16, 16 * step % 16 + 16)
        source, indices = InMemory(pairs, wanted.seed).at(step, places)
        truth = source.pictures(indices)
        for made, kept in zip(batches.batch(step).truth_BCHW, truth, strict=True):
            assert torch.equal(made, kept) or torch.equal(made, kept.flip(2))
            turned += int(torch.equal(made, kept.flip(2)))
    assert 20 <= turned <= 44


def test_three_sound_channels_are_the_same_and_directions_swap():
    pairs = toy_pairs(range(1))
    wanted = toy_settings(sound_channels=3, **PLAIN)
    there = batches_of(pairs, wanted, "sound-to-picture").batch(0)
    x_BCHW, y_BCHW = there.x_BCHW, there.truth_BCHW
    assert x_BCHW.shape == y_BCHW.shape == (2, 3, 64, 64)
    assert torch.equal(x_BCHW[:, 0], x_BCHW[:, 2])
    back = batches_of(pairs, wanted, "picture-to-sound").batch(0)
    assert torch.equal(back.x_BCHW, y_BCHW)
    assert torch.equal(back.truth_BCHW, x_BCHW)


def decibels(*gains_db: float) -> np.ndarray:
    return 10 ** (np.array(gains_db) / 20)


NOT_LATER = np.zeros(2, np.int64)


def test_a_gain_moves_a_logarithmic_sound_image_by_its_decibels():
    pairs = toy_pairs(range(2))
    indices = np.array([3, 12])
    plain = pairs.sound_images(indices)
    louder = Nearby(pairs).altered_images(indices, decibels(4.0, -4.0), NOT_LATER)
    span_db = RECIPE.ceiling_db - RECIPE.floor_db
    moved = 2 * 4.0 / span_db
    inside = plain.abs() < 0.85
    assert inside.float().mean() > 0.3
    torch.testing.assert_close(louder[0][inside[0]], plain[0][inside[0]] + moved, atol=1e-3, rtol=0)
    torch.testing.assert_close(louder[1][inside[1]], plain[1][inside[1]] - moved, atol=1e-3, rtol=0)


def at_the_beginning() -> Pairs:
    pairs = toy_pairs(range(2))
    return replace(pairs, end_sample_N=np.maximum(pairs.end_sample_N - 3_500, 100))


def test_a_gain_of_none_is_the_sound_image_also_at_the_songs_beginning():
    pairs, indices = at_the_beginning(), np.array([0, 9])
    same = Nearby(pairs).altered_images(indices, decibels(0, 0), NOT_LATER)
    torch.testing.assert_close(same, pairs.sound_images(indices), atol=1e-6, rtol=0)


def test_a_window_that_ends_a_hop_later_has_its_columns_a_place_further_left():
    pairs, indices = toy_pairs(range(2)), np.array([3, 12])
    hops = np.array([2, 5])
    plain = pairs.sound_images(indices)
    later = Nearby(pairs).altered_images(indices, decibels(0, 0), hops * RECIPE.hop_samples)
    for image, moved, hop in zip(plain, later, hops, strict=True):
        torch.testing.assert_close(moved[..., :-hop], image[..., hop:], atol=1e-5, rtol=0)
        assert not torch.equal(moved, image)


@given(
    end=st.integers(-3_000, 9_000),
    later=st.integers(-4_000, 4_000),
    gain_db=st.floats(-6, 6),
)
@settings(max_examples=40, deadline=None)
def test_pairs_held_on_a_device_are_those_in_memory_wherever_windows_end(end, later, gain_db):
    # Neighbours in the long sound must never be heard, nor anything but silence around a clip.
    pairs = toy_pairs(range(3), 2)
    pairs = replace(pairs, end_sample_N=np.maximum(0, pairs.end_sample_N + end))
    held = Resident(pairs, torch.device("cpu"))
    indices = np.array([0, 5, 2, 3, 1])
    assert torch.equal(held.pictures(indices), pairs.pictures(indices))
    torch.testing.assert_close(
        held.sound_images(indices), pairs.sound_images(indices), atol=1e-5, rtol=0
    )
    if (pairs.end_sample_N + later).min() >= 0:
        gain_B, later_B = np.full(5, 10 ** (gain_db / 20)), np.full(5, later)
        torch.testing.assert_close(
            held.altered_images(indices, gain_B, later_B),
            Nearby(pairs).altered_images(indices, gain_B, later_B),
            atol=1e-5,
            rtol=0,
        )


def test_stored_sound_images_can_be_held_on_a_device_too():
    stored = np.random.default_rng(0).integers(0, 256, (8, 64, 64)).astype(np.uint8)
    recipe = RECIPE.model_copy(update={"sound_images": "stored"})
    pairs = replace(
        toy_pairs(range(1)),
        recipe=recipe,
        sounds=[np.empty(0, np.float32)],
        sound_images_NSS=stored,
    )
    held = Resident(pairs, torch.device("cpu"))
    indices = np.array([4, 1])
    assert not held.holds_sound
    assert torch.equal(held.sound_images(indices), pairs.sound_images(indices))
    assert resident_bytes(pairs) >= pairs.frames_N3HW.nbytes + stored.nbytes
    with pytest.raises(SettingsError, match="jitter_seconds needs the sound"):
        batches_of(pairs, toy_settings(jitter_seconds=0.1, **PLAIN))


def test_jitter_moves_windows_both_ways_and_no_further_than_it_says():
    pairs = toy_pairs(range(2))
    wanted = toy_settings(batch=16, jitter_seconds=0.05, **PLAIN)
    moved = batches_of(pairs, wanted).batch(0).x_BCHW
    order = seen_in(InMemory(pairs, 0), 1)[0]
    jitter = round(0.05 * RECIPE.sample_rate_hz)
    shifts = []
    for image, index in zip(moved, order, strict=True):
        around = replace(
            pairs.take([index] * (2 * jitter + 1)),
            end_sample_N=pairs.end_sample_N[index] + np.arange(-jitter, jitter + 1),
        ).sound_images(np.arange(2 * jitter + 1))
        apart = (around - image).abs().amax((1, 2, 3))
        assert apart.min() < 1e-4
        shifts.append(int(apart.argmin()) - jitter)
    assert min(shifts) < 0 < max(shifts)
    assert len(set(shifts)) > 8


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
        batches_of(replace(toy_pairs(range(1)), recipe=recipe), toy_settings(), "sound-to-picture")
