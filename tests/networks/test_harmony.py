"""The fine structure of spectra: free of level and broad shape, and kept in bytes."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.networks.harmony import (
    STRETCHES,
    as_bytes,
    from_bytes,
    harmony_at,
    harmony_map,
    harmony_of,
    image_harmony,
)


def partials(rows: int = 256, every: int = 12) -> torch.Tensor:
    """A comb of partials in a falling spectrum: 1 x rows x 1."""
    level_S = torch.linspace(-0.8, 0.4, rows)
    level_S[::every] += 0.4
    return level_S[None, :, None]


@given(st.floats(-0.5, 0.5), st.floats(0.5, 1.5), st.floats(-0.3, 0.3))
@settings(deadline=None)
def test_level_and_broad_shape_make_no_difference(louder: float, deeper: float, tilt: float):
    level = partials()
    changed = louder + deeper * level + tilt * torch.linspace(-1, 1, 256)[None, :, None]
    inside = slice(14, -14)  # at both ends a tilt looks like a step
    plain, other = harmony_of(level)[:, inside], harmony_of(changed)[:, inside]
    alike = torch.corrcoef(torch.stack([plain.flatten(), other.flatten()]))[0, 1]
    assert alike > 0.99
    assert 0.6 < float(other.std() / plain.std()) < 1.6


def test_partials_stand_out_where_they_are():
    pattern = harmony_of(partials())[0, :, 0]
    assert (pattern[12:-12:12] > 1).all()
    assert pattern[6:-6:12].max() < 0


def test_silence_and_even_noise_have_no_harmony():
    assert not harmony_of(torch.full((1, 256, 3), -1.0)).any()
    noise = 0.005 * torch.randn(1, 256, 3, generator=torch.Generator().manual_seed(0))
    assert harmony_of(noise).abs().mean() < 0.15


def test_stretches_are_of_their_own_columns():
    image = torch.full((1, 1, 256, 256), -0.5)
    image[..., 64:128] = partials()[None]
    harmony = image_harmony(image)
    assert harmony.shape == (1, 256, STRETCHES)
    assert harmony[0, :, 1].abs().mean() > 0.3
    assert not harmony[0, :, [0, 2, 3]].any()


def test_bytes_keep_a_pattern_within_half_a_step():
    pattern = torch.linspace(-3.9, 3.9, 500)
    assert (from_bytes(as_bytes(pattern)) - pattern).abs().max() <= 1 / 64 + 1e-6


def test_a_map_has_the_rows_means():
    harmony = harmony_of(partials().expand(-1, -1, STRETCHES))
    laid = harmony_map(harmony, 64, 32)
    assert laid.shape == (1, 1, 64, 32)
    assert torch.allclose(laid[0, 0, :, 5], harmony[0, :, 0].view(64, 4).mean(1), atol=1e-6)


def test_a_clip_without_memory_has_no_harmony():
    kept_QS = torch.full((3, 16), 200, dtype=torch.uint8)
    found = harmony_at(kept_QS, torch.tensor([0, 0, 1]), 2, torch.tensor([0.0, 1.5]))
    assert found.shape == (2, 16, STRETCHES)
    assert not found.any()
