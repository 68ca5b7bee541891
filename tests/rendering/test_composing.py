"""Composing without files: length, place in time, memory, joins, and where a stretch begins."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from soundreel.recipe import recipe_from
from soundreel.rendering.composing import (
    Watching,
    WindowGrid,
    composed_columns,
    composed_sound,
    frames_from,
    seeing_rate,
    window_grid,
)
from soundreel.seeding import seed_for

SMALL = recipe_from(
    "default",
    sample_rate_hz=8_000,
    sound_image_size=64,
    segment_samples=120,
    hop_samples=40,
    fft_samples=126,
    window_samples=120 + 63 * 40,
)
WAVE = recipe_from("paper-waveform", sample_rate_hz=8_000, sound_image_size=64, window_samples=4096)
FPS = Fraction(30)
#: A window's seed says which one it is.
NUMBER = {seed_for(0, "window", n): n for n in range(400)}


def columns_of(seconds):
    return window_grid(SMALL, 15).columns(seconds)


class Stand:
    """Hears a tone as loud as the frame at the window's end is bright."""

    def __init__(self, recipe=SMALL, before=(Fraction(0),), image=None):
        self.recipe, self.seen_before_seconds = recipe, before
        self.picture_shape = (4, 4)
        self.image = image or self._tone
        self.asked = []

    def _tone(self, bright_BF, seeds):
        size = self.recipe.sound_image_size
        image = torch.full((len(seeds), 1, size, size), -1.0)
        image[:, :, size // 2 - 2 : size // 2 + 2] = bright_BF[:, -1, None, None, None]
        return image

    def sound_images(self, y_BF3HW, seeds):
        assert len(y_BF3HW) == len(seeds)
        self.asked.append((y_BF3HW, list(seeds)))
        return self.image(y_BF3HW.mean((2, 3, 4)), seeds)


def grey(values, shape=(6, 8, 3)):
    for value in values:
        yield np.full(shape, value, np.uint8)


def sound_of(model, values, fps=FPS, **wishes):
    pieces = list(composed_sound(model, grey(values), fps, **wishes))
    assert all(piece.dtype == np.float32 and piece.ndim == 1 for piece in pieces)
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


@pytest.mark.parametrize("recipe", [SMALL, WAVE, recipe_from("mel"), recipe_from("paper")])
@pytest.mark.parametrize("frames", [1, 47])
def test_the_sound_is_as_long_as_the_film(recipe, frames):
    fps = Fraction(30_000, 1001)
    made = sound_of(Stand(recipe), [120] * frames, fps, iterations=1)
    assert len(made) == -(-frames * recipe.sample_rate_hz * 1001 // 30_000)
    assert np.isfinite(made).all()


def test_the_sound_of_no_frames_is_none():
    assert len(sound_of(Stand(), [])) == 0
    assert len(sound_of(Stand(WAVE), [])) == 0


def test_the_same_seed_gives_the_same_sound():
    values = (120 + 100 * np.sin(np.arange(60) / 5)).astype(int)
    first, again, other = (sound_of(Stand(), values, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("rate", [15, Fraction(25, 2), 40])
@pytest.mark.parametrize("recipe", [SMALL, recipe_from("default")])
def test_windows_that_are_cut_from_one_row_give_it_back(recipe, rate):
    grid = window_grid(recipe, rate)
    seconds = Fraction(3)
    columns = grid.columns(seconds)
    row = torch.rand(recipe.sound_image_size, columns + 800).half().float()

    def cut(_, seeds):
        places = [grid.place(NUMBER[seed]) + 400 for seed in seeds]
        return torch.stack([row[None, :, at : at + recipe.sound_image_size] for at in places])

    model = Stand(recipe, image=cut)
    watching = Watching(grey([9] * 90), FPS, (4, 4))
    made = torch.cat(list(composed_columns(model, watching, grid, 0)), 1)
    assert torch.equal(made, row[:, 400 : 400 + columns])


@pytest.mark.parametrize("recipe", [SMALL, recipe_from("default")])
def test_windows_go_on_until_the_last_column_lies_under_as_many_as_any(recipe):
    grid = window_grid(recipe, 15)
    columns = grid.columns(Fraction(4))
    stop = grid.stop_after(columns)
    places = [grid.place(n) for n in range(1, stop)]
    over = [sum(p <= c < p + grid.width for p in places) for c in range(columns)]
    assert max(over) - min(over) <= 1
    assert grid.place(stop) >= columns > grid.place(stop - 1)
    for column in (0, 1, 17, columns - 1):
        first = grid.first_over(column)
        assert grid.place(first) + grid.width > column
        assert first == 1 or grid.place(first - 1) + grid.width <= column


def test_a_window_is_at_the_column_nearest_to_it():
    grid = WindowGrid(recipe_from("default"), Fraction(7))
    for n in range(1, 200):
        begins = -(-n * 44_100 // 7) - 62_763
        assert abs(grid.place(n) * 245 - begins) <= 122.5


def test_what_flashes_is_heard_then():
    # Windows reach back, so what is bright from 1 s on is heard rising over the second before;
    # around the middle of that it is at half its loudness in dB, at both ends it is whole.
    values = [0] * 60 + [255] * 60
    made = sound_of(Stand(), values)
    level = np.sqrt((made[:32_000].reshape(-1, 800) ** 2).mean(1))
    half = int(0.165 * 8_000 / 800)  # half a window, in these tenths of a second
    assert level[: 20 - 2 * half - 2].max() < 0.01 * level[-10:-2].min()
    rises = int((level > 0.5 * level[-10:-2].mean()).argmax())
    assert 20 - 2 * half - 1 <= rises <= 20


def test_before_the_film_its_first_frame_is_seen_and_after_it_the_last():
    before = (Fraction(1, 5), Fraction(1, 10), Fraction(0))
    model = Stand(before=before)
    values = list(range(60))
    sound_of(model, values)
    asked = set()
    for y_BF3HW, seeds in model.asked:
        seen_BF = ((y_BF3HW.mean((2, 3, 4)) + 1) * 127.5).round().int().tolist()
        for seen_F, seed in zip(seen_BF, seeds, strict=True):
            time = Fraction(NUMBER[seed], 15)
            assert seen_F == [min(59, max(0, int((time - one) * 30))) for one in before]
            asked.add(NUMBER[seed])
    assert asked == set(range(1, window_grid(SMALL, 15).stop_after(columns_of(Fraction(2)))))


@pytest.mark.parametrize("recipe", [SMALL, WAVE])
@pytest.mark.parametrize("way", ["mean", "median"])
def test_a_stretch_is_the_same_to_the_bit_as_that_of_the_whole(recipe, way):
    def noisy(bright_BF, seeds):
        size = recipe.sound_image_size
        noise = [
            torch.rand(1, size, size, generator=torch.Generator().manual_seed(s)) for s in seeds
        ]
        return torch.stack(noise) * 2 - 1 + 0.01 * bright_BF.sum(1)[:, None, None, None]

    model = Stand(recipe, (Fraction(1, 2), Fraction(0)), noisy)
    grid = window_grid(recipe, 15)
    values = np.random.default_rng(0).integers(0, 255, 150)

    def columns(first):
        begin = frames_from(model, grid, FPS, first)
        watching = Watching(grey(values[begin:]), FPS, (4, 4), begin)
        return torch.cat(
            list(
                composed_columns(
                    model, watching, grid, 5, first=first, seconds=Fraction(5), way=way
                )
            ),
            1,
        )

    whole = columns(0)
    assert whole.shape[1] == grid.columns(Fraction(5))
    for first in (1, grid.columns(Fraction(2)), grid.columns(Fraction(5)) - 1):
        assert torch.equal(columns(first), whole[:, first:])


def test_waveform_windows_are_cross_faded():
    def same(_, seeds):
        size = WAVE.sound_image_size
        return torch.full((len(seeds), 1, size, size), 0.25)

    made = sound_of(Stand(WAVE, image=same), [50] * 90)
    np.testing.assert_allclose(made, 0.25, atol=1e-6)


@pytest.mark.parametrize("depth", [0.0, 0.3])
def test_nothing_is_heard_at_the_windows_rate(depth):
    # A calm film whose windows agree, or each with its own noise: neither's envelope has a line.
    def noisy(bright_BF, seeds):
        size = SMALL.sound_image_size
        noise = torch.stack(
            [torch.randn(1, size, size, generator=torch.Generator().manual_seed(s)) for s in seeds]
        )
        return (0.2 + depth * noise).clamp(-1, 1)

    made = sound_of(Stand(image=noisy), [100] * 480)[4_000:124_000]
    envelope = np.sqrt((made.reshape(-1, 40) ** 2).mean(1))  # 200 a second, 15 s
    power = np.abs(np.fft.rfft((envelope - envelope.mean()) * np.hanning(len(envelope)))) ** 2
    at = 15 * 15
    beside = np.r_[power[at - 60 : at - 5], power[at + 6 : at + 60]]
    assert power[at - 1 : at + 2].max() < 20 * np.median(beside)


def test_frames_may_be_of_any_size_and_memory_is_flat():
    model = Stand(before=(Fraction(1, 2), Fraction(0)))
    watching = Watching(grey([10] * 300, (33, 17, 3)), FPS, model.picture_shape)
    pieces = composed_columns(model, watching, window_grid(SMALL, 15), 0)
    held = [len(watching._kept) for _ in pieces]
    assert max(held) < 0.5 * 30 + 2 * 8 + 8


def test_the_frame_rate_that_is_looked_at_holds_every_time_that_is_seen():
    grid = window_grid(SMALL, 15)
    assert seeing_rate(Stand(), grid) == 15
    assert seeing_rate(Stand(before=(Fraction(1, 5), Fraction(0))), grid) == 15
    assert seeing_rate(Stand(before=(Fraction(1, 10), Fraction(0))), grid) == 30
    assert seeing_rate(Stand(before=(Fraction(333, 1000), Fraction(0))), grid) == 120


def test_a_short_window_is_made_more_often():
    grid = window_grid(SMALL, Fraction(1, 2))
    assert grid.per_second * SMALL.window_samples / SMALL.sample_rate_hz == 4
    with pytest.raises(ValueError, match="windows a second"):
        WindowGrid(SMALL, Fraction(1))
