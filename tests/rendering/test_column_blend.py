"""Overlapping windows blended into one row: exact where they agree, smooth where they do not."""

import numpy as np
import pytest
import torch

from soundreel.rendering.column_blend import ColumnBlend, fading

WAYS = ("mean", "median")


def blended(row_RK, places, width, way, change=None, first=0):
    blend = ColumnBlend(len(row_RK), width, first=first, way=way)
    made = []
    for n, place in enumerate(places):
        window = torch.zeros(len(row_RK), width)
        begin, stop = max(0, place), min(row_RK.shape[1], place + width)
        window[:, begin - place : stop - place] = row_RK[:, begin:stop]
        made.append(blend.add(place, window if change is None else change(n, window)))
    made.append(blend.finish(row_RK.shape[1]))
    return torch.cat(made, 1)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("step", [1, 3, 7])
def test_windows_that_agree_come_out_as_they_are(way, step):
    row = torch.randn(5, 60, generator=torch.Generator().manual_seed(step))
    places = list(range(-15, 60, step))
    assert torch.equal(blended(row, places, 16, way), row)


@pytest.mark.parametrize("way", WAYS)
def test_places_need_not_be_evenly_apart(way):
    row = torch.randn(2, 50, generator=torch.Generator().manual_seed(1))
    places = sorted(np.random.default_rng(2).integers(-9, 50, 60).tolist() + list(range(-9, 50, 5)))
    assert torch.equal(blended(row, places, 10, way), row)


def test_a_mean_is_the_weighted_mean_and_a_median_the_weighted_median():
    generator = torch.Generator().manual_seed(3)
    windows = torch.randn(4, 3, 8, generator=generator)
    places, weight = [0, 1, 3, 6], fading(8).numpy()
    for way in WAYS:
        blend = ColumnBlend(3, 8, way=way)
        made = [blend.add(place, window) for place, window in zip(places, windows, strict=True)]
        found = torch.cat([*made, blend.finish(14)], 1).numpy()
        for column in range(14):
            over = [m for m, p in enumerate(places) if p <= column < p + 8]
            weights = np.array([weight[column - places[m]] for m in over])
            for row in range(3):
                values = np.array([float(windows[m, row, column - places[m]]) for m in over])
                if way == "mean":
                    expected = np.average(values, weights=weights)
                else:
                    order = values.argsort()
                    half = np.cumsum(weights[order]) >= weights.sum() / 2
                    expected = values[order][half.argmax()]
                assert found[row, column] == pytest.approx(expected, abs=1e-5)


def test_a_window_fades_in_and_out():
    weight = fading(256)
    assert (weight > 0).all()
    assert weight[0] < 1e-3
    torch.testing.assert_close(weight, weight.flip(0))
    assert weight[127] == weight.max()
    # Half a window apart, weights are even: so windows of sound are cross-faded.
    torch.testing.assert_close(weight[:128] + weight[128:], torch.ones(128))


def test_it_begins_where_it_is_told_to_and_gives_each_column_once():
    row = torch.randn(2, 40, generator=torch.Generator().manual_seed(4))
    places = list(range(-9, 40, 3))
    late = [place for place in places if place + 10 > 17]
    assert torch.equal(blended(row, late, 10, "median", first=17), row[:, 17:])


def test_the_median_holds_an_onset_that_windows_are_not_sure_of():
    row = torch.zeros(1, 300)
    row[:, 150:] = 60
    late = np.random.default_rng(5).normal(0, 3, 100).round().astype(int)

    def moved(n, window):
        return window.roll(int(late[n]), 1)

    places = list(range(-60, 300, 5))
    sharp = {way: blended(row, places, 64, way, moved)[0, 100:200].diff().max() for way in WAYS}
    assert sharp["median"] > 2 * sharp["mean"]


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_heard_of_the_rate_of_noisy_windows(way):
    step, width, count = 12, 256, 4800
    generator = torch.Generator().manual_seed(6)

    def noisy(n, window):
        return window + torch.randn(window.shape, generator=generator)

    made = blended(
        torch.zeros(48, count), list(range(step - width, count, step)), width, way, noisy
    )
    level = made.mean(0).numpy()
    power = np.abs(np.fft.rfft(level - level.mean())) ** 2
    at = count // step
    line_db = 10 * np.log10(power[at] / np.median(power[at - 60 : at + 60]))
    assert line_db < 12  # one of chance's own is above this once in 60,000


def test_what_cannot_be_is_refused():
    blend = ColumnBlend(2, 8)
    with pytest.raises(ValueError, match="2 x 8"):
        blend.add(0, torch.zeros(2, 7))
    blend.add(0, torch.zeros(2, 8))
    blend.add(4, torch.zeros(2, 8))
    with pytest.raises(ValueError, match="after one"):
        blend.add(3, torch.zeros(2, 8))
    with pytest.raises(ValueError, match="no window"):
        blend.finish(13)
