"""`score`: what it sees, in which order, and that a sound image depends on nothing else."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.errors import ModelError
from soundreel.networks.bundle import load_model, save_model
from soundreel.networks.score import Score, sound_sizes
from soundreel.networks.score_judge import ScoreJudge
from soundreel.networks.score_losses import onset_l1
from soundreel.networks.score_voices import (
    SoundCue,
    average_voice,
    clips_voice,
    nearest_clips,
    stretch_seconds,
)
from soundreel.recipe import recipe_from

ARGUMENTS = {
    "sound_size": 64,
    "frames": 5,
    "step": "1/10",
    "side": 64,
    "width": 4,
    "clips": 3,
    "harmonies": 8,
    "looks": 3,
}


def score() -> Score:
    torch.manual_seed(0)
    return Score(**ARGUMENTS).eval().requires_grad_(False)


def frames(seed: int, count: int = 1, number: int = 5) -> torch.Tensor:
    drawn = torch.Generator().manual_seed(seed)
    return torch.rand(count, number, 3, 64, 64, generator=drawn) * 2 - 1


@given(st.sampled_from([16, 32, 64, 128, 256, 512]))
@settings(deadline=None)
def test_sizes_grow_to_the_sound_image(size: int) -> None:
    sizes = sound_sizes(size)
    assert sizes[0][0] == 4
    assert sizes[-1] == (size, size // 2)
    for (rows, columns), (more, wider) in itertools.pairwise(sizes):
        assert more == 2 * rows
        assert wider in (columns, 2 * columns)


def harmony(count: int) -> torch.Tensor:
    return torch.randn(count, 64, 4, generator=torch.Generator().manual_seed(9))


def test_a_side_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(ValueError, match="100"):
        Score(**{**ARGUMENTS, "sound_size": 100})


def test_a_sound_image_depends_on_its_own_frames_alone() -> None:
    network = score()
    y_BF3HW = frames(1, 4)
    voice_BV = network.voice_NV
    together = network(y_BF3HW, voice_BV, harmony(4))
    alone = torch.cat(
        [network(y_BF3HW[n : n + 1], voice_BV[n : n + 1], harmony(4)[n : n + 1]) for n in range(4)]
    )
    assert together.shape == (4, 1, 64, 64)
    assert torch.allclose(together, alone, atol=1e-5)


def test_voices_sound_different_and_the_average_is_the_last() -> None:
    network = score()
    y_BF3HW = frames(1).expand(4, -1, -1, -1, -1)
    made = network(y_BF3HW, network.voice_NV, harmony(4)[:1].expand(4, -1, -1))
    assert network.average_voice == 3
    assert (made[0] - made[3]).abs().max() > 1e-4


def test_what_is_seen_late_sounds_late() -> None:
    """Another newest frame changes the newest columns most; another oldest frame the oldest."""
    torch.manual_seed(0)
    network = Score(**{**ARGUMENTS, "frames": 24}).eval().requires_grad_(False)
    y_BF3HW = frames(2, number=24)
    plain = network(y_BF3HW, network.voice_NV[:1], harmony(1))
    late = {}
    for place in (0, 23):
        changed = y_BF3HW.clone()
        changed[:, place] = 1 - changed[:, place]
        moved_S = (
            (network(changed, network.voice_NV[:1], harmony(1)) - plain).square().mean((0, 1, 2))
        )
        late[place] = float(moved_S[48:].sum() / moved_S.sum())
    # Less than all, as the style has seen all frames.
    assert late[23] > 2 * late[0]


def test_it_sees_what_moves() -> None:
    network = score()
    still = frames(4)[:, :1].expand(-1, 5, -1, -1, -1)
    seen_BDF = network.see(still)
    assert torch.allclose(seen_BDF, seen_BDF[..., :1].expand_as(seen_BDF), atol=1e-5)
    moving = still.clone()
    moving[:, 3] = still[:, 3].roll(5, -1)
    assert not torch.allclose(network.see(moving)[..., 4], seen_BDF[..., 4], atol=1e-4)


def test_the_judge_knows_rows_apart_and_voices() -> None:
    torch.manual_seed(0)
    judge = ScoreJudge(8, 3)
    image = frames(5)[:, 0, :1]
    heard = judge(image, torch.tensor([0]))
    assert heard.score_BP.shape == (1, 16)
    assert len(heard.maps) == 4
    flipped = judge(image.flip(2), torch.tensor([0]))
    assert not torch.allclose(heard.score_BP.mean(), flipped.score_BP.mean(), atol=1e-5)
    other = judge(image, torch.tensor([1]))
    assert not torch.allclose(heard.score_BP, other.score_BP)


def test_onsets_count_where_levels_do_not() -> None:
    """An image that is softer all over has the same rises; one whose drum is left out has not."""
    truth = torch.full((1, 1, 64, 64), -1.0)
    truth[..., 30:34] = 0.5
    assert float(onset_l1(truth, truth)) == 0
    assert float(onset_l1(truth - 0.4, truth)) == pytest.approx(0, abs=1e-6)
    without = torch.full_like(truth, -1.0)
    late = truth.roll(3, -1)
    assert float(onset_l1(without, truth)) > 0.01
    assert float(onset_l1(late, truth)) > 0.01


def test_a_saved_model_composes_what_the_network_does(tmp_path: Path) -> None:
    network = score()
    recipe = recipe_from(
        "mel", sound_image_size=64, window_samples=2_048 + 63 * 245, picture_size=64
    )
    learnt = {"looks": ["a", "b", "c"]}
    save_model(
        tmp_path / "m", network, ARGUMENTS, recipe, "picture-to-sound", {}, learnt=learnt, half=True
    )
    model = load_model(tmp_path / "m", "fp32", "cpu")
    assert model.architecture == "score"
    assert model.looks == ("a", "b", "c")
    before = [float(seconds) for seconds in model.seen_before_seconds]
    assert before == pytest.approx([0.4, 0.3, 0.2, 0.1, 0])
    y_BF3HW = frames(6, 2)
    made = model.sound_images(y_BF3HW, [0, 0])
    voice_BV = network.voice_NV[-1:].expand(2, -1)
    expected = network(y_BF3HW, voice_BV, torch.zeros(2, 64, 4)).clamp(-1, 1)
    assert made.shape == (2, 1, 64, 64)
    assert torch.allclose(made, expected, atol=5e-3)  # half precision on disk
    own = model.sound_images(y_BF3HW, [0, 0], SoundCue(network.voice_NV[[0, 1]], harmony(2)))
    assert not torch.allclose(own, made, atol=1e-4)
    with pytest.raises(ModelError, match="picture-to-sound model"):
        model.pictures(torch.zeros(1, 1, 64, 64), [0])
    assert "score" in (tmp_path / "m" / "README.md").read_text()


RECIPE = recipe_from("mel", sound_image_size=64, window_samples=2_048 + 63 * 245, picture_size=64)


def test_a_harmony_is_told_where_its_partials_stand() -> None:
    """With another harmony the same frames make another pattern of rows, in all columns."""
    network = score()
    y_BF3HW = frames(1)
    voice_BV = network.voice_NV[:1]
    made = [network(y_BF3HW, voice_BV, harmony(2)[n : n + 1]) for n in (0, 1)]
    assert (made[0] - made[1]).abs().amax((0, 1, 2)).min() > 1e-5


def test_a_film_plays_its_clips_harmony_in_time_and_round_again() -> None:
    network = score()
    kept_QS = torch.randint(0, 256, (8, 64), generator=torch.Generator().manual_seed(3))
    network.harmony_QS.copy_(kept_QS)
    network.harmony_clip_Q.copy_(torch.tensor([0, 0, 0, 1, 1, 1, 1, 1]))
    voice = clips_voice(network, {1: 0.7, 0: 0.3})
    long = stretch_seconds(RECIPE)
    window = RECIPE.window_samples / RECIPE.sample_rate_hz
    cue = voice.cue(
        network, RECIPE, [window, window + long, window + 5 * long, window + 1.9 * long]
    )
    kept = (kept_QS[3:].float() - 128) / 32
    assert torch.equal(cue.harmony_BSG[0], kept[[0, 1, 2, 3]].T)
    assert torch.equal(cue.harmony_BSG[1], kept[[1, 2, 3, 4]].T)
    assert torch.equal(cue.harmony_BSG[2], cue.harmony_BSG[0])
    assert torch.equal(cue.harmony_BSG[3], kept[[2, 3, 4, 0]].T)
    mixture = 0.7 * network.voice_NV[1] + 0.3 * network.voice_NV[0]
    assert torch.allclose(cue.voice_BV[0], mixture)
    silent = average_voice(network).cue(network, RECIPE, [1.0])
    assert not silent.harmony_BSG.any()
    assert torch.equal(silent.voice_BV[0], network.voice_NV[-1])


def test_the_nearest_clip_is_the_one_that_was_seen() -> None:
    network = score()
    y_BF3HW = torch.stack([frames(n)[0] * 0.2 + level for n, level in enumerate((-0.8, 0, 0.8))])
    seen_BD = network.see(y_BF3HW).mean(2)
    network.seen_PD.copy_(seen_BD)
    network.seen_clip_P.copy_(torch.tensor([2, 0, 1]))
    network.seen_scale_D.copy_(seen_BD.std(0) + 1e-3)
    again = y_BF3HW + 0.02 * frames(11)
    assert nearest_clips(network, again).tolist() == [2, 0, 1]
