"""Stages in threads: the same items in the same order, bounded, and nothing left running."""

import threading
import time

import pytest

from soundreel.rendering.staging import staged


def stages() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "soundreel-stage"]


@pytest.mark.parametrize("ahead", [1, 2, 7])
def test_items_come_in_their_order_through_several_stages(ahead):
    with staged(range(100), ahead) as numbers, staged((n * n for n in numbers), ahead) as squares:
        assert list(squares) == [n * n for n in range(100)]
    assert not stages()


def test_a_stage_runs_ahead_but_only_so_far():
    made = []

    def numbers():
        for n in range(100):
            made.append(n)
            yield n

    with staged(numbers(), 3) as arriving:
        assert next(arriving) == 0
        deadline = time.monotonic() + 5
        while len(made) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.3)
        # One taken, three waiting, one in the hand of who could not put it down.
        assert made == list(range(len(made)))
        assert 4 <= len(made) <= 5
    assert not stages()


def test_an_error_is_raised_where_its_item_would_have_come():
    def breaking():
        yield 1
        yield 2
        raise ValueError("the third")

    with staged(breaking(), 5) as arriving:
        assert [next(arriving), next(arriving)] == [1, 2]
        with pytest.raises(ValueError, match="the third"):
            next(arriving)
    assert not stages()


def test_leaving_early_closes_the_iterable_and_ends_its_thread():
    closed = []

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    def leave() -> None:
        with staged(endless(), 2) as arriving:
            next(arriving)
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        leave()
    assert closed
    assert not stages()
