"""Signs of a training that goes wrong: in rows made up, and in trainings made to go wrong."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.dataset.loading import Pairs
from soundreel.training.batches import Batches
from soundreel.training.run import train_on_pairs
from soundreel.training.signs import explodes, warnings_of
from soundreel.training.source import InMemory
from soundreel.training.step import Networks
from toy_pairs import toy_pairs, toy_settings

WINS, DEAF, BY_HEART = "discriminator wins", "hardly depend", "by heart"
HOLLOW = "holds for its own clips only"


def row(step: int, **changes: Any) -> dict[str, Any]:
    """A row of a training that goes well."""
    values: dict[str, Any] = {
        "step": step,
        "epoch": step / 40,
        "discriminator_loss": 1.0,
        "adversarial_loss": 1.2,
        "l1_loss": 0.3 - 0.01 * step,
        "measured_on": "held-out",
        "l1": 0.3 - 0.005 * step,
        "mean_l1": 0.28,
        "ms_ssim": 0.3,
        "sharpness": 0.5,
        "sensitivity": 0.4,
    }
    return {**values, **changes}


def rows_with(name: str, *values: float | None, **others: Any) -> list[dict[str, Any]]:
    return [row(step, **{name: value, **others}) for step, value in enumerate(values, 1)]


def losses(*pairs: tuple[float | None, float | None]) -> list[dict[str, Any]]:
    return [
        row(step, discriminator_loss=seen, adversarial_loss=fooled)
        for step, (seen, fooled) in enumerate(pairs, 1)
    ]


def test_a_training_that_goes_well_warns_of_nothing():
    rows = [row(step) for step in range(1, 20)]
    assert [warnings_of(rows[:count]) for count in range(20)] == [[]] * 20


def test_a_discriminator_that_wins_three_times_in_a_row_is_named_with_advice():
    won, even = (0.02, 5.0), (0.9, 1.5)
    [said] = warnings_of(losses(even, won, won, won))
    assert WINS in said
    assert "0.02" in said
    assert "discriminator_learning_rate" in said
    assert warnings_of(losses(even, won, won)) == []
    assert warnings_of(losses(won, won, even, won, won)) == []
    assert warnings_of(losses(won, won, won, even)) == []


@pytest.mark.parametrize(
    "other",
    [
        (0.0, 0.0),  # no discriminator at all
        (0.02, 2.0),  # the generator still fools it
        (0.3, 5.0),  # it is still wrong about the real
        (None, None),
        (0.02, None),
    ],
)
def test_neither_loss_alone_nor_none_says_that_the_discriminator_wins(other):
    assert warnings_of(losses(other, other, other, other)) == []


def test_pictures_that_no_longer_depend_on_the_input_are_named():
    [said] = warnings_of(rows_with("sensitivity", 0.3, 0.002, 0.001))
    assert DEAF in said
    assert "0.10 %" in said
    assert warnings_of(rows_with("sensitivity", 0.001, 0.001)) == []  # the first may be so
    assert warnings_of(rows_with("sensitivity", 0.001, 0.001, 0.2)) == []
    assert warnings_of(rows_with("sensitivity", 0.3, 0.001, 0.05)) == []
    assert warnings_of(rows_with("sensitivity", 0.3, None, 0.001)) == []
    assert warnings_of(rows_with("sensitivity", 0.0, 0.0, 0.0)) != []


def test_held_out_pictures_that_get_worse_while_training_gets_better_are_named():
    turning = (0.30, 0.25, 0.26, 0.262, 0.27)
    [said] = warnings_of(rows_with("l1", *turning))
    assert BY_HEART in said
    assert "8 % worse than at step 2" in said
    assert warnings_of(rows_with("l1", *turning[:4])) == []  # too soon
    assert warnings_of(rows_with("l1", 0.30, 0.25, 0.26, 0.251, 0.27)) == []  # up and down
    assert warnings_of(rows_with("l1", 0.30, 0.25, 0.255, 0.254, 0.256)) == []  # 2 %
    assert warnings_of(rows_with("l1", *turning, measured_on="training")) == []
    assert warnings_of(rows_with("l1", *turning, l1_loss=0.2)) == []  # training stands still too
    assert warnings_of(rows_with("l1", *turning, l1_loss=None)) == []


def test_pictures_no_nearer_than_the_mean_where_training_has_learnt_are_named():
    # The rows of 400 epochs of real clips: held-out L1 does not turn, it never was good.
    flat = {"mean_l1": 0.42, "l1_loss": 0.12}
    [said] = warnings_of(rows_with("l1", 0.45, 0.446, 0.449, 0.451, **flat))
    assert HOLLOW in said
    assert "0.12 on those, 0.45 on clips it never saw, where the mean picture has 0.42" in said
    assert warnings_of(rows_with("l1", 0.45, 0.446, **flat)) == []  # too soon
    assert warnings_of(rows_with("l1", 0.45, 0.446, 0.41, 0.45, **flat)) == []  # once nearer
    assert warnings_of(rows_with("l1", 0.45, 0.446, 0.449, mean_l1=0.42, l1_loss=0.3)) == []
    stored = warnings_of(rows_with("l1", 0.45, 0.446, 0.449, **flat, measured_on="training"))
    assert stored == []


def test_more_than_one_thing_can_be_wrong():
    wrong = {"discriminator_loss": 0.01, "adversarial_loss": 7.0, "sensitivity": 0.001}
    said = warnings_of(rows_with("l1", 0.25, 0.3, 0.31, 0.32, **wrong))
    assert [any(sign in line for line in said) for sign in (WINS, DEAF, BY_HEART)] == [True] * 3


@given(
    level=st.floats(0.05, 0.6),
    noise=st.floats(0, 0.5),
    seed=st.integers(0, 99),
)
@settings(max_examples=50, deadline=None)
def test_noise_is_no_explosion(level, noise, seed):
    rng = np.random.default_rng(seed)
    recent = level * (1 + noise * rng.standard_normal(20).clip(-2, 4))
    assert not explodes(list(recent), [level * 1.5, level * 1.1, level, level])


def test_a_loss_far_beyond_what_it_was_is_an_explosion():
    assert explodes([0.9] * 20, [0.5, 0.25, 0.2])
    assert explodes([float("inf")], [0.2])
    assert not explodes([0.09] * 20, [0.5, 0.03, 0.02, 0.02])  # good enough still
    assert not explodes([0.9] * 20, [0.8, 0.6, 0.5])  # never was much better
    assert not explodes([0.9] * 20, [])
    assert not explodes([], [0.2])
    # What it was is what it was of late, not at its worst.
    assert explodes([0.9] * 20, [2.0] * 6 + [0.2] * 5)


PLAIN = {"gain_db": 0, "time_mask": 0, "band_mask": 0, "dropout": 0, "schedule": "constant"}


def warned(
    out: Path, pairs: Pairs, held_out: Pairs, every: int, steps: int, **changes: Any
) -> list[str]:
    """What the rows of a real training warned of, one string a row."""
    looks = {"measure_every": every, "checkpoint_every": steps, "sheet_every": steps}
    wanted = toy_settings(**{**PLAIN, **looks, "steps": steps, **changes})
    train_on_pairs(pairs, held_out, out, wanted, "toy", "sound-to-picture", device="cpu")
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [" ".join(row["warnings"]) for row in rows]


def silent(pairs: Pairs) -> Pairs:
    return replace(pairs, sounds=[np.zeros_like(sound) for sound in pairs.sounds])


def shuffled(pairs: Pairs, seed: int) -> Pairs:
    """Each sound with the picture of another: nothing is there to be learnt but by heart."""
    order = np.random.default_rng(seed).permutation(len(pairs))
    return replace(pairs, frames_N3HW=pairs.frames_N3HW[order])


def test_a_healthy_training_warns_of_nothing(tmp_path):
    changes = {"width": 12, "batch": 4, "learning_rate": 1e-3}
    said = warned(tmp_path, toy_pairs(range(3)), toy_pairs(range(50, 52), 4), 15, 45, **changes)
    assert said == ["", "", ""]


def test_a_discriminator_that_learns_far_faster_wins(tmp_path):
    changes = {
        "learning_rate": 1e-6,
        "discriminator_learning_rate": 2e-3,
        "discriminator_width": 16,
    }
    said = warned(tmp_path, toy_pairs(range(2)), toy_pairs(range(50, 52), 4), 10, 50, **changes)
    assert WINS not in said[0]
    assert WINS in said[-1]


def test_a_generator_that_hears_only_silence_does_not_depend_on_it(tmp_path):
    pairs, held_out = silent(toy_pairs(range(2))), silent(toy_pairs(range(50, 52), 4))
    said = warned(tmp_path, pairs, held_out, 4, 12)
    assert [DEAF in line for line in said] == [False, False, True]


def test_a_few_pairs_and_many_steps_are_learnt_by_heart(tmp_path):
    changes = {"gan_weight": 0, "width": 12, "batch": 4, "learning_rate": 2e-3}
    pairs, held_out = shuffled(toy_pairs(range(1)), 0), shuffled(toy_pairs(range(50, 54), 6), 1)
    said = warned(tmp_path, pairs, held_out, 10, 100, **changes)
    assert not any(BY_HEART in line for line in said[:4])
    assert BY_HEART in said[-1]
    assert HOLLOW in said[-1]


@pytest.mark.slow
def test_a_generator_ruined_by_its_learning_rate_explodes_and_before_it_does_not():
    began = toy_settings(**PLAIN, width=8, batch=4, learning_rate=2e-3, gan_weight=0)
    networks = Networks(began, "sound-to-picture", "fp32", torch.device("cpu"))
    batches = Batches(InMemory(toy_pairs(range(3)), 0), began, "sound-to-picture")

    def twenty(first: int) -> float:
        steps = range(first, first + 20)
        return float(np.mean([networks.step(n, 1000, batches.batch(n))[-1] for n in steps]))

    rows = [twenty(first) for first in range(0, 140, 20)]
    assert not any(explodes([mean], rows[:n]) for n, mean in enumerate(rows))
    networks.settings = began.model_copy(update={"learning_rate": 1.0})
    assert explodes([twenty(140)], rows)
