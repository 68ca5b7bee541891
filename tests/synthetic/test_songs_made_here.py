import dataclasses
from fractions import Fraction

import librosa
import numpy as np
import pytest

from soundreel.errors import SettingsError
from soundreel.synthetic.genres import GENRES
from soundreel.synthetic.listening import listen
from soundreel.synthetic.songs import compose, drift

RATE_HZ = 22_050
SECONDS = 24.0


@pytest.fixture(scope="module")
def songs():
    return {name: compose(3, SECONDS, name, RATE_HZ) for name in GENRES}


def decibels(sound):
    return 10 * np.log10(np.mean(sound.astype(np.float64) ** 2))


@pytest.mark.parametrize("genre", GENRES)
def test_a_song_is_mastered_without_clipping(songs, genre):
    song = songs[genre]
    assert song.sound.shape == (2, SECONDS * RATE_HZ)
    assert song.sound.dtype == np.float32
    assert np.isfinite(song.sound).all()
    assert 0.5 < np.abs(song.sound).max() < 0.9
    assert -15 < decibels(song.sound) < -10
    flat_top = np.mean(np.abs(song.sound) > 0.995 * np.abs(song.sound).max())
    assert flat_top < 0.003, "a song that is cut off at its peaks is distorted"
    assert np.corrcoef(song.sound)[0, 1] < 0.999, "a song is stereo"


@pytest.mark.parametrize("genre", GENRES)
def test_the_tempo_is_the_genres_and_drifts(songs, genre):
    song = songs[genre]
    low, high = GENRES[genre].tempo_bpm
    assert 0.97 * low < song.bpm_at_beats.min()
    assert song.bpm_at_beats.max() < 1.03 * high
    assert 0.0005 < song.bpm_at_beats.std() / song.bpm_at_beats.mean() < 0.02
    np.testing.assert_allclose(60 / np.diff(song.beat_times_seconds), song.bpm_at_beats[:-1])
    assert 0 < song.beat_times_seconds[0] < 0.6
    np.testing.assert_array_equal(song.bar_times_seconds, song.beat_times_seconds[::4])


def test_an_independent_ear_hears_the_tempo(songs):
    """Within 4% of the tempo, or of its half or double, in at least 5 of 6."""
    heard = 0
    for song in songs.values():
        tempo = librosa.feature.tempo(y=song.sound.mean(axis=0), sr=RATE_HZ)[0]
        ratio = tempo / song.bpm_at_beats.mean()
        heard += any(abs(ratio / whole - 1) < 0.04 for whole in (0.5, 1, 2))
    assert heard >= 5


def test_beats_are_where_the_drums_are(songs):
    """Low-frequency onsets at the beats are far above those between them."""
    for genre in ("house", "synthwave", "rock-ballad"):
        song = songs[genre]
        strength = librosa.onset.onset_strength(
            y=song.sound.mean(axis=0), sr=RATE_HZ, hop_length=128, n_fft=1024, fmax=150, n_mels=8
        )
        times = librosa.times_like(strength, sr=RATE_HZ, hop_length=128)
        played = [
            beat
            for beat in song.bar_times_seconds
            if any(a <= beat < b for a, b, name in song.sections if name in ("verse", "chorus"))
        ]
        step = 60 / song.bpm_at_beats.mean() / 4
        near = [strength[np.abs(times - beat) < 0.03].max() for beat in played]
        apart = [strength[np.abs(times - beat - step) < 0.03].max() for beat in played]
        assert np.mean(near) > 2.5 * np.mean(apart), genre


@pytest.mark.parametrize("genre", GENRES)
def test_sections_cover_the_song_and_differ(songs, genre):
    song = compose(3, 48.0, genre, RATE_HZ)
    starts = [start for start, _, _ in song.sections]
    stops = [stop for _, stop, _ in song.sections]
    assert starts[0] == 0
    assert stops[-1] == 48.0
    assert starts[1:] == stops[:-1]
    for start in starts[1:]:
        assert np.abs(song.bar_times_seconds - start).min() < 1e-6, "sections begin on bars"
    levels = {}
    for start, stop, name in song.sections:
        part = song.sound[:, round(start * RATE_HZ) : round(stop * RATE_HZ)]
        levels.setdefault(name, []).append(decibels(part))
    assert np.mean(levels["chorus"]) > np.mean(levels["intro"]) + 1
    every = [level for of_name in levels.values() for level in of_name]
    assert max(every) - min(every) > 3


def test_the_same_seed_makes_the_same_song_and_another_seed_another():
    first, again, other = (compose(seed, 6, "house", RATE_HZ) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.sound, again.sound)
    assert np.abs(np.corrcoef(first.sound[0], other.sound[0])[0, 1]) < 0.5
    names = {compose(seed, 1, None, 16_000).genre for seed in range(12)}
    assert len(names) >= 4, "without a genre the seed chooses"


@pytest.mark.parametrize("seconds", [1, 1.37, 3.999])
def test_short_songs_have_their_length(seconds):
    for genre in GENRES:
        song = compose(0, seconds, genre, 16_000)
        assert abs(song.seconds - seconds) <= 0.5 / 16_000
        assert song.sections[-1][1] == seconds
        assert np.isfinite(song.sound).all()


def test_a_wanted_tempo_is_kept():
    song = compose(5, 30, "ambient", 16_000, tempo_bpm=120)
    assert abs(song.bpm_at_beats.mean() / 120 - 1) < 0.015


@pytest.mark.parametrize(
    ("arguments", "says"),
    [((0, 10, "polka"), "polka"), ((0, 0.1), "0.1"), ((0, 10, None, 8000), "8000")],
)
def test_what_cannot_be_composed_is_refused_in_one_line(arguments, says):
    with pytest.raises(SettingsError, match=says):
        compose(*arguments)


def test_a_song_cannot_be_changed():
    song = compose(0, 1, "house", 16_000)
    with pytest.raises(dataclasses.FrozenInstanceError):
        song.genre = "polka"  # pyright: ignore[reportAttributeAccessIssue]


def test_drift_has_unit_variance_and_its_time_constant():
    curves = np.stack([drift(400, 20, np.random.default_rng(seed)) for seed in range(300)])
    assert abs(curves.var() - 1) < 0.1
    lag = [np.mean(curves[:, :-k] * curves[:, k:]) for k in (1, 20, 100)]
    assert lag[0] > 0.97
    assert 0.2 < lag[1] < 0.65
    assert abs(lag[2]) < 0.15


class TestListening:
    rate = 44_100

    def test_hears_only_what_was_before(self):
        sound = np.random.default_rng(0).standard_normal((2, 2 * self.rate)).astype(np.float32)
        whole = listen(sound * 0.1, self.rate, Fraction(24), 48)
        cut = sound.copy() * 0.1
        cut[:, self.rate :] = 0
        half = listen(cut, self.rate, Fraction(24), 48)
        for curve in ("loudness_db", "centroid_octaves", "flux"):
            before, after = getattr(whole, curve), getattr(half, curve)
            np.testing.assert_array_equal(before[:25], after[:25])
            assert not np.allclose(before[27:], after[27:])

    def test_loudness_is_in_db_and_the_centroid_in_octaves(self):
        time = np.arange(2 * self.rate) / self.rate
        curves = {}
        for hertz in (500, 2000):
            tone = (0.1 * np.sqrt(2) * np.sin(2 * np.pi * hertz * time))[None].astype(np.float32)
            curves[hertz] = listen(tone, self.rate, Fraction(24), 48)
            louder = listen(2 * tone, self.rate, Fraction(24), 48)
            assert abs(curves[hertz].loudness_db[40] + 20) < 0.2
            assert abs(louder.loudness_db[40] + 20 - 6.02) < 0.2
        rise = curves[2000].centroid_octaves[40] - curves[500].centroid_octaves[40]
        assert abs(rise - 2) < 0.15

    def test_flux_leaps_just_after_a_click(self):
        sound = 0.001 * np.random.default_rng(0).standard_normal((1, 3 * self.rate))
        sound[:, self.rate : self.rate + 2000] *= 300
        flux = listen(sound.astype(np.float32), self.rate, Fraction(24), 72).flux
        assert 24 < np.argmax(flux) <= 29
        assert flux.max() > 1 + 4 * np.median(flux)
        assert flux[24] < 0.1 * flux.max()
