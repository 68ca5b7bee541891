from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.evidence.quality import ms_ssim, sharpness_ratio
from soundreel.networks.model_folder import Direction
from soundreel.training.held_out import HeldOut, measured_places, run_starts
from soundreel.training.step import Networks
from toy_pairs import toy_pairs, toy_settings

NONE = toy_pairs(range(0))


class Speaking(Networks):
    """Networks whose pictures are given: as many as are asked for, in order."""

    def __init__(self, pictures: torch.Tensor) -> None:
        self.pictures = pictures
        self.given = 0

    def generate(self, x_BCHW, seeds):
        self.given += len(x_BCHW)
        return self.pictures[self.given - len(x_BCHW) : self.given]


def held_out(pairs, direction: Direction = "sound-to-picture", **changes) -> HeldOut:
    return HeldOut(toy_pairs(range(3)), pairs, toy_settings(**changes), direction)


@given(count=st.integers(0, 400), most=st.integers(1, 300))
@settings(max_examples=200, deadline=None)
def test_measured_places_are_distinct_spread_and_come_in_runs(count, most):
    places = measured_places(count, most)
    assert len(places) <= min(count, most)
    assert len(places) > min(count, most) - 4
    assert (np.diff(places) > 0).all()
    assert not len(places) or (places[0] >= 0 and places[-1] < count)
    if most >= 4 and count > most:
        for first in range(0, len(places), 4):
            assert (np.diff(places[first : first + 4]) == 1).all()
    if 20 < most < count:
        # No stretch of the clips is passed over.
        assert np.diff([-1, *places, count]).max() <= 4 * count / most + 8


def test_a_run_starts_at_a_new_clip_a_skipped_pair_and_a_gap_in_time():
    places = np.array([0, 1, 2, 3, 4, 7, 8, 9])
    clip = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    seconds = np.array([0, 0.5, 1, 0, 0.5, 2.0, 2.5, 4.0])
    found = run_starts(places, clip, seconds)
    assert found.tolist() == [True, False, False, True, False, True, False, True]


def test_the_truth_itself_measures_best_and_follows_its_own_song():
    pairs = toy_pairs(range(50, 54))
    truth = pairs.pictures(range(len(pairs)))
    measured = held_out(pairs).measure(Speaking(truth))
    assert measured.l1 == 0
    assert measured.ms_ssim == pytest.approx(1, abs=1e-3)
    assert measured.sensitivity == pytest.approx(1)
    assert measured.own_brightness == pytest.approx(1)
    assert measured.follow_hue is not None
    assert measured.follow_hue > 0.5
    margins = [measured.row[f"follow_{name}"] for name in ("brightness", "hue", "motion")]
    assert measured.follow == pytest.approx(np.mean(margins))


def test_one_picture_for_all_follows_nothing_and_depends_on_nothing():
    pairs = toy_pairs(range(50, 54))
    same = pairs.pictures([3]).expand(len(pairs), -1, -1, -1)
    measured = held_out(pairs).measure(Speaking(same))
    assert measured.sensitivity == 0
    assert measured.own_brightness == measured.follow_brightness == measured.follow == 0


def test_what_is_measured_is_what_the_functions_say_of_any_pictures():
    pairs = toy_pairs(range(50, 53))
    truth = pairs.pictures(range(len(pairs)))
    made = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, truth.shape).astype(np.float32))
    measured = held_out(pairs).measure(Speaking(made))
    assert measured.l1 == pytest.approx(float((made - truth).abs().mean()))
    assert measured.ms_ssim == pytest.approx(ms_ssim(made, truth))
    assert measured.sharpness == pytest.approx(sharpness_ratio(made, truth))


def test_one_clip_has_no_other_song_to_be_compared_with():
    pairs = toy_pairs(range(50, 51))
    measured = held_out(pairs).measure(Speaking(pairs.pictures(range(8))))
    assert measured.follow is measured.own_motion is measured.swapped_hue is None


def test_pieces_of_a_clip_are_one_clip():
    """As they come from shards: each stretch of a clip has a sound of its own."""
    pairs = toy_pairs(range(50, 52))
    pieces = replace(
        pairs,
        clip_ids=["toy-50", "toy-50", "toy-51", "toy-51"],
        clip_N=np.arange(16) // 4,
        sounds=[pairs.sounds[0], pairs.sounds[0], pairs.sounds[1], pairs.sounds[1]],
    )
    made = pairs.pictures(range(len(pairs))).roll(1, 0)
    whole, parts = (held_out(each).measure(Speaking(made)) for each in (pairs, pieces))
    assert parts.own_brightness == whole.own_brightness
    assert parts.follow == pytest.approx(whole.follow)


def test_sound_images_are_measured_without_what_only_pictures_have():
    pairs = toy_pairs(range(50, 52))
    truth = pairs.sound_images(range(len(pairs)))
    measured = held_out(pairs, "picture-to-sound").measure(Speaking(truth))
    assert measured.l1 == 0
    assert measured.ms_ssim == pytest.approx(1, abs=1e-3)
    assert measured.sharpness is measured.follow is None


def test_a_sheet_shows_clips_it_never_saw_and_below_them_two_it_knows():
    training, pairs = toy_pairs(range(3)), toy_pairs(range(50, 52))
    shown = held_out(pairs, sound_channels=3).examples(Speaking(torch.zeros(6, 3, 64, 64)), 4)
    assert shown.labels == [
        *("toy-50  1.50 s", "toy-50  3.50 s", "toy-51  1.50 s", "toy-51  3.50 s"),
        *("trained on: toy-0  3.50 s", "trained on: toy-2  1.50 s"),
    ]
    assert torch.equal(shown.truth_BCHW[:4], pairs.pictures([2, 6, 10, 14]))
    assert torch.equal(shown.truth_BCHW[4:], training.pictures([6, 18]))
    assert torch.equal(shown.x_BCHW[4:, 2:], training.sound_images([6, 18]))
    assert shown.y_BCHW.shape == shown.truth_BCHW.shape


def test_where_no_clip_is_held_out_all_rows_are_trained_on():
    shown = held_out(NONE).examples(Speaking(torch.zeros(4, 3, 64, 64)), 4)
    assert len(shown.labels) == 4
    assert not any("trained on" in label for label in shown.labels)
