"""Time: round trips, monotony, no drift over three hours, and the paper's own numbers."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundreel.errors import SettingsError
from soundreel.timeline import (
    clock,
    exact_seconds,
    frame_count,
    frame_rate,
    frame_shown_at,
    frame_time,
    grid_count,
    grid_time,
    hops_per_step,
    milliseconds,
    nearest_frame,
    nearest_sample,
    sample_time,
    samples_before,
)

RATES = [
    Fraction(text) for text in ("24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001")
]
THREE_HOURS = 3 * 60 * 60
rates = st.sampled_from(RATES) | st.fractions(Fraction(1, 10), 1000, max_denominator=1001)
sample_rates = st.sampled_from([8_000, 22_050, 44_100, 48_000, 96_000, 192_000])
times = st.fractions(0, THREE_HOURS, max_denominator=90_000)


@given(rates, st.integers(0, THREE_HOURS * 60))
def test_a_frame_is_the_one_shown_at_its_own_time(fps, index):
    assert frame_shown_at(frame_time(index, fps), fps) == index


@given(rates, st.integers(0, THREE_HOURS * 60))
def test_a_frames_time_as_a_float_is_still_its_own(fps, index):
    assert nearest_frame(exact_seconds(float(frame_time(index, fps))), fps) == index


@given(rates, times)
def test_the_frame_shown_began_no_later_and_the_next_begins_after(fps, time):
    shown = frame_shown_at(time, fps)
    assert frame_time(shown, fps) <= time < frame_time(shown + 1, fps)


@given(rates, times, times)
def test_later_times_never_show_earlier_frames(fps, one, other):
    first, second = sorted((one, other))
    assert frame_shown_at(first, fps) <= frame_shown_at(second, fps)


@given(rates, st.fractions(Fraction(1, 1000), THREE_HOURS, max_denominator=44_100))
def test_a_film_covers_its_song_and_exceeds_it_by_less_than_a_frame(fps, duration):
    covered = frame_time(frame_count(duration, fps), fps)
    assert duration <= covered < duration + 1 / fps


@given(sample_rates, times)
def test_the_samples_before_a_time_are_exactly_those_taken_earlier(rate, time):
    end = samples_before(time, rate)
    assert sample_time(end, rate) >= time
    if end > 0:
        assert sample_time(end - 1, rate) < time


@given(sample_rates, st.integers(0, THREE_HOURS * 48_000))
def test_samples_and_times_round_trip(rate, sample):
    assert samples_before(sample_time(sample, rate), rate) == sample
    assert nearest_sample(sample_time(sample, rate), rate) == sample


@given(sample_rates, times)
def test_the_nearest_sample_is_within_half_a_sample(rate, time):
    assert abs(sample_time(nearest_sample(time, rate), rate) - time) <= Fraction(1, 2 * rate)


@pytest.mark.parametrize("fps", RATES)
def test_nothing_drifts_over_three_hours(fps):
    """The windows of three hours of film advance by whole samples that sum to the exact total."""
    frames = frame_count(Fraction(THREE_HOURS), fps)
    last = samples_before(frame_time(frames, fps), 44_100)
    assert abs(last - frame_time(frames, fps) * 44_100) < 1
    advances = {
        samples_before(frame_time(n + 1, fps), 44_100) - samples_before(frame_time(n, fps), 44_100)
        for n in range(frames - 2000, frames)
    }
    assert max(advances) - min(advances) <= 1


def test_the_papers_grid_has_40_times_from_30_to_88_and_a_half_seconds():
    start, stop, every = Fraction(30), Fraction(90), Fraction(3, 2)
    assert grid_count(start, stop, every) == 40
    assert grid_time(39, start, every) == Fraction(177, 2)
    assert frame_shown_at(grid_time(1, start, every), Fraction(30)) == 30 * 30 + 45


def test_the_papers_window_slides_by_1470_samples_a_frame():
    step = Fraction(1, 30)
    assert samples_before(61 * step, 44_100) - samples_before(60 * step, 44_100) == 1_470


@given(st.integers(0, 5000), st.integers(1, 2000), st.integers(1, 500))
def test_the_grid_holds_exactly_the_times_before_its_stop(start, length, denominator):
    every = Fraction(7, denominator)
    stop = Fraction(start + length)
    count = grid_count(Fraction(start), stop, every)
    assert grid_time(count - 1, Fraction(start), every) < stop
    assert grid_time(count, Fraction(start), every) >= stop


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (23.976, Fraction(24000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        ("30000/1001", Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (25, Fraction(25)),
        ("12.5", Fraction(25, 2)),
        (30, Fraction(30)),
        (Fraction(24000, 1001), Fraction(24000, 1001)),
    ],
)
def test_frame_rates_as_people_write_them(written, meant):
    assert frame_rate(written) == meant


@pytest.mark.parametrize("wrong", ["", "fast", 0, -25, "1/0", float("nan"), float("inf"), 5000])
def test_what_is_no_frame_rate_is_refused_with_one_line(wrong):
    with pytest.raises(SettingsError, match="is not a frame rate") as caught:
        frame_rate(wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1:30", Fraction(90)),
        ("0:01:30.5", Fraction(181, 2)),
        (0.1, Fraction(1, 10)),
        ("3/2", Fraction(3, 2)),
        (7, Fraction(7)),
    ],
)
def test_times_as_people_write_them(written, meant):
    assert exact_seconds(written) == meant


@pytest.mark.parametrize("wrong", ["", "soon", -1, "1:-5:", float("nan"), float("inf"), "1/0"])
def test_what_is_no_time_is_refused(wrong):
    with pytest.raises(SettingsError, match="is not a time"):
        exact_seconds(wrong)


def test_hops_per_step_is_whole_only_where_the_hop_divides():
    assert hops_per_step(Fraction(1, 30), 44_100, 245) == 6
    assert hops_per_step(Fraction(1, 60), 44_100, 245) == 3
    assert hops_per_step(Fraction(1, 25), 44_100, 252) == 7
    assert hops_per_step(Fraction(1, 30), 44_100, 255) is None
    assert hops_per_step(Fraction(1, 24), 44_100, 245) is None


def test_clock_and_milliseconds_are_for_people():
    assert (clock(7.9), clock(205), clock(3723)) == ("0:07", "3:25", "1:02:03")
    assert milliseconds(Fraction(1, 30)) == 33
    assert milliseconds(Fraction(1, 2000)) == 1
