"""The sections of a song: planted ones of composed songs, and sounds whose parts are known."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from soundreel.sound.sections import Section, find_sections
from soundreel.sound.song_curves import song_curves
from soundreel.sound.song_form import SongForm, song_form
from soundreel.synthetic.songs import SyntheticSong, compose

RATE = 16_000
GENRES = ["house", "hip-hop", "rock-ballad", "ambient"]


@cache
def composed(genre: str) -> SyntheticSong:
    return compose(11, 80, genre, RATE)


@cache
def form_of(genre: str) -> SongForm:
    return song_form([composed(genre).sound.mean(0)], RATE)


def part(kind: str, seconds: float, seed: int = 0) -> np.ndarray:
    rng, t = np.random.default_rng(seed), np.arange(int(seconds * RATE)) / RATE
    noise = rng.standard_normal(len(t))
    if kind == "low":
        return 0.1 * np.convolve(noise, np.ones(16) / 4, "same")
    if kind == "high":
        return 0.1 * np.convolve(noise, [0.5, -0.5], "same")
    if kind == "quiet":
        return 0.004 * np.convolve(noise, np.ones(16) / 4, "same")
    hz = {"c": (261.6, 329.6, 392.0), "f#": (370.0, 466.2, 554.4)}[kind]
    return sum(0.1 * np.sin(2 * np.pi * f * t) for f in hz) + 0.002 * noise


def sections_of(*parts: tuple[str, float]) -> tuple[Section, ...]:
    sound = [part(kind, seconds, seed) for seed, (kind, seconds) in enumerate(parts)]
    return find_sections(song_curves(sound, RATE), np.empty(0))


def covers(sections: tuple[Section, ...], seconds: float) -> bool:
    joined = all(a.stop_seconds == b.start_seconds for a, b in pairwise(sections))
    return joined and sections[0].start_seconds == 0 and sections[-1].stop_seconds == seconds


def test_parts_are_found_to_a_second_and_alike_ones_named_alike():
    sections = sections_of(("low", 20), ("high", 15), ("low", 24), ("quiet", 16), ("high", 20))
    assert "".join(section.label for section in sections) == "ABACB"
    starts = [section.start_seconds for section in sections]
    np.testing.assert_allclose(starts, [0, 20, 35, 59, 75], atol=1.01)
    assert covers(sections, 95)
    loudness = {section.label: section.loudness_db for section in sections}
    assert loudness["A"] - loudness["C"] == pytest.approx(20 * np.log10(25), abs=1)


def test_harmony_alone_makes_sections_too():
    sections = sections_of(("c", 20), ("f#", 20), ("c", 20))
    assert "".join(section.label for section in sections) == "ABA"
    np.testing.assert_allclose([s.start_seconds for s in sections], [0, 20, 40], atol=1.01)


def test_what_stays_the_same_is_one_section():
    assert len(sections_of(("low", 90))) == 1


def test_a_change_that_is_soon_over_makes_no_section():
    sections = sections_of(("low", 30), ("high", 1.5), ("low", 30))
    assert all(s.stop_seconds - s.start_seconds >= 7 for s in sections)
    assert len({s.label for s in sections}) == 1


def test_letters_do_not_run_out():
    rng = np.random.default_rng(3)
    sound = []
    for _ in range(40):
        band = np.fft.rfft(rng.standard_normal(10 * RATE))
        keep = np.interp(np.arange(len(band)), np.linspace(0, len(band), 9), rng.random(9) > 0.5)
        sound.append(0.2 * rng.uniform(0.05, 1) * np.fft.irfft(band * keep))
    sections = find_sections(song_curves(sound, RATE), np.empty(0))
    assert 20 < len(sections) <= 57
    assert all("A" <= section.label <= "Z" and len(section.label) == 1 for section in sections)
    firsts = list(dict.fromkeys(section.label for section in sections))
    assert firsts == sorted(firsts)


@pytest.mark.parametrize("genre", GENRES)
def test_a_composed_songs_sections_are_found_and_no_others(genre):
    song, form = composed(genre), form_of(genre)
    assert covers(form.sections, float(form.seconds))
    bar = 240 / np.mean(song.bpm_at_beats)
    truth = np.array([start for start, _, _ in song.sections[1:]])
    found = np.array([section.start_seconds for section in form.sections[1:]])
    assert np.mean([np.abs(truth - t).min() < 1.05 * bar for t in found]) >= 0.9
    # Of those planted, every section that lasts is there; half of intros and breaks are short.
    long = np.array(
        [
            after[0]
            for before, after in pairwise(song.sections)
            if min(before[1] - before[0], after[1] - after[0]) >= 7.5
        ]
    )
    if len(long):
        assert np.mean([np.abs(found - t).min() < 1.05 * bar for t in long]) >= 0.5


@pytest.mark.parametrize("genre", GENRES)
def test_sections_begin_with_bars(genre):
    form = form_of(genre)
    for section in form.sections[1:]:
        assert np.abs(form.bar_seconds - section.start_seconds).min() < 1e-9
        assert section.start_seconds - form.sections[0].start_seconds >= 7


def test_verse_and_chorus_have_letters_of_their_own():
    same, different = [], []
    for genre in GENRES:
        named = []
        for section in form_of(genre).sections:
            for start, stop, name in composed(genre).sections:
                inside = min(stop, section.stop_seconds) - max(start, section.start_seconds)
                # A short break may be one section with what it lies beside.
                whole = inside > 0.9 * (section.stop_seconds - section.start_seconds)
                if whole and name in ("verse", "chorus"):
                    named.append((name, section.label))
        for k, (name, label) in enumerate(named):
            for other_name, other_label in named[:k]:
                (same if name == other_name else different).append(label == other_label)
    assert min(len(same), len(different)) > 5
    assert np.mean(same) > 0.8
    assert np.mean(different) < 0.1
