"""`render`: as long as the song, picture and sound aligned, whole or not at all."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from soundreel.errors import MediaError, ModelError, SettingsError, SoundreelError
from soundreel.media.probe import probe
from soundreel.media.sound import read_sound, sound_duration, write_sound
from soundreel.media.video import Fit, frames_at
from soundreel.networks.bundle import Model, load_model, save_model
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from
from soundreel.rendering.film import film_size
from soundreel.rendering.generate import film_pictures
from soundreel.rendering.movie import render
from soundreel.timeline import frame_count, frame_time

RATE = 44_100


@dataclass(frozen=True)
class Watching(Model):
    """A model whose picture is white where its window's newest columns hold a sound, else black:
    what it shows is known at every time, so a film of it says whether picture and sound agree."""

    def pictures(self, x_B1SS, seeds, cue_BK=None):
        heard_B = x_B1SS[:, 0, :, -6:].amax(dim=(1, 2)) > -0.5
        return torch.where(heard_B, 1.0, -1.0)[:, None, None, None].expand(-1, 3, 64, 64)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory) -> Path:
    arguments = {"size": 64, "width": 4, "norm": "frozen-batch", "in_channels": 1}
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "small"
    save_model(folder, UNet(**arguments), arguments, recipe_from(), "sound-to-picture", {})
    return folder


@pytest.fixture(scope="module")
def watching(model_folder) -> Model:
    model = load_model(model_folder, "fp32")
    return Watching(**{name: getattr(model, name) for name in model.__dataclass_fields__})


def song_with_clicks(path: Path, seconds: float, clicks: list[float]) -> Path:
    sound = np.zeros((2, int(seconds * RATE)), np.float32)
    for click in clicks:
        at = int(click * RATE)
        burst = np.random.default_rng(0).uniform(-0.8, 0.8, 400).astype(np.float32)
        sound[:, at : at + 400] = burst
    write_sound(path, sound, RATE)
    return path


def brightness(film: Path, fps: Fraction, frames: int) -> np.ndarray:
    times = [frame_time(n, fps) + Fraction(1, 1000) for n in range(frames)]
    return np.array([picture.mean() for _, picture in frames_at(film, times, Fit(16, 16))])


@pytest.mark.parametrize("fps", ["24000/1001", "25", "30000/1001", "30", "50", "60"])
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_picture_and_sound_of_a_film_agree_to_within_a_frame(watching, tmp_path, fps, suffix):
    fps = Fraction(fps)
    clicks = [0.5, 1.23, 2.017]
    song = song_with_clicks(tmp_path / "song.flac", 2.6, clicks)
    film = render(watching, song, tmp_path / f"film{suffix}", fps=fps, smooth="none")
    seen = brightness(film.path, fps, film.frames)
    heard = read_sound(film.path, RATE, "mono")
    flashes = np.flatnonzero((seen[1:] > 128) & (seen[:-1] <= 128)) + 1
    assert len(flashes) == len(clicks)
    for click, flash in zip(clicks, flashes, strict=True):
        nearby = heard[int((click - 0.2) * RATE) : int((click + 0.2) * RATE)]
        began = click - 0.2 + np.flatnonzero(np.abs(nearby) > 0.2)[0] / RATE
        assert abs(began - click) < 0.005, "the sound lies where the song has it"
        shown = float(frame_time(int(flash), fps))
        # The first frame that can have heard it, or the next one: the window's edge is faint.
        assert 0 <= shown - began < 2.05 / float(fps)


@pytest.mark.parametrize("seconds", [0.2, 1.0, 3.3337])
def test_the_film_is_as_long_as_the_song(model_folder, tmp_path, seconds):
    song = song_with_clicks(tmp_path / "song.flac", seconds, [0.05])
    film = render(model_folder, song, tmp_path / "film.mp4", fps=Fraction(30))
    exact = sound_duration(song)
    assert film.frames == frame_count(exact, Fraction(30))
    assert film.seconds == exact
    assert len(brightness(film.path, film.fps, film.frames + 9)) == film.frames
    sound_seconds = len(read_sound(film.path, RATE, "mono")) / RATE
    assert abs(sound_seconds - float(exact)) < 0.03
    info = probe(film.path)
    assert info.video is not None
    assert info.video.fps == 30
    assert info.audio is not None
    assert info.audio.channels == 2


def test_a_span_looks_like_that_stretch_of_the_whole(model_folder, tmp_path):
    """A film from 1.5 s on hears what came before 1.5 s: its frames are those of the whole film."""
    noise = np.random.default_rng(1).uniform(-0.3, 0.3, 4 * RATE).astype(np.float32)
    song = tmp_path / "song.flac"
    write_sound(song, noise * np.linspace(0, 1, noise.size, dtype=np.float32), RATE)
    model = load_model(model_folder, "fp32")
    fps = Fraction(30)
    whole = list(film_pictures(model, song, Fraction(0), 120, fps, seed=0))
    part = list(film_pictures(model, song, Fraction(3, 2), 75, fps, seed=0))
    assert len(whole) == 120
    differences = [
        np.abs(one.astype(int) - two).max() for one, two in zip(whole[45:], part, strict=True)
    ]
    assert max(differences) <= 1


def test_the_batch_changes_nothing(model_folder, tmp_path):
    song = song_with_clicks(tmp_path / "song.flac", 1, [0.2, 0.6])
    model = load_model(model_folder, "fp32")
    one, eight = (
        np.stack(list(film_pictures(model, song, Fraction(0), 20, Fraction(20), 0, batch)))
        for batch in (1, 8)
    )
    assert np.abs(one.astype(int) - eight).max() <= 1


def test_the_same_command_makes_the_same_file(model_folder, tmp_path):
    song = song_with_clicks(tmp_path / "song.flac", 1, [0.2])
    for name in ("one.mp4", "two.mp4"):
        render(model_folder, song, tmp_path / name, fps=Fraction(10), compute="torch-fp32")
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_a_film_comes_out_in_the_clips_shape():
    assert film_size(recipe_from("default", picture_aspect="16/9")) == (456, 256)
    assert film_size(recipe_from("paper")) == (256, 256)


@pytest.mark.parametrize("name", ["film.gif", "frames"])
def test_gif_and_png_folder(model_folder, tmp_path, name):
    song = song_with_clicks(tmp_path / "song.flac", 0.5, [0.2])
    film = render(model_folder, song, tmp_path / name, fps=Fraction(10), size=(64, 36))
    if film.path.is_dir():
        assert len(list(film.path.glob("*.png"))) == 5
    else:
        from PIL import Image

        with Image.open(film.path) as image:
            assert (getattr(image, "n_frames", 1), image.size) == (5, (64, 36))


def test_what_a_person_can_get_wrong_is_one_line_and_leaves_nothing(model_folder, tmp_path):
    song = song_with_clicks(tmp_path / "song.flac", 1, [0.2])
    (tmp_path / "words.mp3").write_text("la la la")
    weights = (model_folder / "model.safetensors").read_bytes()
    altered = tmp_path / "altered"
    altered.mkdir()
    (altered / "config.json").write_bytes((model_folder / "config.json").read_bytes())
    cases: list[tuple[type[SoundreelError], dict]] = [
        (MediaError, {"song": tmp_path / "missing.mp3"}),
        (MediaError, {"song": tmp_path / "words.mp3"}),
        (SettingsError, {"start_seconds": Fraction(5)}),
        (SettingsError, {"out": tmp_path / "film.xyz"}),
        (SettingsError, {"size": (0, 10)}),
        (ModelError, {"model": tmp_path / "nothing"}),
        (ModelError, {"model": tmp_path}),
        (ModelError, {"model": altered}),
    ]
    before = sorted(path.name for path in tmp_path.iterdir())
    for error, wrong in cases:
        call = {"model": model_folder, "song": song, "out": tmp_path / "film.mp4", **wrong}
        with pytest.raises(error) as caught:
            render(call.pop("model"), call.pop("song"), call.pop("out"), **call)
        assert "\n" not in str(caught.value)
        assert sorted(path.name for path in tmp_path.iterdir()) == before
    (altered / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with pytest.raises(ModelError, match="altered"):
        render(altered, song, tmp_path / "film.mp4")


def test_a_model_whose_shape_is_changed_still_renders_its_own_recipe(watching, tmp_path):
    wide = replace(watching, recipe=recipe_from("default", picture_aspect="2/1"))
    song = song_with_clicks(tmp_path / "song.flac", 0.3, [0.1])
    film = render(wide, song, tmp_path / "film.mp4", fps=Fraction(10))
    info = probe(film.path).video
    assert info is not None
    assert (info.width, info.height) == (512, 256)
