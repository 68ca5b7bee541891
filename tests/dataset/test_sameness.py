"""The same song and pictures under other names: planted truth, real encoders, real clips."""

import itertools
import os
from collections import Counter
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.dataset import sameness
from soundreel.dataset.coincidence import elected, equal_pairs, votes_for
from soundreel.dataset.picture_hash import picture_hashes
from soundreel.dataset.sameness import (
    Match,
    Prints,
    find_same,
    groups_of,
    load_prints,
    save_prints,
)
from soundreel.errors import DatasetError
from soundreel.media.sound import read_sound, write_sound
from soundreel.media.video import Fit, frames_at
from soundreel.media.writer import FilmWriter, Song
from soundreel.sound.fingerprint import HOP_SECONDS, fingerprint
from soundreel.synthetic.songs import compose

MEDIA = Path(
    os.environ.get("SOUNDREEL_MEDIA", Path(__file__).parents[2].parent / "shared" / "media")
)
RATE = 22_050
NO_SOUND = (np.empty(0, np.uint32), np.empty(0, np.int32))
NO_PICTURES = (np.empty(0, np.uint64), np.empty(0))


def heard(sound: np.ndarray, rate: int = RATE) -> Prints:
    found = fingerprint(sound, rate)
    return Prints(found.hash_H, found.time_H, *NO_PICTURES)


def seen(path: Path, every: Fraction = Fraction(1, 5), seconds: int = 40) -> Prints:
    times = [k * every for k in range(int(seconds / every))]
    shown = list(frames_at(path, times, Fit(64, 64)))
    hash_K, is_valid_K = picture_hashes(np.stack([picture for _, picture in shown]))
    seconds_K = np.array([float(times[k]) for k, _ in shown])
    return Prints(*NO_SOUND, hash_K[is_valid_K], seconds_K[is_valid_K])


def same(*prints: Prints) -> list[Match]:
    return find_same(prints, [f"file {place}" for place in range(len(prints))])


# --- songs


@cache
def song(seed: int) -> np.ndarray:
    return compose(seed, 24, "house", RATE, tempo_bpm=124).sound.mean(0)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])  # AAC, Opus
def test_a_song_in_another_film_cut_and_faded_is_found_and_others_are_not(tmp_path, suffix):
    fade = np.linspace(0, 1, 2 * RATE) ** 2
    cut = song(1)[round(5.437 * RATE) :].copy()
    cut[: len(fade)] *= fade
    write_sound(tmp_path / "cut.wav", 0.4 * cut, RATE)
    film_path = tmp_path / f"film{suffix}"
    with FilmWriter(film_path, 32, 32, Fraction(1), Song(tmp_path / "cut.wav")) as film:
        for _ in range(18):
            film.write(np.zeros((32, 32, 3), np.uint8))
    matches = same(heard(song(2)), heard(song(1)), heard(read_sound(film_path, RATE, "mono")))
    assert [(m.first, m.second, m.what) for m in matches] == [(1, 2, "same song")]
    assert abs(matches[0].offset_seconds + 5.437) < 0.04
    assert 12 < matches[0].shared_seconds < 18.6


def test_songs_of_the_same_instruments_at_the_same_tempo_are_not_the_same():
    assert same(*(heard(song(seed)) for seed in range(1, 5))) == []


def test_drums_every_clip_has_tie_none():
    rng = np.random.default_rng(0)
    clips = []
    for _ in range(30):
        hash_H = np.concatenate([np.full(900, 77), np.full(900, 78), rng.integers(0, 2**23, 3_000)])
        time_H = rng.integers(0, 9_000, len(hash_H))
        order = np.argsort(time_H, kind="stable")
        clips.append(
            Prints(hash_H[order].astype(np.uint32), time_H[order].astype(np.int32), *NO_PICTURES)
        )
    assert same(*clips) == []


def sharing(
    shared_seconds: float, seconds: float = 60, offset: float = 7.3, every: int = 1
) -> list[Prints]:
    """Two clips with 30 random hashes a second, and a stretch of the one in the other."""
    rng = np.random.default_rng(round(shared_seconds * 10))
    count, hops = int(30 * seconds), int(seconds / HOP_SECONDS)
    clips = []
    for _ in range(2):
        hash_H = rng.integers(0, 2**23, count).astype(np.uint32)
        clips.append(Prints(hash_H, np.sort(rng.integers(0, hops, count)), *NO_PICTURES))
    first, second = clips
    seconds_H = first.sound_time_N * HOP_SECONDS
    stretch = (seconds_H >= 10) & (seconds_H < 10 + shared_seconds)
    stretch &= np.arange(count) % every == 0
    joined_H = np.concatenate(
        [second.sound_time_N, first.sound_time_N[stretch] + round(offset / HOP_SECONDS)]
    )
    order = np.argsort(joined_H, kind="stable")
    hash_H = np.concatenate([second.sound_hash_N, first.sound_hash_N[stretch]])[order]
    return [first, Prints(hash_H, joined_H[order], *NO_PICTURES)]


@pytest.mark.parametrize("shared_seconds", [2, 6, 9, 11, 20])
def test_a_jingle_ties_no_clips_but_enough_of_a_song_does(shared_seconds):
    matches = same(*sharing(shared_seconds))
    if shared_seconds < 10:
        assert matches == []
    else:
        [match] = matches
        assert match.what == "same song"
        assert abs(match.shared_seconds - shared_seconds) < 1
        assert abs(match.offset_seconds - 7.3) < 0.02


@pytest.mark.parametrize(("every", "tied"), [(6, True), (20, False)])
def test_here_and_there_a_landmark_ties_none(every, tied):
    assert bool(same(*sharing(40, every=every))) == tied


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(6)), st.integers(0, 5))
def test_the_order_of_the_clips_changes_nothing_but_their_places(order, seed):
    rng = np.random.default_rng(seed)
    clips = [*sharing(15), *sharing(25, offset=-4.0), *sharing(3)]
    clips = [
        Prints(c.sound_hash_N, c.sound_time_N, rng.integers(0, 2**64, 9, np.uint64), np.arange(9.0))
        for c in clips
    ]
    matches = same(*(clips[place] for place in order))
    found = {frozenset((order[m.first], order[m.second])) for m in matches}
    assert found == {frozenset((0, 1)), frozenset((2, 3))}
    assert all(m.first < m.second for m in matches)


# --- pictures


def film_of(path: Path, scenes: list[tuple[int, float]], size=(96, 64), crf: int = 20) -> Path:
    """Scenes (seed, seconds) one after the other: rough shapes that drift slowly, 10 a second."""
    width, height = size
    y, x = np.mgrid[0 : 1 : 1j * height, 0 : 1 : 1j * width]
    with FilmWriter(path, width, height, Fraction(10), crf=crf) as film:
        for seed, seconds in scenes:
            rng = np.random.default_rng(seed)
            waves = rng.uniform(-9, 9, (6, 2))
            phases, tints = rng.uniform(0, 6.28, 6), rng.uniform(10, 40, (6, 3))
            for n in range(int(seconds * 10)):
                waved = np.sin(np.tensordot(waves, [y, x], 1) + phases[:, None, None] + n / 50)
                picture = 128 + np.tensordot(waved, tints, (0, 0))
                film.write(picture.clip(0, 255).astype(np.uint8))
    return path


def scenes(first: int, count: int, seconds: float = 1.7) -> list[tuple[int, float]]:
    return [(seed, seconds) for seed in range(first, first + count)]


def test_a_film_encoded_small_and_cut_is_found(tmp_path):
    whole = film_of(tmp_path / "whole.mp4", scenes(0, 14))
    part = film_of(
        tmp_path / "part.webm", [(3, 0.9), *scenes(4, 10), *scenes(50, 3)], (48, 48), crf=40
    )
    other = film_of(tmp_path / "other.mp4", scenes(100, 14))
    [match] = same(seen(whole), seen(other), seen(part))
    assert (match.first, match.second, match.what) == (0, 2, "same pictures")
    assert 16 < match.shared_seconds < 19
    assert abs(match.offset_seconds - (0.9 - 4 * 1.7)) < 0.5


def test_shared_cards_and_intros_do_not_tie(tmp_path):
    card, intro = [(999, 14.0)], scenes(200, 3)
    with_card = [film_of(tmp_path / f"c{n}.mp4", card + scenes(n, 8)) for n in (300, 400)]
    with_intro = [film_of(tmp_path / f"i{n}.mp4", intro + scenes(n, 12)) for n in (500, 600)]
    assert same(*map(seen, with_card)) == []
    assert same(*map(seen, with_intro)) == []


def test_the_same_bytes_are_the_same_file_and_are_looked_at_once():
    clips = sharing(20)
    matches = find_same([clips[0], clips[1], clips[0], clips[0]], ["a", "b", "a", "a"])
    assert [(m.first, m.second, m.what) for m in matches] == [
        (0, 1, "same song"),
        (0, 2, "same file"),
        (0, 3, "same file"),
    ]
    assert 55 < matches[1].shared_seconds < 60
    assert groups_of(4, [(match.first, match.second) for match in matches]) == [0, 0, 0, 0]


def test_clips_without_prints_and_no_clips():
    nothing = Prints(*NO_SOUND, *NO_PICTURES)
    assert same() == []
    assert same(nothing, nothing) == []
    assert same(nothing, *sharing(20))[0].first == 1


# --- what it is made of


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=14))
def test_groups_are_what_can_be_reached(count, ties):
    ties = [(min(a, b), max(a, b)) for a, b in ties if a != b and max(a, b) < count]
    groups = groups_of(count, ties)
    for a, b in itertools.combinations(range(count), 2):
        assert (groups[a] == groups[b]) == _connected(a, b, ties)
    assert all(groups[group] == group <= n for n, group in enumerate(groups))


def _connected(start: int, goal: int, ties: list[tuple[int, int]]) -> bool:
    seen_places, waiting = {start}, [start]
    while waiting:
        place = waiting.pop()
        for a, b in ties:
            for one, other in ((a, b), (b, a)):
                if one == place and other not in seen_places:
                    seen_places.add(other)
                    waiting.append(other)
    return goal in seen_places


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), max_size=40))
def test_equal_pairs_are_all_pairs_of_equal_keys(entries):
    entries.sort(key=lambda entry: entry[1])
    key = np.array([key for key, _ in entries], np.uint32)
    clip = np.array([clip for _, clip in entries], np.int32)
    found = [
        (int(i), int(j))
        for i_P, j_P in equal_pairs(key, clip, 10**6)
        for i, j in zip(i_P, j_P, strict=True)
    ]
    expected = {
        (i, j)
        for i, j in itertools.combinations(range(len(entries)), 2)
        if key[i] == key[j] and clip[i] != clip[j]
    }
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_of_too_many_pairs_the_rarest_keys_are_taken():
    often = {1: 50, 2: 20, 3: 3, 4: 2, 5: 2}
    key = np.repeat(list(often), list(often.values())).astype(np.uint32)
    clip = np.arange(len(key), dtype=np.int32)
    for most_pairs, kept in (
        (10**6, {1, 2, 3, 4, 5}),
        (1_000, {2, 3, 4, 5}),
        (6, {3, 4, 5}),
        (1, set()),
    ):
        pairs = [i_P for i_P, _ in equal_pairs(key, clip, most_pairs)]
        taken = np.concatenate([np.empty(0, np.int64), *pairs])
        assert set(key[taken].tolist()) == kept
        assert len(taken) <= most_pairs


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(3, 5), st.integers(-4, 4)), max_size=60),
    st.integers(1, 6),
)
def test_elections_are_counted_right(cast, at_least):
    votes = votes_for(*(np.array([vote[n] for vote in cast], np.int64) for n in range(3)))
    counts = Counter(cast)
    expected = []
    for first, second in itertools.product(range(3), range(3, 6)):
        cells = [
            (-counts[first, second, cell] - counts[first, second, cell + 1], cell)
            for cell in range(-4, 5)
            if counts[first, second, cell]
        ]
        if cells and -min(cells)[0] >= at_least:
            expected.append((first, second, min(cells)[1]))
    assert list(elected([votes], at_least)) == expected


def test_bits_are_counted():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**64, (7, 9), np.uint64)
    expected = [[int(value).bit_count() for value in row] for row in values]
    assert sameness._bits_set(values).tolist() == expected


def test_prints_are_kept_to_the_bit(tmp_path):
    clip = sharing(15)[1]
    clip = Prints(
        clip.sound_hash_N,
        clip.sound_time_N,
        np.array([2**64 - 1, 3], np.uint64),
        np.array([0.1, 7]),
    )
    save_prints(tmp_path / "one.npz", clip)
    save_prints(tmp_path / "two.npz", clip)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    again = load_prints(tmp_path / "one.npz")
    for name, array in vars(clip).items():
        assert np.array_equal(getattr(again, name), array)
        assert getattr(again, name).dtype == array.dtype
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.npz", "two.npz"]


@pytest.mark.parametrize("content", [None, b"", b"words", b"PK\x03\x04" + bytes(80)])
def test_damaged_prints_are_named(tmp_path, content):
    path = tmp_path / "clip.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"clip\.npz: cannot be read"):
        load_prints(path)


def test_prints_that_lack_an_array_or_need_code_are_refused(tmp_path):
    np.savez(tmp_path / "part.npz", sound_hash_N=np.zeros(3))
    np.savez(tmp_path / "code.npz", sound_hash_N=np.array([object()]))
    for name in ("part.npz", "code.npz"):
        with pytest.raises(DatasetError, match=name):
            load_prints(tmp_path / name)


# --- the real clips


@pytest.mark.parametrize(
    ("first", "second", "offset_seconds"),
    [
        pytest.param(  # Vorbis and AAC
            "bbb_30s_vp8.webm", "bbb_opening_720p.mp4", 0.0, marks=pytest.mark.slow
        ),
        ("sintel_trailer_480.mp4", "sintel_trailer_mpeg1.mpg", -20.05),  # MP2: 20 s of the 52
    ],
)
def test_real_clips_that_overlap_are_found_among_others(first, second, offset_seconds):
    names = [first, second, "bbb_flight_360p.mp4", "sintel_bridge_480p.mp4"]
    paths = [MEDIA / "videos" / name for name in names]
    if not all(path.is_file() for path in paths):
        pytest.skip(f"{first} and others are not there (SOUNDREEL_MEDIA may say where)")
    matches = same(*(heard(read_sound(path, RATE, "mono")) for path in paths))
    assert [(m.first, m.second) for m in matches] == [(0, 1)]
    assert abs(matches[0].offset_seconds - offset_seconds) < 0.1


@pytest.mark.slow
def test_real_pictures_of_the_same_scene_are_found():
    names = ("bbb_30s_vp8.webm", "bbb_opening_720p.mp4", "bbb_flight_360p.mp4")
    paths = [MEDIA / "videos" / name for name in names]
    if not all(path.is_file() for path in paths):
        pytest.skip(f"{names[0]} and others are not there (SOUNDREEL_MEDIA may say where)")
    [match] = same(*(seen(path, Fraction(1, 2), 30) for path in paths))
    assert (match.first, match.second, match.what) == (0, 1, "same pictures")
    assert match.shared_seconds > 25
