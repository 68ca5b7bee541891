"""Held-out clips: by content, in any order, never all and never the same clip twice."""

from hypothesis import given
from hypothesis import strategies as st

from soundreel.dataset.split import split_clips

hashes = st.lists(st.text("0123456789abcdef", min_size=8, max_size=8), min_size=1, max_size=60)


@given(hashes, st.floats(0, 0.99), st.randoms())
def test_the_order_of_clips_does_not_matter(shas, fraction, random):
    shuffled = random.sample(shas, len(shas))
    there = dict(zip(shas, split_clips(shas, fraction), strict=True))
    again = dict(zip(shuffled, split_clips(shuffled, fraction), strict=True))
    assert there == again


@given(hashes, st.floats(0.01, 0.99))
def test_something_is_trained_on_and_something_held_out(shas, fraction):
    splits = split_clips(shas, fraction)
    assert "train" in splits
    assert (len(set(shas)) == 1) == ("val" not in splits)


@given(hashes)
def test_nothing_is_held_out_when_none_is_asked_for(shas):
    assert set(split_clips(shas, 0)) == {"train"}


def test_the_share_is_kept_and_val_and_test_alternate():
    splits = split_clips([f"{n:08x}" for n in range(100)], 0.15)
    assert [splits.count(name) for name in ("train", "val", "test")] == [85, 8, 7]
