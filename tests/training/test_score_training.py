"""Training a `score` on small pairs whose pictures follow their sound."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from soundreel.dataset.loading import Pairs
from soundreel.errors import SettingsError
from soundreel.networks.bundle import load_model
from soundreel.progress import Step
from soundreel.recipe import recipe_from
from soundreel.training.histories import Seen, Sight, frames_before, heard_recipe, sight_for
from soundreel.training.learner import as_heard, check_score, learner_for
from soundreel.training.presets import Training, training_preset
from soundreel.training.ranks import Alone
from soundreel.training.run import train_on_pairs
from soundreel.training.source import InMemory
from toy_pairs import RECIPE, toy_pairs, toy_settings

CPU = torch.device("cpu")
PLAIN = {"gain_db": 0.0, "time_mask": 0.0, "band_mask": 0.0}


def score_settings(**changes: Any) -> Training:
    values = {"architecture": "score", "width": 4, "discriminator_width": 8, "l1_weight": 3.0}
    return toy_settings(**{**values, **PLAIN, **changes})


def timed_pairs(*seconds_of_clips: list[float]) -> Pairs:
    """Pairs at these times; each frame is of one brightness, its own place."""
    clips = len(seconds_of_clips)
    count = sum(map(len, seconds_of_clips))
    times = np.concatenate([np.array(seconds) for seconds in seconds_of_clips])
    return Pairs(
        recipe=RECIPE,
        clip_ids=[str(clip) for clip in range(clips)],
        frames_N3HW=np.arange(count, dtype=np.uint8)[:, None, None, None]
        * np.ones((1, 3, 64, 64), np.uint8),
        clip_N=np.repeat(np.arange(clips), [len(seconds) for seconds in seconds_of_clips]),
        end_sample_N=np.round(times * 8_000).astype(np.int64),
        time_seconds_N=times,
        sounds=[np.zeros(80_000, np.float32)] * clips,
    )


def test_a_window_sees_the_frames_that_stood_there() -> None:
    pairs = timed_pairs([0.0, 0.1, 0.2, 0.5], [0.0, 0.1])
    found = frames_before(pairs, Sight(3, Fraction(1, 10)))
    assert found.tolist() == [
        [0, 0, 0],
        [0, 0, 1],
        [0, 1, 2],
        [2, 2, 3],  # in the gap the last frame before it stands
        [4, 4, 4],  # never another clip's
        [4, 4, 5],
    ]


@given(
    gaps=st.lists(st.sampled_from([0.1, 0.2, 0.7]), min_size=1, max_size=20),
    frames=st.integers(1, 6),
)
@settings(deadline=None, max_examples=50)
def test_no_frame_of_the_future_is_seen(gaps: list[float], frames: int) -> None:
    times = np.cumsum(gaps).tolist()
    sight = Sight(frames, Fraction(3, 20))
    found = frames_before(timed_pairs(times), sight)
    due = np.array(times)[:, None] - np.array(sight.before_seconds)
    shown = np.array(times)[found]
    assert (shown <= np.maximum(due, times[0]) + 1e-5).all()
    assert found[:, -1].tolist() == list(range(len(times)))


def test_seen_frames_are_the_pairs_own_only_smaller() -> None:
    pairs = timed_pairs([0.0, 0.1, 0.2, 0.5])
    seen = Seen(pairs, Sight(3, Fraction(1, 10)), np.array([2, 3]))
    brightness = (seen.windows(np.array([3, 2])).mean((2, 3, 4)) + 1) * 127.5
    assert brightness.round().tolist() == [[2, 2, 3], [0, 1, 2]]


def test_the_sight_reaches_over_the_window_no_denser_than_the_pairs() -> None:
    pairs = timed_pairs([0.0, 0.25, 0.5])
    window = RECIPE.window_samples / RECIPE.sample_rate_hz
    sparse = sight_for(pairs, 1 / 15)
    assert sparse.step_seconds == Fraction(1, 4)
    dense = sight_for(pairs, 0.3)
    assert float(dense.step_seconds) == pytest.approx(0.3)
    for sight in (sparse, dense):
        assert sight.before_seconds[0] >= window > sight.before_seconds[1]
        assert sight.before_seconds[-1] == 0


def test_another_representation_is_heard_and_all_else_stays() -> None:
    recipe = recipe_from("default", sound_image_size=64, fft_samples=126, segment_samples=126,
                         window_samples=126 + 63 * 245, picture_size=96)  # fmt: skip
    heard = heard_recipe(recipe)
    assert (heard.representation, heard.columns, heard.sound_image_size) == ("mel", 64, 64)
    assert (heard.picture_size, heard.every_seconds) == (96, recipe.every_seconds)
    assert heard_recipe(heard) == heard
    slow = heard_recipe(RECIPE)
    assert slow.mel_high_hz == 4_000  # half of 8 kHz: nothing above can be heard


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    settings = score_settings(steps=45, batch=4, measure_every=15, gan_weight=0.1)
    train_on_pairs(
        toy_pairs(range(4)),
        toy_pairs(range(8, 10)),
        out,
        settings,
        direction="picture-to-sound",
        device="cpu",
    )
    return out


def test_it_learns(trained: Path) -> None:
    rows = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [15, 30, 45]
    assert rows[-1]["l1_loss"] < 0.75 * rows[0]["l1_loss"]
    assert rows[-1]["onsets_loss"] < rows[0]["onsets_loss"]
    assert rows[-1]["own_brightness"] is None  # what only pictures have
    assert (trained / "samples" / "step-00000045.png").is_file()


def test_the_model_hears_mel_and_keeps_its_voices(trained: Path) -> None:
    model = load_model(trained, "fp32")
    assert model.recipe.representation == "mel"
    assert model.direction == "picture-to-sound"
    assert model.looks == ("toy-0", "toy-1", "toy-2", "toy-3")
    assert model.seen_before_seconds[-1] == 0
    steps = {a - b for a, b in itertools.pairwise(model.seen_before_seconds)}
    assert steps == {Fraction(1, 2)}


def test_a_stopped_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    pairs, held_out = toy_pairs(range(2)), toy_pairs(range(8, 10))
    settings = score_settings(steps=6, measure_every=3, checkpoint_every=2)

    def stop_after_three(step: Step) -> None:
        if step.task == "train" and step.done == 3:
            raise KeyboardInterrupt

    def train(out: str, **more: Any) -> dict[str, torch.Tensor]:
        train_on_pairs(
            pairs, held_out, tmp_path / out, settings, direction="picture-to-sound",
            device="cpu", **more,
        )  # fmt: skip
        return load_file(tmp_path / out / "model" / "model.safetensors")

    whole = train("whole")
    with pytest.raises(KeyboardInterrupt):
        train("cut", progress=stop_after_three)
    cut = train("cut")
    assert whole.keys() == cut.keys()
    for name, tensor in whole.items():
        assert torch.equal(tensor, cut[name]), name


def test_every_part_learns_in_a_step() -> None:
    settings = score_settings(batch=4, gan_weight=1.0)
    source, _ = as_heard(InMemory(toy_pairs(range(3)), 0), toy_pairs(range(1)), settings)
    networks, batches = learner_for(source, settings, "picture-to-sound", "fp32", CPU, Alone())
    parts = {"generator": networks.generator, "discriminator": networks.discriminator}
    before = {
        f"{name}.{key}": value.detach().clone()
        for name, part in parts.items()
        for key, value in part.named_parameters()
    }
    for step in range(3):
        losses = networks.step(step, 12, batches.batch(step))
        assert torch.isfinite(losses).all()
    for name, part in parts.items():
        for key, value in part.named_parameters():
            # Of a score's bias the hinge's two halves cancel as long as nothing is beyond it.
            moved = not torch.equal(value, before[f"{name}.{key}"])
            assert moved or key == "score.bias", f"{name}.{key} has not moved"


def test_what_cannot_be_trained_is_said_in_one_line() -> None:
    settings = score_settings()
    source, _ = as_heard(InMemory(toy_pairs(range(2)), 0), toy_pairs(range(1)), settings)
    with pytest.raises(SettingsError, match="--direction picture-to-sound"):
        check_score(source, "sound-to-picture")
    stored = replace(
        toy_pairs(range(1)),
        recipe=RECIPE.model_copy(update={"sound_images": "stored"}),
        sound_images_NSS=np.zeros((8, 64, 64), np.uint8),
    )
    with pytest.raises(SettingsError, match="no sound"):
        check_score(as_heard(InMemory(stored, 0), stored, settings)[0], "picture-to-sound")
    for changes in ({"gain_db": 3.0}, {"jitter_seconds": 0.1}, {"mirror": True}):
        with pytest.raises(SettingsError):
            training_preset("score", **changes)
