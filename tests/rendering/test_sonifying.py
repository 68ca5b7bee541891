"""`sonify` on real files: songs and films, in step, resumed, and what a person can get wrong."""

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

from soundreel.errors import MediaError, ModelError, SettingsError, StorageError
from soundreel.media.loudness import loudness_of
from soundreel.media.probe import probe
from soundreel.media.sound import read_sound, write_sound
from soundreel.media.video import Fit, frames_at
from soundreel.media.writer import FilmWriter
from soundreel.networks.bundle import Model, load_model, save_model
from soundreel.networks.model_folder import Direction
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from
from soundreel.rendering import sonifying
from soundreel.rendering.sonifying import sonify

RECIPE = recipe_from(
    "default",
    sample_rate_hz=8_000,
    sound_image_size=64,
    segment_samples=120,
    hop_samples=40,
    fft_samples=126,
    window_samples=120 + 63 * 40,
    picture_size=16,
)
ARGUMENTS = {
    "size": 64,
    "width": 4,
    "norm": "frozen-batch",
    "in_channels": 3,
    "out_channels": 1,
    "dropout_at_generation": False,
}
FPS, FRAMES = Fraction(25), 75
FLASH = range(30, 40)


class Flashing:
    """A generator that hears a broad band as loud as a frame is bright."""

    def __init__(self, floor=-0.9):
        self.floor = floor

    def sound_images(self, y_BF3HW):
        bright_B = y_BF3HW[:, -1].mean((1, 2, 3))
        image = torch.full((len(y_BF3HW), 1, 64, 64), self.floor)
        image[:, :, 16:48] = bright_B[:, None, None, None]
        return image


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sonify")
    ways: list[tuple[str, Direction]] = [
        ("model", "picture-to-sound"),
        ("forward", "sound-to-picture"),
    ]
    for name, direction in ways:
        torch.manual_seed(1)
        arguments = ARGUMENTS if name == "model" else {**ARGUMENTS, "in_channels": 1}
        save_model(folder / name, UNet(**arguments), arguments, RECIPE, direction, {"preset": "t"})
    with FilmWriter(folder / "video.mp4", 64, 48, FPS) as writer:
        for n in range(FRAMES):
            picture = np.full((48, 64, 3), 235 if n in FLASH else 20, np.uint8)
            picture[:, (n * 3) % 60 : (n * 3) % 60 + 4] = 128
            writer.write(picture)
    with FilmWriter(folder / "video.webm", 64, 48, FPS) as writer:
        for n in range(25):
            writer.write(np.full((48, 64, 3), 9 * n, np.uint8))
    Image.fromarray(np.full((31, 45, 3), 99, np.uint8)).save(folder / "still.png")
    write_sound(folder / "song.wav", 0.1 * np.ones(8_000, np.float32), 8_000)
    return folder


@pytest.fixture
def flashing(place, monkeypatch) -> Model:
    model = load_model(place / "model")
    monkeypatch.setattr(
        Model, "sound_images", lambda _self, y_BF3HW, _seeds: Flashing().sound_images(y_BF3HW)
    )
    return model


def tidy(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["song.wav", "song.flac"])
def test_a_song_is_as_long_as_the_video_and_as_loud_as_was_asked(place, tmp_path, name):
    made = sonify(place / "model", place / "video.mp4", tmp_path / name)
    sound = read_sound(tmp_path / name, 8_000, "mono")
    assert len(sound) == 3 * 8_000
    assert (made.seconds, made.sample_rate_hz, made.picture) == (3, 8_000, "none")
    found = loudness_of([sound], 8_000)
    assert found.integrated_lufs == pytest.approx(-14, abs=0.3)
    assert found.integrated_lufs == pytest.approx(made.loudness_lufs, abs=0.05)
    assert found.true_peak_dbtp <= -0.99
    assert made.loudness_before_lufs is not None
    assert tidy(tmp_path) == [name]
    with av.open(str(tmp_path / name)) as container:
        assert container.streams.audio[0].codec_context.name in ("pcm_s16le", "flac")


def test_another_loudness_or_its_own(place, tmp_path):
    quiet = sonify(place / "model", place / "video.mp4", tmp_path / "a.wav", loudness_lufs=-30)
    assert quiet.loudness_lufs == pytest.approx(-30, abs=0.15)
    kept = sonify(place / "model", place / "video.mp4", tmp_path / "b.wav", loudness_lufs=None)
    assert kept.gain_db == 0
    if kept.loudness_before_lufs is not None and kept.true_peak_dbtp < -1.2:
        assert kept.loudness_lufs == pytest.approx(kept.loudness_before_lufs, abs=0.05)


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.mov"])
def test_a_film_shows_the_videos_own_picture_with_the_sound_in_step(
    flashing, place, tmp_path, name
):
    made = sonify(flashing, place / "video.mp4", tmp_path / name)
    song = sonify(flashing, place / "video.mp4", tmp_path / "song.wav")
    assert made.picture == "copied h264"
    assert made.loudness_lufs == song.loudness_lufs
    with av.open(str(place / "video.mp4")) as one, av.open(str(tmp_path / name)) as other:
        packets = [
            [bytes(packet) for packet in film.demux(film.streams.video[0]) if packet.size]
            for film in (one, other)
        ]
    assert len(packets[0]) == FRAMES
    assert sum(a == b or a[4:] == b[4:] for a, b in zip(*packets, strict=True)) == FRAMES
    # The flash is seen where it was, and the sound is where the song has it, to the sample.
    times = [Fraction(2 * n + 1, 50) for n in range(FRAMES)]
    shown = [frame.mean() for _, frame in frames_at(tmp_path / name, times, Fit(8, 8))]
    assert [n for n, light in enumerate(shown) if light > 150] == list(FLASH)
    film_sound = read_sound(tmp_path / name, 8_000, "mono")
    wanted = read_sound(tmp_path / "song.wav", 8_000, "mono")
    # Matroska's AAC says nothing of what fills its last packet up.
    assert 0 <= len(film_sound) - len(wanted) <= (1024 if name.endswith("mkv") else 1)
    size = min(len(film_sound), len(wanted))
    lags = np.correlate(film_sound[:size], wanted[500 : size - 500], "valid")
    assert np.abs(lags).argmax() == 500
    level = np.sqrt((film_sound[:23_200].reshape(-1, 400) ** 2).mean(1))
    # Heard in the window's length before it ends: middle of the flash 1.4 s, half a window 0.165 s.
    assert abs(np.average(np.arange(len(level)), weights=level**2) * 0.05 - (1.4 - 0.165)) < 0.1


def test_what_a_kind_of_film_does_not_hold_is_encoded(place, tmp_path):
    made = sonify(place / "model", place / "video.webm", tmp_path / "film.mp4")
    assert made.picture == "encoded h264"
    info = probe(tmp_path / "film.mp4")
    assert info.video is not None
    assert info.audio is not None
    assert (info.video.width, info.video.height, info.audio.codec) == (64, 48, "aac")
    copied = sonify(place / "model", place / "video.webm", tmp_path / "film.webm")
    assert (copied.picture, copied.sound) == ("copied vp9", "encoded opus")
    part = sonify(
        place / "model", place / "video.mp4", tmp_path / "part.mkv", stop_seconds=Fraction(1)
    )
    assert part.picture == "encoded h264"
    times = [Fraction(2 * n + 1, 50) for n in range(60)]
    assert len(list(frames_at(tmp_path / "part.mkv", times, Fit(8, 8)))) == 25
    assert tidy(tmp_path) == ["film.mp4", "film.webm", "part.mkv"]


def test_the_same_command_makes_the_same_file_and_then_finds_it(place, tmp_path):
    first = sonify(place / "model", place / "video.mp4", tmp_path / "a.wav")
    before = (tmp_path / "a.wav").read_bytes()
    there = sonify(place / "model", place / "video.mp4", tmp_path / "a.wav")
    assert there.already_there
    assert not first.already_there
    assert there.loudness_lufs == pytest.approx(first.loudness_lufs, abs=0.05)
    (tmp_path / "a.wav").unlink()
    assert not sonify(place / "model", place / "video.mp4", tmp_path / "a.wav").already_there
    assert (tmp_path / "a.wav").read_bytes() == before
    other = sonify(place / "model", place / "video.mp4", tmp_path / "a.wav", seed=1)
    assert not other.already_there
    for name in ("a.flac", "a.mp4", "a.mkv", "a.mov"):
        sonify(place / "model", place / "video.mp4", tmp_path / name)
        assert sonify(place / "model", place / "video.mp4", tmp_path / name).already_there


def test_who_is_stopped_goes_on_with_the_same_file(place, tmp_path, monkeypatch):
    monkeypatch.setattr(sonifying, "_PART_SECONDS", Fraction(1, 2))
    whole = sonify(place / "model", place / "video.mp4", tmp_path / "whole.wav")
    assert whole.seconds == 3
    real, calls = Model.sound_images, []

    def stopped(self, y_BF3HW, seeds):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(self, y_BF3HW, seeds)

    monkeypatch.setattr(Model, "sound_images", stopped)
    with pytest.raises(KeyboardInterrupt):
        sonify(place / "model", place / "video.mp4", tmp_path / "song.wav")
    assert not (tmp_path / "song.wav").exists()
    kept = [path.name for path in (tmp_path / ".song.wav.parts").glob("columns-*.npy")]
    assert 0 < len(kept) < 6
    seen = len(calls)
    sonify(place / "model", place / "video.mp4", tmp_path / "song.wav")
    assert len(calls) - seen == 4  # of seven batches
    assert tidy(tmp_path) == ["song.wav", "whole.wav"]
    np.testing.assert_array_equal(
        read_sound(tmp_path / "song.wav", 8_000, "mono"),
        read_sound(tmp_path / "whole.wav", 8_000, "mono"),
    )


def test_stretches_of_another_video_are_not_gone_on_with(place, tmp_path, monkeypatch):
    monkeypatch.setattr(sonifying, "_PART_SECONDS", Fraction(1, 2))

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as inside:
        inside.setattr(sonifying, "_write_sound", stop)
        with pytest.raises(KeyboardInterrupt):
            sonify(place / "model", place / "video.webm", tmp_path / "song.wav")
    sonify(place / "model", place / "video.mp4", tmp_path / "song.wav")
    sonify(place / "model", place / "video.mp4", tmp_path / "other.wav")
    assert (tmp_path / "song.wav").read_bytes() == (tmp_path / "other.wav").read_bytes()


def test_a_still_picture_is_a_drone(flashing, place, tmp_path):
    made = sonify(flashing, place / "still.png", tmp_path / "drone.wav", stop_seconds=Fraction(2))
    assert made.seconds == 2
    sound = read_sound(tmp_path / "drone.wav", 8_000, "mono")
    level = np.sqrt((sound[2_000:14_000].reshape(-1, 2_000) ** 2).mean(1))
    assert level.max() < 1.3 * level.min()
    assert sonify(flashing, place / "still.png", tmp_path / "long.wav").seconds == 10
    film = sonify(flashing, place / "still.png", tmp_path / "d.mp4", stop_seconds=Fraction(2))
    assert film.picture == "encoded h264"
    shown = list(frames_at(tmp_path / "d.mp4", [Fraction(0), Fraction(19, 10)], Fit(8, 8)))
    assert [round(frame.mean() / 10) for _, frame in shown] == [10, 10]


def test_a_video_of_one_picture_is_a_drone(place, tmp_path):
    with FilmWriter(tmp_path / "one.mp4", 64, 48, FPS) as writer:
        writer.write(np.full((48, 64, 3), 60, np.uint8))
    assert sonify(place / "model", tmp_path / "one.mp4", tmp_path / "a.wav").seconds == 10


def test_silence_is_not_blown_up(place, tmp_path, monkeypatch):
    model = load_model(place / "model")

    def hears(level):
        return lambda _self, y_BF3HW, _seeds: torch.full((len(y_BF3HW), 1, 64, 64), level)

    monkeypatch.setattr(Model, "sound_images", hears(-1.0))
    silent = sonify(model, place / "video.mp4", tmp_path / "a.wav")
    assert silent.gain_db == 0
    assert "silent" in silent.notes[0]
    assert np.abs(read_sound(tmp_path / "a.wav", 8_000, "mono")).max() < 1e-3
    (tmp_path / "a.wav").unlink()
    monkeypatch.setattr(Model, "sound_images", hears(-0.6))
    quiet = sonify(model, place / "video.mp4", tmp_path / "a.wav")
    assert quiet.gain_db == 30
    assert quiet.loudness_lufs < -20
    assert "30 dB louder, the most" in quiet.notes[0]


def test_a_span_of_the_video(flashing, place, tmp_path):
    sonify(flashing, place / "video.mp4", tmp_path / "a.wav", start_seconds=Fraction(1))
    sound = read_sound(tmp_path / "a.wav", 8_000, "mono")
    assert len(sound) == 16_000
    level = np.sqrt((sound.reshape(-1, 400) ** 2).mean(1))
    assert abs(np.average(np.arange(len(level)), weights=level**2) * 0.05 - (0.4 - 0.165)) < 0.1


def test_progress_says_how_far_it_is(place, tmp_path):
    steps = []
    sonify(place / "model", place / "video.mp4", tmp_path / "a.wav", progress=steps.append)
    assert {step.task for step in steps} == {"compose", "sound", "level"}
    for task in ("compose", "sound"):
        done = [step.done for step in steps if step.task == task]
        assert done == sorted(done)
        assert done[-1] == 3.0
    assert all(step.total and step.done <= step.total for step in steps)


def test_a_full_disk_is_one_line_and_leaves_no_song(place, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(StorageError, match=r"song\.wav.*disk is full"):
        sonify(place / "model", place / "video.mp4", tmp_path / "song.wav")
    assert tidy(tmp_path) == []


def test_what_a_person_can_get_wrong_is_one_line_and_leaves_nothing(place, tmp_path):
    video, model, out = place / "video.mp4", place / "model", tmp_path / "song.wav"
    (tmp_path / "text.mp4").write_text("no film")
    (tmp_path / "text.png").write_text("no picture")
    shutil.copy(video, tmp_path / "copy.mp4")
    (tmp_path / "folder.wav").mkdir()
    there = tidy(tmp_path)
    wrong = [
        (
            ModelError,
            "train one with --direction picture-to-sound",
            (place / "forward", video, out),
        ),
        (ModelError, "nowhere", (place / "nowhere", video, out)),
        (MediaError, "song.wav: has no pictures", (model, place / "song.wav", out)),
        (MediaError, "cannot be read", (model, tmp_path / "text.mp4", out)),
        (MediaError, "text.png", (model, tmp_path / "text.png", out)),
        (MediaError, "no.mp4", (model, tmp_path / "no.mp4", out)),
        (SettingsError, "song.mp3: sonify writes .wav", (model, video, tmp_path / "song.mp3")),
        (SettingsError, "song: sonify writes .wav", (model, video, tmp_path / "song")),
        (SettingsError, "is a folder", (model, video, tmp_path / "folder.wav")),
        (SettingsError, "the video itself", (model, tmp_path / "copy.mp4", tmp_path / "copy.mp4")),
    ]
    for kind, says, (a, b, c) in wrong:
        with pytest.raises(kind, match=says) as caught:
            sonify(a, b, c)
        assert "\n" not in str(caught.value)
    spans: list[tuple[dict[str, Any], str]] = [
        ({"start_seconds": Fraction(3)}, "nothing is left"),
        ({"start_seconds": Fraction(2), "stop_seconds": Fraction(1)}, "nothing is left"),
        ({"loudness_lufs": 3.0}, "give -60 to -5"),
    ]
    for wishes, says in spans:
        with pytest.raises(SettingsError, match=says):
            sonify(model, video, out, **wishes)
    assert tidy(tmp_path) == there
