"""Attribution: what was planted is found where it was planted, and nothing where nothing was."""

import numpy as np
import pytest
from scipy.stats import t as student

from soundreel.evidence import attribution
from soundreel.evidence.attribution import (
    PART_FEATURES,
    muting_effects,
    part_curves,
    part_dependence,
)
from soundreel.evidence.following import within_correlation

NAMES = ("brightness", "hue_cos", "motion_energy")
PARTS = ("drums", "bass", "voice")


def drifting(rng: np.random.Generator, count: int, columns: int, phi: float = 0.8) -> np.ndarray:
    """AR(1) curves of unit variance."""
    noise = rng.standard_normal((count, columns)) * np.sqrt(1 - phi**2)
    x = np.zeros((count, columns))
    for t in range(1, count):
        x[t] = phi * x[t - 1] + noise[t]
    return x


def corpus(seed: int, clips: int = 12, shortest: int = 60, longest: int = 60, fade: float = 4):
    """Curves of three parts and pictures, nothing planted but a fade that all share."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(shortest, longest, clips, endpoint=True)
    both = [
        drifting(rng, length, 9) + fade * np.sin(np.linspace(0, np.pi, length))[:, None]
        for length in lengths
    ]
    parts = {part: [x[:, 2 * k : 2 * k + 2] for x in both] for k, part in enumerate(PARTS)}
    return parts, [x[:, 6:] for x in both]


def test_what_was_planted_is_found_there_and_nowhere_else():
    parts, pictures = corpus(1, clips=16, shortest=80, longest=120)
    for v, picture in enumerate(pictures):
        picture[:, 1] -= 0.8 * parts["bass"][v][:, 0]
    found = part_dependence(parts, pictures, NAMES, seed=3)
    assert found.found() == [("bass", "loudness", "hue_cos")]
    row, column = found.rows.index(("bass", "loudness")), NAMES.index("hue_cos")
    assert found.correlation_RP[row, column] < -0.3
    assert found.correlation_RP[row, column] < found.low_RP[row, column]
    assert found.holm_RP[row, column] == pytest.approx(18 / (1 + found.draws))
    assert found.correlation_RP.shape == (6, 3)
    assert found.own_VRP.shape == (16, 6, 3)
    inside = (found.correlation_RP >= found.low_RP) & (found.correlation_RP <= found.high_RP)
    assert inside.sum() >= 15


def test_each_clip_correlates_as_it_does_alone():
    parts, pictures = corpus(2, clips=5, shortest=40, longest=43)
    slow = [2, 3, 2, 4, 3]
    found = part_dependence(parts, pictures, NAMES, slow_terms=slow)
    for v in range(5):
        for r, (part, feature) in enumerate(found.rows):
            curve = parts[part][v][:, PART_FEATURES.index(feature)]
            for p in range(3):
                expected = within_correlation(curve, pictures[v][:, p], slow[v])
                assert found.own_VRP[v, r, p] == pytest.approx(expected, abs=1e-9)


def test_nothing_planted_nothing_found_in_more_than_a_twentieth():
    found, below = [], []
    for seed in range(200):
        result = part_dependence(*corpus(seed), NAMES, seed=seed)
        found.append(bool(result.found()))
        below.append((result.p_RP <= 0.05).mean())
    assert np.mean(found) <= 0.07
    assert 0.03 < np.mean(below) < 0.07


def test_a_fade_that_all_share_is_chance():
    parts, pictures = corpus(0, fade=50)
    found = part_dependence(parts, pictures, NAMES, slow_terms=0)
    assert found.correlation_RP.min() > 0.9
    assert found.chance_RP.min() > 0.9
    assert found.found() == []


def test_curves_that_stand_still_and_one_answer_a_seed():
    parts, pictures = corpus(3)
    for curve in parts["voice"]:
        curve[:] = 0.7
    found = part_dependence(parts, pictures, NAMES, draws=2_000, seed=5)
    np.testing.assert_array_equal(found.correlation_RP[4:], 0)
    np.testing.assert_array_equal(found.p_RP[4:], 1)
    assert found.draws == 2_000
    again = part_dependence(parts, pictures, NAMES, draws=2_000, seed=5)
    np.testing.assert_array_equal(again.p_RP, found.p_RP)


def test_the_whole_sound_is_one_part():
    parts, pictures = corpus(4)
    found = part_dependence({"song": parts["bass"]}, pictures, NAMES, ("loudness", "centroid"))
    assert found.rows == (("song", "loudness"), ("song", "centroid"))
    with pytest.raises(ValueError, match="2 clips and 1 parts"):
        part_dependence({"song": parts["bass"][:2]}, pictures[:2], NAMES)
    with pytest.raises(ValueError, match="clip 0: parts of"):
        part_dependence({"song": parts["bass"]}, pictures, NAMES, ("loudness",))
    with pytest.raises(ValueError, match="clip 0: a picture of"):
        part_dependence({"song": parts["bass"]}, pictures, NAMES[:2])


def test_part_curves_hear_each_part():
    rate, at = 22_050, np.arange(10, 40) / 10
    seconds = np.arange(4 * rate) / rate
    beats = (np.sin(2 * np.pi * 100 * seconds) * (seconds % 0.5 < 0.1)).astype(np.float32)
    curves = part_curves({"drums": beats, "rest": 0 * beats}, rate, at)
    assert curves["drums"].shape == (30, len(PART_FEATURES))
    np.testing.assert_array_equal(curves["rest"], np.tile([-60.0, 0.0], (30, 1)))
    struck = np.isclose(at % 0.5, 0.1)
    assert curves["drums"][struck, 1].min() > 3 * np.median(curves["drums"][:, 1])


def muted(rng: np.random.Generator, sizes: tuple[float, ...], draws: int = 8):
    """Descriptors of unit spread; three parts whose muting changes the first by `sizes`."""
    full = [drifting(rng, 200, 3) for _ in range(4)]

    def changed(size: float) -> list[np.ndarray]:
        return [
            x + rng.standard_normal(x.shape) * np.array([size, 0.1, 0.1]) * x.std(0) for x in full
        ]

    parts = {part: changed(size) for part, size in zip(PARTS, sizes, strict=True)}
    return full, parts, {part: [changed(0.1) for _ in range(draws)] for part in PARTS}


def test_a_part_that_matters_lies_above_what_chance_removes():
    found = muting_effects(*muted(np.random.default_rng(0), (0.1, 0.5, 0.01)), NAMES)
    np.testing.assert_array_equal(found.outside_DP[:, 0], [0, 1, -1])
    np.testing.assert_allclose(found.effect_DP[:, 0], [0.1, 0.5, 0.01], rtol=0.1)
    np.testing.assert_allclose(found.shift_DP, 0, atol=0.1)
    assert found.control_DKP.shape == (3, 8, 3)
    assert (found.low_DP >= 0).all()


def test_the_band_holds_19_of_20_where_nothing_matters():
    rng = np.random.default_rng(1)
    outside = [
        muting_effects(*muted(rng, (0.1, 0.1, 0.1), 6), NAMES).outside_DP != 0 for _ in range(60)
    ]
    assert 0.02 < np.mean(outside) < 0.09


def test_what_nothing_changes_has_no_effect():
    full = [np.full((20, 3), 0.4)]
    same = {"bass": full}
    found = muting_effects(full, same, {"bass": [full] * 3}, NAMES)
    np.testing.assert_array_equal(found.effect_DP, 0)
    np.testing.assert_array_equal(found.outside_DP, 0)
    darker = muting_effects(full, {"bass": [full[0] - 0.01]}, {"bass": [full] * 3}, NAMES)
    np.testing.assert_allclose(darker.shift_DP, -10)
    np.testing.assert_array_equal(darker.outside_DP, 1)


def test_quantiles_are_students():
    expected = student.ppf(0.975, np.arange(1, 30))
    np.testing.assert_allclose(attribution._T_975, expected, atol=6e-4)


def test_mutings_that_do_not_fit():
    full = [np.zeros((20, 3))]
    with pytest.raises(ValueError, match="2 controls: at least 3"):
        muting_effects(full, {"bass": full}, {"bass": [full] * 2}, NAMES)
    with pytest.raises(ValueError, match="the same parts, are needed"):
        muting_effects(full, {"bass": full}, {"voice": [full] * 3}, NAMES)
    with pytest.raises(ValueError, match="the same parts, are needed"):
        muting_effects([], {}, {}, NAMES)
    with pytest.raises(ValueError, match="the same times"):
        muting_effects(full, {"bass": [np.zeros((19, 3))]}, {"bass": [full] * 3}, NAMES)
