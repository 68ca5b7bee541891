import json
from fractions import Fraction

import av
import numpy as np
import pytest

from soundreel.errors import DatasetError, SettingsError
from soundreel.synthetic.corpus import DIRECTOR, PlantedTruth, make_corpus, make_song
from soundreel.synthetic.listening import listen

FPS = Fraction(12)
SMALL = {"seconds": 16.0, "width": 128, "height": 72, "fps": FPS}
TINY = {"seconds": 5.0, "width": 64, "height": 64, "fps": FPS}


def decoded(path):
    """Pictures [T, H, W, 3] and sound [2, n] of a film, by PyAV alone."""
    with av.open(str(path)) as film:
        pictures = np.stack([frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)])
    with av.open(str(path)) as film:
        sound = np.concatenate([frame.to_ndarray() for frame in film.decode(audio=0)], axis=1)
        rate_hz = film.streams.audio[0].rate
    return pictures, sound, rate_hz


def truth_of(film):
    return json.loads(film.with_suffix(".truth.json").read_text())


def assert_same_clip(one, other):
    """Same truth to the letter, same film to the byte."""
    texts = [film.with_suffix(".truth.json").read_text() for film in (one, other)]
    assert texts[0] == texts[1]
    assert one.read_bytes() == other.read_bytes()


def loudness_and_brightness(film):
    """Correlation, within one film as decoded, of what is heard with what is seen."""
    pictures, sound, rate_hz = decoded(film)
    heard = listen(sound, rate_hz, FPS, len(pictures)).loudness_db
    return np.corrcoef(heard, pictures.mean(axis=(1, 2, 3)))[0, 1]


@pytest.fixture(scope="module")
def coupled(tmp_path_factory):
    out = tmp_path_factory.mktemp("coupled")
    truth = PlantedTruth(coupling=1.0, cuts_on_beats=1.0)
    return make_corpus(out, 4, truth=truth, seed=5, **SMALL)


def test_films_are_whole(coupled):
    for film in coupled:
        pictures, sound, rate_hz = decoded(film)
        assert pictures.shape == (192, 72, 128, 3)
        assert rate_hz == 44_100
        assert abs(sound.shape[1] / rate_hz - 16) < 0.05
        assert np.abs(sound).max() < 1, "no clipping, even after the codec"
        assert 0.01 < np.sqrt(np.mean(sound**2)) < 0.4


def test_with_full_coupling_the_picture_follows_the_music(coupled):
    for film in coupled:
        assert loudness_and_brightness(film) > 0.8, film.name
        truth = truth_of(film)
        for seen, heard in (("brightness", "loudness"), ("hue", "centroid"), ("motion", "flux")):
            np.testing.assert_allclose(truth["seen"][seen], truth["heard"][heard], atol=2e-4)


def test_what_was_heard_is_what_can_be_heard_in_the_film(coupled):
    """The latent curves again from the decoded AAC: an encoder's delay would show."""
    for film in coupled:
        _, sound, rate_hz = decoded(film)
        found = listen(sound, rate_hz, FPS, 192).standardised()
        for curve, name in zip(found, ("loudness", "centroid", "flux"), strict=True):
            assert np.corrcoef(curve, truth_of(film)["heard"][name])[0, 1] > 0.97, name


def test_cuts_are_seen_where_they_are_written_and_on_beats(coupled):
    leaps, cuts = 0, 0
    for film in coupled:
        truth = truth_of(film)
        pictures = decoded(film)[0].astype(float)
        scaled = pictures / pictures.mean(axis=(1, 2, 3), keepdims=True)
        change = np.abs(np.diff(scaled, axis=0)).mean(axis=(1, 2, 3))
        at = np.array(truth["cut_frames"], int)
        leaps += (change[at - 1] > np.percentile(np.delete(change, at - 1), 95)).sum()
        cuts += len(at)
        beats = np.array(truth["beats_seconds"])
        for cut in truth["cuts_seconds"]:
            assert np.abs(beats - cut).min() < 1e-3
        for frame in at:
            late = frame / 12 - np.array(truth["cuts_seconds"])
            assert ((late > -1e-4) & (late < 1 / 12 + 1e-4)).any(), "first frame not before it"
    assert cuts >= 8
    assert leaps > 0.75 * cuts


def test_without_coupling_the_picture_is_deaf(tmp_path):
    films = make_corpus(tmp_path, 8, truth=PlantedTruth(), seed=1, **{**TINY, "seconds": 12.0})
    found = [loudness_and_brightness(film) for film in films]
    assert abs(np.mean(found)) < 0.3
    off = []
    for film in films:
        truth = truth_of(film)
        beats = np.array(truth["beats_seconds"])
        off += [np.abs(beats - cut).min() < 0.02 for cut in truth["cuts_seconds"]]
    assert np.mean(off) < 0.4


def test_the_same_arguments_make_the_same_clips_and_finished_clips_are_kept(tmp_path):
    short = {**TINY, "seconds": 3.0}
    first = make_corpus(tmp_path / "a", 2, seed=3, **short)
    second = make_corpus(tmp_path / "b", 2, seed=3, **short)
    assert [film.name for film in first] == [film.name for film in second]
    for one, other in zip(first, second, strict=True):
        assert_same_clip(one, other)
    kept = first[0].stat().st_mtime_ns
    first[1].unlink()
    steps = []
    assert make_corpus(tmp_path / "a", 2, seed=3, progress=steps.append, **short) == first
    assert first[0].stat().st_mtime_ns == kept, "a finished clip is made once"
    assert_same_clip(first[1], second[1])
    assert [step.done for step in steps] == [0, 1, 2]
    files = {path.name for path in (tmp_path / "a").iterdir()}
    names = {film.name for film in first}
    truths = {film.with_suffix(".truth.json").name for film in first}
    assert files == names | truths | {"corpus.json"}
    listed = json.loads((tmp_path / "a" / "corpus.json").read_text())
    assert [clip["film"] for clip in listed["clips"]] == [film.name for film in first]


def test_another_corpus_in_its_place_is_refused(tmp_path):
    short = {**TINY, "seconds": 2.0}
    make_corpus(tmp_path, 1, seed=3, **short)
    with pytest.raises(DatasetError, match="other settings"):
        make_corpus(tmp_path, 1, seed=4, **short)
    (broken,) = tmp_path.glob("*.truth.json")
    broken.write_text("{")
    with pytest.raises(DatasetError, match="remove it"):
        make_corpus(tmp_path, 1, seed=3, **short)


def test_the_switches_do_to_films_what_they_say(tmp_path):
    short = TINY

    def made(name, **switches):
        films = make_corpus(tmp_path / name, 4, truth=PlantedTruth(**switches), seed=2, **short)
        return films, [truth_of(film) for film in films]

    films, truths = made("twins", duplicate_songs=True, look_constant=False)
    assert [truth["song"] for truth in truths] == [0, 1, 0, 1]
    assert len({truth["look"]["name"] for truth in truths}) == 1
    np.testing.assert_array_equal(decoded(films[0])[1], decoded(films[2])[1])
    assert not np.array_equal(decoded(films[0])[0], decoded(films[2])[0])
    films, truths = made("traps", shared_fades=True, random_walk=True, same_tempo_random_phase=True)
    ends = []
    for film, truth in zip(films, truths, strict=True):
        assert abs(truth["bpm"] / 120 - 1) < 0.02
        pictures, sound, _ = decoded(film)
        assert np.abs(sound[:, :3000]).max() < 0.1 * np.abs(sound).max()
        light = pictures.mean(axis=(1, 2, 3))
        ends.append((light[0] + light[-1]) / 2 / np.median(light))
    assert np.mean(ends) < 0.7
    assert len({truth["look"]["name"] for truth in truths}) == 4
    _, truths = made("smooth", matched_smoothness=True)
    for truth in truths:
        for heard, seen in (("loudness", "brightness"), ("flux", "motion")):
            powers = [
                np.abs(np.fft.rfft(truth[a][b])) for a, b in (("heard", heard), ("seen", seen))
            ]
            assert np.corrcoef(powers[0][1:], powers[1][1:])[0, 1] > 0.95
    _, truths = made("late", coupling=1.0, av_offset_seconds=0.25)
    for truth in truths:
        heard, seen = (np.array(truth[a][b]) for a, b in (("heard", "centroid"), ("seen", "hue")))
        assert np.corrcoef(seen[3:], heard[:-3])[0, 1] > 0.999, "3 frames of 1/12 s"
        assert np.corrcoef(seen, heard)[0, 1] < 0.99
    _, truths = made("rules", coupling=1.0, per_video_mapping=True, nonlinear=True)
    assert len({str(truth["mapping"]) for truth in truths}) > 1
    for truth in truths:
        heard = np.array([truth["heard"][name] for name in ("loudness", "centroid", "flux")])
        squares = np.array(truth["mapping"]) @ heard
        for square, name in zip(squares**2, ("brightness", "hue", "motion"), strict=True):
            assert np.corrcoef(square, truth["seen"][name])[0, 1] > 0.999


def test_a_director_gives_a_genre_its_look(tmp_path):
    films = make_corpus(
        tmp_path, 7, truth=DIRECTOR, seed=2, seconds=2.0, width=64, height=36, fps=FPS
    )
    truths = [truth_of(film) for film in films]
    assert len({truth["genre"] for truth in truths[:6]}) == 6
    assert len({truth["look"]["kind"] for truth in truths[:6]}) == 6
    assert truths[6]["genre"] == truths[0]["genre"]
    assert truths[6]["look"] == truths[0]["look"]
    assert truths[6]["song"] != truths[0]["song"]


def test_workers_make_the_same_films(tmp_path):
    short = {**TINY, "seconds": 2.0}
    alone = make_corpus(tmp_path / "alone", 2, seed=1, **short)
    together = make_corpus(tmp_path / "together", 2, seed=1, workers=2, **short)
    for one, other in zip(alone, together, strict=True):
        assert_same_clip(one, other)


def test_a_song_for_a_film(tmp_path):
    path = make_song(tmp_path / "song.flac", 7, 4.0, "house")
    with av.open(str(path)) as song:
        sound = np.concatenate([frame.to_ndarray() for frame in song.decode(audio=0)], axis=1)
    assert sound.size == 2 * 4 * 44_100
    before = path.stat().st_mtime_ns
    assert make_song(path, 7, 4.0, "house").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "says"), [({"clips": 0}, "clips"), ({"seconds": 0.5}, "seconds")]
)
def test_impossible_corpora_are_refused(tmp_path, arguments, says):
    with pytest.raises(SettingsError, match=says):
        make_corpus(tmp_path, **arguments)
