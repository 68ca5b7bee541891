"""Sound images of a sound that arrives in blocks equal those of the whole sound."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_sound_images import RATE, SMALL_LOG, SMALL_RECIPES, music

from soundreel.recipe import recipe_from
from soundreel.sound.representation import sound_images
from soundreel.sound.streaming import SlidingSoundImages, stream_images
from soundreel.timeline import frame_count, frame_time, samples_before


def blocks_of(sound: np.ndarray, lengths: list[int]):
    start = 0
    turn = 0
    while start < len(sound):
        length = lengths[turn % len(lengths)]
        yield sound[start : start + length]
        start, turn = start + length, turn + 1


@settings(max_examples=60, deadline=None)
@given(
    recipe=st.sampled_from(SMALL_RECIPES),
    count=st.integers(0, 12_000),
    lengths=st.lists(st.integers(1, 5_000), min_size=1, max_size=4),
    first=st.integers(0, 9_000),
    steps=st.lists(st.sampled_from([0, 1, 49, 98, 147, 490, 5_000]), max_size=30),
    batch=st.integers(1, 9),
)
def test_a_stream_equals_the_whole(recipe, count, lengths, first, steps, batch):
    sound = music(12_000, 11).numpy()[:count]
    ends = (first + np.cumsum([0, *steps])).tolist()
    batches = list(stream_images(blocks_of(sound, lengths), ends, recipe, batch))
    assert [len(images) for images in batches[:-1]] == [batch] * (len(batches) - 1)
    whole = sound_images(torch.from_numpy(sound), torch.tensor(ends), recipe)
    assert torch.equal(torch.cat(batches), whole)


@pytest.mark.parametrize("fps", [Fraction(30), Fraction(24), Fraction(25), Fraction(30_000, 1_001)])
@pytest.mark.parametrize("preset", ["default", "paper"])
def test_a_films_stream_equals_the_whole(fps, preset):
    recipe = recipe_from(preset)
    sound = music(3 * RATE + 17, 2)
    frames = frame_count(Fraction(len(sound), RATE), fps)
    ends = [samples_before(frame_time(n, fps), RATE) for n in range(frames)]
    whole = sound_images(sound, torch.tensor(ends), recipe)
    first = 0
    for images in stream_images(blocks_of(sound.numpy(), [10_000]), iter(ends), recipe, 16):
        assert torch.equal(images, whole[first : first + len(images)])
        first += len(images)
    assert first == frames


def test_what_is_kept_does_not_grow_with_the_song():
    sliding = SlidingSoundImages(SMALL_LOG)
    kept = []
    for second in range(1, 61):
        sliding.feed(music(8_000, second).numpy())
        for end in range((second - 1) * 8_000, second * 8_000, 490):
            sliding.images([end])
        grids = sum(grid._column_SK.numel() for grid in sliding._grids.values())  # type: ignore[union-attr]
        kept.append(len(sliding._sound_N) + grids)
    # Far less than a minute's 480,000 samples: a window, a block and their columns.
    assert max(kept[30:]) <= max(kept[:30])
    assert max(kept) < 40_000


def test_ends_must_ascend_and_be_fed():
    sliding = SlidingSoundImages(SMALL_LOG)
    sliding.feed(np.zeros(1_000, np.float32))
    with pytest.raises(ValueError, match="1001 needs more than the 1000 samples"):
        sliding.images([1_001])
    sliding.images([900])
    with pytest.raises(ValueError, match="must ascend: 899 came after 900"):
        sliding.images([899])
    sliding.finish()
    assert torch.equal(sliding.images([9_000]), -torch.ones(1, 1, 64, 64))
    with pytest.raises(ValueError, match="finished"):
        sliding.feed(np.zeros(1, np.float32))


def test_a_batch_of_none_is_refused():
    with pytest.raises(ValueError, match="batch = 0"):
        next(stream_images([], [0], SMALL_LOG, 0))
