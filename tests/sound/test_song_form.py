"""A song's tempo, beats and bars: songs and clicks whose truth is known, librosa, and oddities."""

import os
import tracemalloc
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.errors import SettingsError
from soundreel.media.sound import stream_sound
from soundreel.sound.beats import beat_times
from soundreel.sound.rhythm import SILENCE_DB, onset_envelope, onset_envelope_of_blocks
from soundreel.sound.sliding import SlidingWindows
from soundreel.sound.song_curves import song_curves
from soundreel.sound.song_form import SongForm, bar_at, seconds_of_bar, song_form
from soundreel.synthetic.songs import SyntheticSong, compose

RATE = 22_050
ROOT = Path(__file__).parents[2]
SONGS = Path(os.environ.get("SOUNDREEL_MEDIA", ROOT.parent / "shared" / "media")) / "songs"


@cache
def composed(genre: str, seed: int) -> SyntheticSong:
    return compose(seed, 60, genre, RATE)


@cache
def form_of(genre: str, seed: int) -> SongForm:
    return song_form([composed(genre, seed).sound.mean(0)], RATE)


def accented_clicks(bpm: float, beats_per_bar: int, pickup: int, seconds: float = 40):
    """Clicks, the first of each bar louder: (sound, times); `pickup` beats come before bar 1."""
    rng = np.random.default_rng(round(bpm))
    sound, times = np.zeros(int(seconds * RATE)), np.arange(0.3, seconds - 0.2, 60 / bpm)
    fade = np.exp(-np.arange(RATE // 20) / RATE / 0.01)
    for beat, time in enumerate(times):
        loud = 0.5 if beat % beats_per_bar == pickup % beats_per_bar else 0.15
        at = round(time * RATE)
        sound[at : at + len(fade)] += loud * fade * rng.standard_normal(len(fade))
    return sound.astype(np.float32), times


def random_clicks(seed: int, seconds: int = 60) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sound, time, fade = np.zeros(seconds * RATE), 0.0, np.exp(-np.arange(RATE) / RATE / 0.2)
    while (time := time + rng.exponential(0.45)) < seconds - 1:
        note = 0.3 * fade * np.sin(rng.uniform(0.05, 0.2) * np.arange(RATE))
        sound[round(time * RATE) :][:RATE] += note
    return sound.astype(np.float32)


def share_near(times: np.ndarray, found: np.ndarray, within: float) -> float:
    return float(np.mean([np.abs(found - time).min() < within for time in times]))


@pytest.mark.parametrize(
    ("genre", "seed"), [("house", 3), ("hip-hop", 1), ("rock-ballad", 4), ("synthwave", 2)]
)
def test_a_composed_songs_tempo_beats_and_bars_are_found(genre, seed):
    song, form = composed(genre, seed), form_of(genre, seed)
    assert form.tempo_bpm == pytest.approx(np.mean(song.bpm_at_beats), rel=0.01)
    assert form.beats_per_bar == 4
    assert share_near(song.beat_times_seconds, form.beat_seconds_B, 0.07) > 0.9
    assert share_near(song.bar_times_seconds, form.bar_seconds, 0.1) > 0.9
    assert share_near(form.bar_seconds[:-1], song.bar_times_seconds, 0.1) > 0.9
    # Bar 1 is bar 1.
    assert form.bar_seconds[0] == pytest.approx(song.bar_times_seconds[0], abs=0.1)


@pytest.mark.parametrize("bpm", [72, 100, 128])
@pytest.mark.parametrize(("beats_per_bar", "pickup"), [(4, 0), (4, 1), (4, 2), (3, 0), (3, 2)])
def test_bars_begin_at_accented_clicks(bpm, beats_per_bar, pickup):
    sound, times = accented_clicks(bpm, beats_per_bar, pickup)
    form = song_form([sound], RATE)
    assert form.tempo_bpm == pytest.approx(bpm, rel=0.01)
    assert form.beats_per_bar == beats_per_bar
    truth = times[pickup::beats_per_bar]
    assert share_near(truth, form.bar_seconds, 0.03) > 0.95
    assert form.bar_seconds[0] == pytest.approx(truth[0], abs=0.03)
    assert form.bar_seconds[-1] >= form.seconds > form.bar_seconds[-2]


def test_a_medley_has_the_bars_of_each_of_its_songs():
    songs = [composed("house", 3), composed("synthwave", 2)]
    form = song_form([song.sound.mean(0) for song in songs], RATE)
    truth = np.concatenate([songs[0].bar_times_seconds, 60 + songs[1].bar_times_seconds])
    assert share_near(truth, form.bar_seconds, 0.1) > 0.85
    lengths = np.diff(form.bar_seconds)
    assert lengths.min() > 0.5 * np.median(lengths)
    assert lengths.max() < 2 * np.median(lengths)


@settings(max_examples=5, deadline=None)
@given(cuts=st.lists(st.integers(0, 20 * RATE), max_size=12))
def test_the_form_does_not_depend_on_how_the_sound_is_cut(cuts):
    sound = composed("house", 3).sound.mean(0)[: 20 * RATE]
    whole, cut = song_form([sound], RATE), song_form(np.split(sound, sorted(cuts)), RATE)
    assert (whole.seconds, whole.tempo_bpm, whole.sections) == (
        cut.seconds,
        cut.tempo_bpm,
        cut.sections,
    )
    for name in ("beat_seconds_B", "bar_seconds", "loudness_db_T"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(cut, name))
    np.testing.assert_array_equal(whole.onset.strength_T, cut.onset.strength_T)


@pytest.mark.parametrize("size", [1, 7, 441, 10_000])
def test_onsets_of_blocks_are_those_of_the_whole(size):
    sound = composed("hip-hop", 1).sound.mean(0)[: 7 * RATE + 33][: 3000 * size]
    blocks = (sound[at : at + size] for at in range(0, len(sound), size))
    whole = onset_envelope(sound, RATE)
    np.testing.assert_array_equal(
        onset_envelope_of_blocks(blocks, RATE).strength_T, whole.strength_T
    )
    np.testing.assert_array_equal(song_curves([sound], RATE).onset.strength_T, whole.strength_T)


@pytest.mark.parametrize(("hop", "window"), [(441, 2_048), (300, 300), (500, 120), (4_410, 60_000)])
def test_sliding_windows_are_the_stretches_before_each_hop(hop, window):
    sound = np.random.default_rng(hop).standard_normal(400_000).astype(np.float32)
    before = np.concatenate([np.zeros(window, np.float32), sound])
    sliding, found = SlidingWindows(hop, window), []
    for block in np.split(sound, [1, 5_000, 5_001, 260_000]):
        found += [batch.copy() for batch in sliding.feed(block)]
    found += [batch.copy() for batch in sliding.finish()]
    ends = np.arange(hop, len(sound) + 1, hop)
    truth = np.stack([before[end : end + window] for end in ends])
    np.testing.assert_array_equal(np.concatenate(found), truth)


def test_no_more_is_held_of_a_longer_sound_than_its_curves():
    def peak_bytes(minutes: int) -> int:
        rng = np.random.default_rng(0)
        seconds = (0.1 * rng.standard_normal(44_100, np.float32) for _ in range(60 * minutes))
        tracemalloc.start()
        song_form(seconds, 44_100)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    sound_bytes = 60 * 44_100 * 4
    assert peak_bytes(2) - peak_bytes(1) < sound_bytes / 4


@pytest.mark.parametrize("seconds", [0, 1 / RATE, 0.004, 0.2, 3, 30])
@pytest.mark.parametrize("kind", ["silence", "noise", "tone"])
def test_what_has_no_beat_has_no_bars_and_sections_cover_it(seconds, kind):
    count = round(seconds * RATE)
    sound = {
        "silence": np.zeros(count),
        "noise": 0.1 * np.random.default_rng(1).standard_normal(count),
        "tone": 0.3 * np.sin(0.1 * np.arange(count)),
    }[kind]
    form = song_form([sound], RATE)
    assert form.seconds == Fraction(count, RATE)
    assert form.tempo_bpm is None
    assert len(form.beat_seconds_B) == len(form.bar_seconds) == 0
    assert [section.label for section in form.sections] == ["A"]
    assert form.sections[0].start_seconds == 0
    assert form.sections[0].stop_seconds == float(form.seconds)
    if kind == "silence":
        assert form.sections[0].loudness_db == pytest.approx(SILENCE_DB)
    with pytest.raises(SettingsError, match="no steady beat"):
        bar_at(form.bar_seconds, 1.0)
    with pytest.raises(SettingsError, match="no steady beat"):
        seconds_of_bar(form.bar_seconds, 1.0)


@pytest.mark.parametrize("seed", range(4))
def test_notes_at_random_have_no_tempo_though_a_tracker_finds_beats(seed):
    sound = random_clicks(seed)
    assert len(beat_times(sound, RATE)) > 20
    form = song_form([sound], RATE)
    assert form.tempo_bpm is None
    assert form.sections[-1].stop_seconds == form.seconds


def test_loudness_is_that_of_each_tenth_of_a_second():
    t = np.arange(3 * RATE + 300) / RATE
    sound = np.where(t < 1, 0.5, np.where(t < 2, 0.05, 0)) * np.sin(2 * np.pi * 440 * t)
    form = song_form(np.array_split(sound, 17), RATE)
    assert form.loudness_rate_hz == pytest.approx(10, rel=0.01)
    assert len(form.loudness_db_T) in (30, 31)
    times = (np.arange(len(form.loudness_db_T)) + 0.5) / form.loudness_rate_hz
    loud = 20 * np.log10(0.5 / np.sqrt(2))
    np.testing.assert_allclose(form.loudness_db_T[times < 0.9], loud, atol=0.1)
    np.testing.assert_allclose(
        form.loudness_db_T[(times > 1.1) & (times < 1.9)], loud - 20, atol=0.1
    )
    assert (form.loudness_db_T[times > 2.2] == SILENCE_DB).all()


@settings(max_examples=200, deadline=None)
@given(
    lengths=st.lists(st.floats(0.5, 4), min_size=1, max_size=20),
    first=st.floats(0, 5),
    time=st.floats(-30, 120),
)
def test_bar_at_and_seconds_of_bar_are_inverse_everywhere(lengths, first, time):
    bars = first + np.concatenate([[0], np.cumsum(lengths)])
    assert seconds_of_bar(bars, bar_at(bars, time)) == pytest.approx(time, abs=1e-6)
    for number, start in enumerate(bars, 1):
        assert seconds_of_bar(bars, number) == pytest.approx(start)
        assert bar_at(bars, start) == pytest.approx(number)


def test_bars_are_counted_from_one_and_on_past_both_ends():
    bars = np.array([1.0, 3.0, 5.0, 8.0])
    assert bar_at(bars, 4.0) == 2.5
    assert seconds_of_bar(bars, 3.5) == 6.5
    assert (bar_at(bars, 0.0), seconds_of_bar(bars, 0.0)) == (0.5, -1.0)
    assert (bar_at(bars, 11.0), seconds_of_bar(bars, 6.0)) == (5.0, 14.0)


def test_a_block_of_two_channels_is_refused():
    with pytest.raises(ValueError, match="one channel"):
        song_form([np.zeros((2, 100))], RATE)


@pytest.mark.parametrize(
    "name",
    ["birthday_cake_synth_mono.ogg", "boss_action.ogg", "school_of_quirks.ogg"],
)
def test_real_songs_have_the_tempo_and_beats_librosa_finds(name):
    import librosa

    if not (SONGS / name).exists():
        pytest.skip(f"{SONGS / name} is not here (set SOUNDREEL_MEDIA)")
    stop = Fraction(40)
    blocks = list(stream_sound(SONGS / name, RATE, "mono", stop_seconds=stop))
    form = song_form(blocks, RATE)
    tempo, beats = librosa.beat.beat_track(y=np.concatenate(blocks), sr=RATE, units="time")
    assert form.tempo_bpm is not None
    ratio = form.tempo_bpm / float(np.squeeze(tempo))
    # A tempo, its half and its double are one; a song in twelve eighths may be counted in threes.
    assert min(abs(np.log2(ratio / fair)) for fair in (0.5, 2 / 3, 1, 2)) < 0.06
    if abs(np.log2(ratio)) < 0.06:
        assert share_near(form.beat_seconds_B, beats, 0.07) > 0.7
