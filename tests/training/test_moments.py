"""The moments that `reel` learns from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from soundreel.dataset.loading import Pairs
from soundreel.errors import SettingsError
from soundreel.training.moments import (
    MomentBatches,
    Moments,
    crop_box,
    framed,
    in_other_light,
    reference_ranges,
    runs_of_frames,
)
from soundreel.training.presets import Training
from soundreel.training.ranks import Alone
from soundreel.training.source import InMemory
from toy_pairs import toy_pairs, toy_settings


def reel_settings(**changes: Any) -> Training:
    return toy_settings(**{"architecture": "reel", "batch": 2, **changes})


def test_a_moment_is_a_frame_and_those_after_it_in_the_same_clip() -> None:
    pairs = toy_pairs(range(3), count=5)
    run_NF = runs_of_frames(pairs, 3)
    assert run_NF.shape == (15, 3)
    assert (pairs.clip_N[run_NF] == pairs.clip_N[:, None]).all()
    assert (np.diff(run_NF, axis=1) == 1).all()
    assert run_NF[0].tolist() == [0, 1, 2]
    assert run_NF[4].tolist() == [2, 3, 4]  # the clip's last: those before it


def test_next_to_a_gap_a_frame_stands_still() -> None:
    pairs = toy_pairs(range(1), count=6).take([0, 1, 2, 5])
    run_NF = runs_of_frames(pairs, 2)
    assert run_NF.tolist() == [[0, 1], [1, 2], [1, 2], [3, 3]]
    assert runs_of_frames(pairs, 4)[0].tolist() == [0, 1, 2, 2]


def test_reference_frames_are_of_the_same_clip_and_near() -> None:
    pairs = toy_pairs(range(4), count=7)
    first_N, last_N = reference_ranges(pairs, 1.0)
    for index, (first, last) in enumerate(zip(first_N, last_N, strict=True)):
        near = np.flatnonzero(
            (pairs.clip_N == pairs.clip_N[index])
            & (np.abs(pairs.time_seconds_N - pairs.time_seconds_N[index]) <= 1.0)
        )
        assert (first, last) == (near[0], near[-1])
    alone = reference_ranges(pairs, 0.0)
    assert np.array_equal(alone[0], np.arange(28))
    assert np.array_equal(alone[1], np.arange(28))


def test_other_light_changes_level_and_colour_and_not_the_layout() -> None:
    picture = torch.rand(1, 3, 8, 8) * 0.5 - 1  # dark enough that nothing is cut off
    lit = in_other_light(picture, 0.3, [np.random.default_rng(0)])
    gain = (lit + 1) / (picture + 1)
    per_colour = gain[0].flatten(1)
    assert (per_colour.std(1) < 1e-4).all()
    assert ((gain > 0.7 * 0.85) & (gain < 1.3 * 1.15)).all()
    assert per_colour[:, 0].std() > 1e-3
    assert torch.equal(in_other_light(picture, 0.0, [np.random.default_rng(0)]), picture)


def batches_of(pairs: Pairs, **changes: Any) -> MomentBatches:
    return MomentBatches(InMemory(pairs, 0), reel_settings(**changes), (36, 64), 10)


def test_a_batch_depends_on_its_number_only() -> None:
    pairs = toy_pairs(range(2))
    one, other = batches_of(pairs), batches_of(pairs)
    other.batch(0)
    for first, second in zip(
        vars(one.batch(7)).values(), vars(other.batch(7)).values(), strict=True
    ):
        assert torch.equal(first, second)
    assert not torch.equal(one.batch(7).noise_MZ, one.batch(8).noise_MZ)


def test_frames_of_a_moment_hear_alike_altered_sound() -> None:
    pairs = toy_pairs(range(1))
    plain = batches_of(pairs, gain_db=0, time_mask=0, band_mask=0, batch=4).batch(0)
    louder = batches_of(pairs, gain_db=20, time_mask=0, band_mask=0, batch=4).batch(0)
    assert torch.equal(plain.truth_B3HW, louder.truth_B3HW)
    change = (louder.x_B1SS - plain.x_B1SS).unflatten(0, (4, 2)).flatten(2).median(-1).values
    assert torch.allclose(change[:, 0], change[:, 1], atol=1e-3)
    assert change[:, 0].std() > 0.01
    masked = batches_of(pairs, gain_db=0, time_mask=0.4, band_mask=0, batch=4).batch(0)
    silent = (masked.x_B1SS == -1).all(2).squeeze(1).unflatten(0, (4, 2))  # whole columns
    assert torch.equal(silent[:, 0], silent[:, 1])
    assert silent.any()


def test_moments_of_several_processes_are_those_of_one() -> None:
    pairs = toy_pairs(range(2))
    whole = batches_of(pairs, batch=4).batch(3)
    parts = [
        MomentBatches(
            InMemory(pairs, 0), reel_settings(batch=4), (36, 64), 10, Alone(rank, 2)
        ).batch(3)
        for rank in (0, 1)
    ]
    for name in Moments.__dataclass_fields__:
        joined = torch.cat([getattr(part, name) for part in parts])
        assert torch.equal(joined, getattr(whole, name)), name


def test_shards_are_refused_in_one_line() -> None:
    class Elsewhere:
        recipe = toy_pairs(range(1)).recipe

    with pytest.raises(SettingsError, match="neighbouring frames") as told:
        MomentBatches(Elsewhere(), reel_settings(), (36, 64), 10)  # pyright: ignore[reportArgumentType]  # it is refused before its pairs are asked for
    assert "\n" not in str(told.value)


def test_framed_pictures_are_the_crop_of_the_picture() -> None:
    ramp = torch.linspace(-1, 1, 64).expand(2, 3, 64, 64)  # lighter to the right
    whole = framed(ramp, [(1.0, 0.3, 0.8)], [False], (64, 64))
    assert torch.equal(whole, ramp)
    assert torch.equal(framed(ramp, [(1.0, 0, 0)], [True], (64, 64)), ramp.flip(-1))
    left, right = (framed(ramp, [(0.75, 0.0, aside)], [False], (32, 48)) for aside in (0.0, 1.0))
    assert left.shape == (2, 3, 32, 48)
    # 48 of 64 columns are kept: as they are, from the first and from the seventeenth on.
    assert torch.allclose(left[0, 0, 5], ramp[0, 0, 0, :48], atol=1e-4)
    assert torch.allclose(right[0, 0, 5], ramp[0, 0, 0, 16:], atol=1e-4)


@given(st.integers(0, 2**31), st.floats(0, 0.49))
def test_crops_stay_within_the_picture(seed: int, zoom: float) -> None:
    kept, down, aside = crop_box(np.random.default_rng(seed), zoom)
    assert 1 - zoom <= kept <= 1
    assert 0 <= down <= 1
    assert 0 <= aside <= 1
