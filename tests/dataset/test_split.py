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


groups = st.lists(st.integers(0, 8), min_size=1, max_size=40)


@given(groups, st.floats(0, 0.99), st.randoms())
def test_a_group_is_never_split_and_the_order_does_not_matter(group_of, fraction, random):
    shas = [f"{n:08x}" for n in range(len(group_of))]
    there = dict(zip(shas, split_clips(shas, fraction, group_of), strict=True))
    for group in set(group_of):
        assert len({there[sha] for sha, g in zip(shas, group_of, strict=True) if g == group}) == 1
    order = random.sample(range(len(shas)), len(shas))
    again = split_clips([shas[n] for n in order], fraction, [group_of[n] for n in order])
    assert [there[shas[n]] for n in order] == again
    assert "train" in again


def test_a_large_group_does_not_swallow_the_training_clips():
    shas = [f"{n:08x}" for n in range(40)]
    for large in range(30, 39):
        splits = split_clips(shas, 0.15, [0] * large + list(range(1, 41 - large)))
        assert splits[0] == "train"
        assert 1 <= sum(split != "train" for split in splits) <= 6


def test_two_groups_of_equal_size_give_one_to_hold_out():
    splits = split_clips(["aa", "bb", "cc", "dd"], 0.1, [0, 0, 1, 1])
    assert sorted(splits) == ["train", "train", "val", "val"]
