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
    frames_within,
    in_other_light,
    runs_of_frames,
    shot_ends,
)
from soundreel.training.presets import Training
from soundreel.training.ranks import Alone
from soundreel.training.shot_tones import shot_tones
from soundreel.training.source import InMemory
from toy_pairs import toy_pairs, toy_settings


def reel_settings(**changes: Any) -> Training:
    return toy_settings(**{"architecture": "reel", "batch": 2, **changes})


def batches_of(
    pairs: Pairs, shot_N: np.ndarray | None = None, rank: int = 0, count: int = 1, **changes: Any
) -> MomentBatches:
    shot_N = pairs.clip_N if shot_N is None else shot_N
    settings, ranks = reel_settings(**changes), Alone(rank, count)
    tone_N4 = shot_tones(pairs, shot_N)
    source = InMemory(pairs, 0)
    return MomentBatches(source, settings, shot_N, tone_N4, (36, 64), (18, 32), 14, ranks)


def test_a_moment_is_a_frame_and_those_after_it_in_the_same_shot() -> None:
    shot_N = np.repeat([0, 1, 2], 5)
    run_NF = runs_of_frames(shot_N, 3)
    assert run_NF.shape == (15, 3)
    assert (shot_N[run_NF] == shot_N[:, None]).all()
    assert (np.diff(run_NF, axis=1) == 1).all()
    assert run_NF[0].tolist() == [0, 1, 2]
    assert run_NF[4].tolist() == [2, 3, 4]  # the shot's last: those before it


def test_in_a_short_shot_a_frame_stands_still() -> None:
    run_NF = runs_of_frames(np.array([0, 0, 0, 1]), 2)
    assert run_NF.tolist() == [[0, 1], [1, 2], [1, 2], [3, 3]]
    assert runs_of_frames(np.array([0, 0, 0, 1]), 4)[0].tolist() == [0, 1, 2, 2]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8))
def test_every_pair_knows_the_ends_of_its_shot(lengths: list[int]) -> None:
    shot_N = np.repeat(np.arange(len(lengths)), lengths)
    first_N, last_N = shot_ends(shot_N)
    for index, shot in enumerate(shot_N):
        of_shot = np.flatnonzero(shot_N == shot)
        assert (first_N[index], last_N[index]) == (of_shot[0], of_shot[-1])


def test_reference_frames_are_of_the_same_shot_and_near() -> None:
    pairs = toy_pairs(range(2), count=8)
    # Each frame is one grey, by its number: so a picture tells which frame it is of.
    grey_N = np.arange(len(pairs)).astype(np.uint8) * 10
    frames = np.broadcast_to(grey_N[:, None, None, None], pairs.frames_N3HW.shape)
    numbered = type(pairs)(**{**vars(pairs), "frames_N3HW": frames})
    shot_N = np.repeat(np.arange(4), 4)
    plain = {"reference_light": 0.0, "zoom": 0.0, "mirror": False, "reference_seconds": 0.5}
    batches = batches_of(numbered, shot_N, reel=plain, batch=4)
    for step in range(8):
        batch = batches.batch(step)
        first_M = ((batch.truth_B3HW[::2, 0, 0, 0] + 1) * 12.75).round().long().numpy()
        reference_MQ = ((batch.reference_MQ3HW[:, :, 0, 0, 0] + 1) * 12.75).round().long().numpy()
        assert (shot_N[reference_MQ] == shot_N[first_M][:, None]).all()
        assert (np.abs(reference_MQ - first_M[:, None]) <= 1 + 2).all()
        assert (np.diff(reference_MQ, axis=1) >= 0).all()
        assert (np.diff(reference_MQ, axis=1) <= 1).all()


def test_frames_within_a_time_are_counted_by_the_usual_step() -> None:
    pairs = toy_pairs(range(2), count=8)  # two a second
    assert frames_within(pairs, 1.0) == 2
    assert frames_within(pairs, 0.2) == 0
    assert frames_within(toy_pairs(range(1), count=1), 1.0) == 0


def test_a_tone_is_how_a_shot_differs_from_its_clip_in_colour_and_contrast() -> None:
    pairs = toy_pairs(range(1), count=6)
    red_N = np.array([0, 51, 102, 255, 255, 255], np.uint8)  # -1, -.6, -.2; 1
    frames = np.zeros_like(pairs.frames_N3HW)
    frames[:, 0] = red_N[:, None, None]
    frames[3:, 2, :, : frames.shape[-1] // 2] = 255  # half of the second shot is blue
    striped = type(pairs)(**{**vars(pairs), "frames_N3HW": frames})
    shot_N = np.array([0, 0, 0, 1, 1, 1])
    tone_N4 = shot_tones(striped, shot_N).numpy()
    first, second = np.array([-0.6, -1, -1, 0]), np.array([1, -1, 0, np.sqrt(1 / 3)])
    assert np.allclose(tone_N4[:3], (first - second) / 2, atol=1e-3)
    assert np.allclose(tone_N4[3:], (second - first) / 2, atol=1e-3)
    moments = batches_of(striped, shot_N, batch=6).batch(0)
    shown = moments.truth_B3HW[::2].mean((2, 3))[:, 0] > 0.5
    assert torch.equal(moments.tone_MT[:, 0] > 0, shown)


def test_other_light_changes_level_and_colour_and_not_the_layout() -> None:
    picture = torch.rand(1, 2, 3, 8, 8) * 0.5 - 1  # dark enough that nothing is cut off
    lit = in_other_light(picture, 0.3, [np.random.default_rng(0)])
    gain = (lit + 1) / (picture + 1)
    per_colour = gain[0, 0].flatten(1)
    assert torch.allclose(gain[0, 0], gain[0, 1], atol=1e-3)
    assert (per_colour.std(1) < 1e-4).all()
    assert ((gain > 0.7 * 0.85) & (gain < 1.3 * 1.15)).all()
    assert per_colour[:, 0].std() > 1e-3
    assert torch.equal(in_other_light(picture, 0.0, [np.random.default_rng(0)]), picture)


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
    parts = [batches_of(pairs, rank=rank, count=2, batch=4).batch(3) for rank in (0, 1)]
    for name in Moments.__dataclass_fields__:
        joined = torch.cat([getattr(part, name) for part in parts])
        assert torch.equal(joined, getattr(whole, name)), name


def test_shards_are_refused_in_one_line() -> None:
    class Elsewhere:
        recipe = toy_pairs(range(1)).recipe

    with pytest.raises(SettingsError, match="neighbouring frames") as told:
        MomentBatches(
            Elsewhere(),  # pyright: ignore[reportArgumentType]  # it is refused before its pairs are asked for
            reel_settings(),
            np.zeros(1),
            torch.zeros(1, 4),
            (36, 64),
            (18, 32),
            14,
        )
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
