"""The generator `reel`, its discriminator and its losses."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from soundreel.networks.reel import LOOK_NUMBERS, Reel
from soundreel.networks.reel_judge import ReelJudge, Scores, discriminator_hinge, generator_hinge
from soundreel.networks.reel_losses import (
    code_divergence,
    feature_l1,
    motion_l1,
    moved_and_cut,
    pyramid_l1,
)
from soundreel.networks.reel_parts import SoundFront, band_edges, halved_sizes, picture_tones


def small_reel(**changes: object) -> Reel:
    torch.manual_seed(0)
    arguments = {"rows": 36, "columns": 64, "width": 8, "clips": 3, "references": 5, "tone": True}
    return Reel(**{**arguments, **changes}).eval()  # pyright: ignore[reportArgumentType]


def cues_for(reel: Reel, count: int) -> torch.Tensor:
    return torch.randn(count, reel.cue_numbers, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("rows", "columns"), [(64, 64), (36, 64), (72, 128), (64, 36), (144, 256), (96, 128)]
)
def test_pictures_come_in_the_shape_that_is_asked_for(rows: int, columns: int) -> None:
    reel = small_reel(rows=rows, columns=columns)
    with torch.no_grad():
        y_BCHW = reel(torch.rand(2, 1, 256, 256), cues_for(reel, 2))
    assert y_BCHW.shape == (2, 3, rows, columns)
    assert y_BCHW.abs().max() <= 1
    assert max(reel.code_shape[1:]) == 8


@given(st.integers(16, 600), st.integers(16, 600))
@settings(deadline=None)
def test_sizes_halve_as_stride_two_convolutions_do(rows: int, columns: int) -> None:
    sizes = halved_sizes(rows, columns)
    assert sizes[-1] == (rows, columns)
    assert 3 <= max(sizes[0]) <= 4
    conv = nn.Conv2d(1, 1, 3, 2, 1)
    for smaller, larger in itertools.pairwise(sizes):
        assert conv(torch.zeros(1, 1, *larger)).shape[-2:] == smaller


def test_a_picture_does_not_depend_on_its_batch() -> None:
    reel = small_reel().double()
    x_B1SS = torch.rand(3, 1, 256, 256, dtype=torch.float64)
    cue_BK = cues_for(reel, 3).double()
    with torch.no_grad():
        together = reel(x_B1SS, cue_BK)
        alone = torch.cat([reel(x_B1SS[n : n + 1], cue_BK[n : n + 1]) for n in range(3)])
    assert torch.allclose(together, alone, atol=1e-12)


def test_sound_look_and_layout_each_change_the_picture() -> None:
    reel = small_reel()
    x_B1SS, cue_BK = torch.rand(1, 1, 256, 256) * 2 - 1, cues_for(reel, 1)
    other_look, other_layout = cue_BK.clone(), cue_BK.clone()
    other_look[:, :LOOK_NUMBERS] += 1
    other_layout[:, LOOK_NUMBERS:] += 1
    with torch.no_grad():
        picture = reel(x_B1SS, cue_BK)
        for other in (reel(-x_B1SS, cue_BK), reel(x_B1SS, other_look), reel(x_B1SS, other_layout)):
            assert (other - picture).abs().mean() > 1e-3


def test_one_place_of_the_layout_changes_the_picture_there_most() -> None:
    reel = small_reel(rows=64, columns=64)
    x_B1SS, cue_BK = torch.rand(1, 1, 256, 256), cues_for(reel, 1)
    moved = cue_BK.clone()
    # Its mean stays, so the style does: what changes is the map.
    code = moved[:, LOOK_NUMBERS : LOOK_NUMBERS + math.prod(reel.code_shape)]
    code = code.view(1, *reel.code_shape)
    code[:, :, 0, 0] += 2
    code[:, :, 0, 1] -= 2
    with torch.no_grad():
        change_HW = (reel(x_B1SS, moved) - reel(x_B1SS, cue_BK)).abs().mean((0, 1))
    assert change_HW[:24, :24].mean() > 10 * change_HW[48:, 48:].mean()


def test_the_tone_tells_what_the_layout_does_not_see() -> None:
    reel = small_reel()
    picture = torch.rand(1, 3, 36, 64, generator=torch.Generator().manual_seed(3)).round() - 0.9
    otherwise = 0.5 * picture + 0.3
    with torch.no_grad():
        code_2Z = reel.layout_codes(torch.cat([picture, otherwise]))
    assert torch.allclose(code_2Z[0, :-4], code_2Z[1, :-4], rtol=0.2, atol=0.05)
    tone, other = picture_tones(picture), picture_tones(otherwise)
    assert torch.allclose(code_2Z[:, -4:].diff(dim=0), other - tone, atol=1e-6)
    assert torch.allclose(other[:, :3], 0.5 * tone[:, :3] + 0.3, atol=1e-6)
    assert torch.allclose(other[:, 3], 0.5 * tone[:, 3], atol=1e-6)
    x_B1SS, cue_BK = torch.rand(1, 1, 256, 256), cues_for(reel, 1)
    brighter = cue_BK.clone()
    brighter[:, -4:] += 1
    with torch.no_grad():
        assert (reel(x_B1SS, brighter) - reel(x_B1SS, cue_BK)).abs().mean() > 1e-3
    assert small_reel(tone=False).code_numbers == reel.code_numbers - 4


def test_without_cues_the_frame_with_the_nearest_sound_is_taken() -> None:
    reel = small_reel(references=3)
    x_B1SS = torch.rand(3, 1, 256, 256, generator=torch.Generator().manual_seed(2)) * 2 - 1
    with torch.no_grad():
        sounds = reel.sound_codes(x_B1SS)
        reel.reference_sound_RA.copy_(sounds)
        reel.reference_code_RZ.copy_(torch.randn(3, reel.code_numbers))
        reel.reference_clip_R.copy_(torch.tensor([2, 0, 1]))
        code_RZ = reel.references.code_RZ
        wanted = reel.cues(reel.look_NL[[2, 0, 1]], code_RZ)
        assert torch.equal(reel.cues_by_sound(sounds), wanted)
        assert torch.allclose(reel(x_B1SS), reel(x_B1SS, wanted), atol=1e-6)


def test_the_front_hears_a_band_where_it_is_and_the_newest_column_last() -> None:
    front = SoundFront(256, evenly_in_hz=True, low_row_first=False)
    assert (front.bands, front.columns) == (64, 85)
    x_B1SS = torch.zeros(1, 1, 256, 256)
    x_B1SS[..., 255, :] = 1  # the lowest row of a log picture
    assert torch.equal(front(x_B1SS)[0, 0, :, 0].nonzero(), torch.tensor([[0]]))
    x_B1SS = torch.zeros(1, 1, 256, 256)
    x_B1SS[..., -1] = 1
    heard = front(x_B1SS)[0, 0]
    assert torch.allclose(heard[:, -1], torch.full((64,), 1 / 3))
    assert heard[:, :-1].abs().max() == 0
    low_first = SoundFront(256, evenly_in_hz=True, low_row_first=True)
    x_B1SS = torch.zeros(1, 1, 256, 256)
    x_B1SS[..., 0, :] = 1
    assert torch.equal(low_first(x_B1SS)[0, 0, :, 0].nonzero(), torch.tensor([[0]]))


@given(st.integers(16, 512))
def test_bands_share_out_all_rows_once(rows: int) -> None:
    edges = band_edges(rows, min(64, rows))
    assert edges[0] == 0
    assert edges[-1] == pytest.approx(rows)
    assert (edges.diff() > 0.99).all()
    assert (edges.diff().diff() > -1e-9).all()  # never narrower further up


def test_the_judge_knows_its_sound_and_look() -> None:
    torch.manual_seed(3)
    judge = ReelJudge(36, 64, 2, 16, 3, 256, evenly_in_hz=True, low_row_first=False).eval()
    pictures = torch.rand(2, 6, 36, 64) * 2 - 1
    x_B1SS = torch.rand(2, 1, 256, 256) * 2 - 1
    with torch.no_grad():
        seen = judge.see(pictures)
        told = judge.told(x_B1SS, torch.tensor([0, 1]))
        scores = judge.score(seen, told)
        swapped = judge.score(seen, told.flip(0))
    assert scores.whole_B.shape == (2,)
    assert scores.patches_BP.shape[0] == 2
    assert scores.patches_BP.shape[1] > 1
    assert not torch.allclose(scores.whole_B, swapped.whole_B)


@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (144, 256), (64, 36), (16, 16)])
def test_the_judge_takes_every_shape(rows: int, columns: int) -> None:
    judge = ReelJudge(rows, columns, 1, 8, 1, 64, evenly_in_hz=True, low_row_first=False)
    seen = judge.see(torch.zeros(2, 3, rows, columns))
    told = judge.told(torch.zeros(2, 1, 64, 64), torch.tensor([0, 1]))
    assert judge.score(seen, told).whole_B.shape == (2,)


def test_hinge_losses_against_their_formulas() -> None:
    real = Scores(torch.tensor([2.0, 0.0]), torch.tensor([[0.5, 1.5], [1.0, 1.0]]))
    fake = Scores(torch.tensor([-2.0, 0.5]), torch.tensor([[-1.0, -1.0], [0.0, -3.0]]))
    whole = (0 + 1) / 2 + (0 + 1.5) / 2
    patches = (0.5 + 0 + 0 + 0) / 4 + (0 + 0 + 1 + 0) / 4
    assert discriminator_hinge(real, fake) == pytest.approx(0.5 * (whole + patches))
    assert generator_hinge(fake) == pytest.approx(-0.5 * (-0.75 - 1.25))


def test_the_pyramid_forgives_a_shift_more_than_a_wrong_colour() -> None:
    truth = torch.zeros(1, 3, 64, 64)
    truth[..., ::8] = 1
    shifted = truth.roll(1, -1)
    lighter = truth + (shifted - truth).abs().mean()
    assert pyramid_l1(truth, truth) == 0
    full = (shifted - truth).abs().mean()
    assert pyramid_l1(lighter, truth) == pytest.approx(3 * float(full), rel=1e-5)
    assert pyramid_l1(shifted, truth) < 0.6 * pyramid_l1(lighter, truth)


def test_motion_counts_how_much_and_not_where_to() -> None:
    generator = torch.Generator().manual_seed(0)
    first = torch.rand(1, 1, 3, 32, 32, generator=generator)
    step = torch.rand(1, 1, 3, 32, 32, generator=generator)
    there, back = torch.cat([first, first + step], 1), torch.cat([first, first - step], 1)
    still = torch.cat([first, first], 1)
    assert motion_l1(there, back) == pytest.approx(0, abs=1e-6)
    assert motion_l1(still, there) == pytest.approx(float(step.mean()), rel=1e-4)


def test_the_divergence_is_that_of_torchs_own_distributions() -> None:
    generator = torch.Generator().manual_seed(5)
    mean = torch.randn(3, 2, 4, 4, generator=generator)
    log_variance = torch.randn(3, 2, 4, 4, generator=generator)
    found = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, (0.5 * log_variance).exp()),
        torch.distributions.Normal(torch.zeros(()), torch.ones(())),
    )
    wanted = found.flatten(1).sum(1).mean()
    assert code_divergence(mean, log_variance) == pytest.approx(float(wanted), rel=1e-5)


def test_equal_maps_have_no_feature_loss_and_scale_does_not_count() -> None:
    real = [torch.rand(2, 3, 4, 4), torch.rand(2, 5, 2, 2)]
    assert feature_l1(real, real) == 0
    made = [1.5 * m for m in real]
    assert feature_l1(made, real) == pytest.approx(0.5, abs=0.01)


@given(st.integers(0, 2**31), st.integers(16, 40), st.integers(16, 40))
@settings(max_examples=30, deadline=None)
def test_moved_pictures_are_the_same_pictures_elsewhere_with_a_hole(
    seed: int, rows: int, columns: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    pictures = 1 + torch.rand(2, 6, rows, columns, generator=generator)
    drawn = torch.rand(2, 4, generator=generator)
    moved = moved_and_cut(pictures, drawn)
    up, left = int(rows * 0.125), int(columns * 0.125)
    for place in range(2):
        down = int(drawn[place, 0] * (2 * up + 1))
        aside = int(drawn[place, 1] * (2 * left + 1))
        padded = F.pad(pictures[place], (left, left, up, up))
        wanted = padded[:, down : down + rows, aside : aside + columns]
        kept = moved[place] != 0
        assert torch.equal(moved[place][kept], wanted[kept])
        # All channels, so all frames of a moment, have the hole at the same place.
        assert torch.equal(kept, kept[:1].expand_as(kept))
        hole = (~kept[0] & (wanted[0] != 0)).sum()
        assert hole <= int(rows * 0.3) * int(columns * 0.3)


def test_gradients_reach_everything_that_is_learnt() -> None:
    reel = small_reel().train()
    mean, log_variance = reel.layout(torch.rand(2, 3, 36, 64))
    code = torch.cat([(mean + torch.exp(0.5 * log_variance)).flatten(1), torch.rand(2, 4)], 1)
    cue = reel.cues(reel.look_NL[[0, reel.average_look]], code)
    reel(torch.rand(2, 1, 256, 256), cue).square().mean().backward()
    for name, parameter in reel.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
