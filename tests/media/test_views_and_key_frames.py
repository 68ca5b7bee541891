"""Several fits of one picture, and the quick look at a film's key frames."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clips_made_here import brightness_of, counting_clip
from soundreel.errors import MediaError
from soundreel.media.sound import write_sound
from soundreel.media.video import Fit, frames_at, key_frames, views_at

MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", Path(__file__).parents[3] / "shared" / "media"))


def test_views_are_what_each_fit_alone_gives(tmp_path):
    clip = counting_clip(tmp_path / "clip.mp4", seconds=2)
    times = [Fraction(n, 7) for n in range(14)]
    fits = Fit(32, 32), Fit(54, 96), Fit(16, 48, "lanczos", Fraction(1), (0.1, 0, 0, 0.2))
    together = list(views_at(clip, times, fits))
    for place, fit in enumerate(fits):
        alone = list(frames_at(clip, times, fit))
        assert len(alone) == len(together) == 14
        for (k, picture), (also_k, views) in zip(alone, together, strict=True):
            assert k == also_k
            np.testing.assert_array_equal(picture, views[place])


def film_with_key_frames_every(path: Path, group: int, frames: int, fps: int = 25) -> Path:
    with av.open(str(path), "w") as container:
        options = {"g": str(group), "keyint_min": str(group), "sc_threshold": "0", "bf": "2"}
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for n in range(frames):
            grey = np.full((48, 64, 3), brightness_of(n), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_key_frames_are_the_films_own_in_order(tmp_path, suffix):
    film = film_with_key_frames_every(tmp_path / f"film{suffix}", 20, 200)
    found = [picture.mean() for picture in key_frames(film, Fit(24, 32))]
    expected = [brightness_of(n) for n in range(0, 200, 20)]
    assert len(found) == 10
    assert np.abs(np.array(found) - expected).max() < 3


def test_of_many_key_frames_some_are_taken_over_the_whole_film(tmp_path):
    film = film_with_key_frames_every(tmp_path / "film.mp4", 2, 180)
    found = [picture.mean() for picture in key_frames(film, Fit(24, 32), most=10)]
    assert 5 <= len(found) <= 10
    taken = [brightness_of(n) for n in range(0, 180, 2)]
    places = [int(np.abs(np.array(taken) - value).argmin()) for value in found]
    assert places[0] < 18
    assert places[-1] >= 72, "the last of them is near the film's end"
    assert places == sorted(places)


def test_in_a_long_film_it_seeks_to_them(tmp_path):
    film = film_with_key_frames_every(tmp_path / "film.mp4", 5, 400, fps=1)  # 400 s
    found = [picture.mean() for picture in key_frames(film, Fit(24, 32), most=8)]
    targets = [400 * (n + 0.5) / 8 for n in range(8)]
    expected = [brightness_of(5 * int(target // 5)) for target in targets]
    assert np.abs(np.array(found) - expected).max() < 3


def test_a_song_has_no_key_frames(tmp_path):
    write_sound(tmp_path / "song.flac", np.zeros(4_000, np.float32), 8_000)
    with pytest.raises(MediaError, match="no video"):
        key_frames(tmp_path / "song.flac", Fit(24, 32))


@pytest.mark.skipif(not MEDIA.is_dir(), reason=f"no media in {MEDIA}")
@pytest.mark.parametrize("name", ["bbb_opening_720p.mp4", "sintel_trailer_mpeg1.mpg"])
def test_key_frames_of_real_films_are_pictures_of_them(name):
    path = MEDIA / "videos" / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    fit = Fit(36, 64)
    found = key_frames(path, fit, most=6)
    all_frames = np.stack(
        [picture for _, picture in frames_at(path, [Fraction(n, 24) for n in range(24 * 96)], fit)]
    ).astype(int)
    assert len(found) >= 3
    for picture in found:
        assert np.abs(all_frames - picture).mean(axis=(1, 2, 3)).min() < 1
