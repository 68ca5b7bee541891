"""Films on disk: in step, exact in length, whole or not at all, the same each time."""

import errno
import resource
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
import pytest
from PIL import Image, ImageSequence

from flash_and_click import click_sound, number_of, numbered_picture
from soundreel.errors import MediaError, SettingsError, StorageError
from soundreel.media.probe import probe
from soundreel.media.sound import read_sound, sound_duration, write_sound
from soundreel.media.storage import encoder_errors
from soundreel.media.video import Fit, frames_at
from soundreel.media.writer import FilmWriter, Song

FPS = Fraction(30)
SIZE = (192, 96)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """2 s in stereo at 44.1 kHz: a click at 1.2 s, left only; a tone on the right."""
    left = click_sound(Fraction(2), Fraction(6, 5), 44_100)
    right = 0.3 * np.sin(2 * np.pi * 440 * np.arange(len(left)) / 44_100)
    write_sound(tmp_path / "song.flac", np.stack([left, right]), 44_100)
    return tmp_path / "song.flac"


def write_numbers(path: Path, frames: int, song: Song | None = None, fps: Fraction = FPS) -> Path:
    words = {"title": "A film", "comment": "made in a test"}
    with FilmWriter(path, *SIZE, fps, song, metadata=words) as film:
        for number in range(frames):
            film.write(numbered_picture(number))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(30)])
def test_sound_and_picture_are_in_step(
    tmp_path: Path, song: Path, suffix: str, fps: Fraction
) -> None:
    span = Song(song, Fraction(1, 2), Fraction(7, 4))
    frames = 31
    path = write_numbers(tmp_path / f"film{suffix}", frames, span, fps)
    info = probe(path)
    assert info.video is not None
    assert info.audio is not None
    assert (info.title, info.audio.channels) == ("A film", 2)
    shown = {
        k: number_of(p) for k, p in frames_at(path, [n / fps for n in range(40)], Fit(96, 192))
    }
    assert shown == {n: n for n in range(frames)}
    rate_hz = info.audio.sample_rate_hz
    assert rate_hz == (44_100 if suffix == ".mp4" else 48_000)
    assert sound_duration(path) == Fraction(5, 4)
    click = int(np.abs(read_sound(path, rate_hz, "left")).argmax())
    assert abs(click - 7 * rate_hz // 10) <= 2


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_span_beyond_the_song_is_silent_to_its_end(
    tmp_path: Path, song: Path, suffix: str
) -> None:
    film = write_numbers(tmp_path / f"f{suffix}", 60, Song(song, Fraction(1), Fraction(3)))
    assert sound_duration(film) == 2
    assert np.abs(read_sound(film, 48_000, "mono", Fraction(11, 10))).max() < 0.01


def test_a_song_to_its_end_and_six_channels(tmp_path: Path) -> None:
    write_sound(tmp_path / "six.flac", np.full((6, 60_000), 0.1), 48_000)
    film = write_numbers(tmp_path / "f.mp4", 5, Song(tmp_path / "six.flac", Fraction(1, 4)))
    assert sound_duration(film) == 1
    info = probe(film).audio
    assert info is not None
    assert info.channels == 2


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
def test_the_same_film_is_the_same_bytes(tmp_path: Path, song: Path, suffix: str) -> None:
    first, second = (
        write_numbers(tmp_path / f"{name}{suffix}", 40, Song(song)).read_bytes() for name in "ab"
    )
    assert first == second


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_colours_survive_and_are_tagged(tmp_path: Path, suffix: str) -> None:
    colours = np.array([[230, 40, 30], [30, 200, 60], [40, 60, 220], [255, 255, 255], [0, 0, 0]])
    path = tmp_path / f"c{suffix}"
    with FilmWriter(path, 64, 64, FPS, crf=4) as film:
        for colour in colours:
            film.write(np.broadcast_to(colour.astype(np.uint8), (64, 64, 3)))
    shown = [p for _, p in frames_at(path, [n / FPS for n in range(5)], Fit(1, 1))]
    assert np.abs(np.stack(shown)[:, 0, 0].astype(int) - colours).max() <= 4
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert (int(frame.colorspace), int(frame.color_range)) == (1, 1)
        assert (int(frame.color_primaries), int(frame.color_trc)) == (1, 1)
        assert frame.format.name == "yuv420p"


def test_mp4_begins_with_its_index(tmp_path: Path) -> None:
    data = write_numbers(tmp_path / "f.mp4", 10).read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(("fps", "delays"), [(10, [100] * 12), (30, [30, 40, 30] * 4)])
def test_gif_pictures_times_and_loop(tmp_path: Path, fps: int, delays: list[int]) -> None:
    path = write_numbers(tmp_path / "f.gif", 12, fps=Fraction(fps))
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0
        shown = [
            (number_of(np.array(f.convert("RGB"))), f.info["duration"])
            for f in ImageSequence.Iterator(gif)
        ]
    assert [number for number, _ in shown] == list(range(12))
    assert [delay for _, delay in shown] == delays


def test_gif_leaves_out_what_browsers_would_slow_down(tmp_path: Path) -> None:
    path = write_numbers(tmp_path / "f.gif", 100, fps=Fraction(100))
    with Image.open(path) as gif:
        durations = [f.info["duration"] for f in ImageSequence.Iterator(gif)]
    assert sum(durations) == 1000
    assert min(durations) == 20


def test_gif_colours_are_near(tmp_path: Path) -> None:
    """A slow change over 40 pictures needs a palette of the whole film, not of its start."""
    ramp = np.linspace(0, 255, 64, dtype=np.uint8)
    with FilmWriter(tmp_path / "g.gif", 64, 32, FPS) as film:
        for n in range(40):
            picture = np.zeros((32, 64, 3), np.uint8)
            picture[..., 0], picture[..., 2] = ramp, n * 6
            film.write(picture)
    shown = [
        p
        for _, p in frames_at(
            tmp_path / "g.gif", [Fraction(n, 30) + Fraction(1, 100) for n in range(40)], Fit(32, 64)
        )
    ]
    for n in (0, 20, 39):
        means = shown[n].reshape(32, 4, 16, 3).mean(axis=(0, 2))
        assert np.abs(means[:, 0] - ramp.reshape(4, 16).mean(axis=1)).max() < 8
        assert np.abs(means[:, 2] - n * 6).max() < 24


@pytest.mark.parametrize("name", ["folder", "folder.png"])
def test_a_folder_of_pngs_is_exact(tmp_path: Path, name: str) -> None:
    path = write_numbers(tmp_path / name, 3)
    assert sorted(file.name for file in path.iterdir()) == [f"{n:06}.png" for n in range(3)]
    for n in range(3):
        assert np.array_equal(np.array(Image.open(path / f"{n:06}.png")), numbered_picture(n))
    with pytest.raises(SettingsError, match="exists already"):
        write_numbers(tmp_path / name, 1)
    assert len(list(path.iterdir())) == 3


@pytest.mark.parametrize("name", ["f.mp4", "f.webm", "f.gif", "f"])
def test_an_error_leaves_nothing_and_keeps_what_was_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if path.suffix:
        path.write_bytes(b"an older film")
    with pytest.raises(AssertionError), FilmWriter(path, *SIZE, FPS) as film:
        film.write(numbered_picture(0)[1:])
    with pytest.raises(SettingsError, match="needs a picture"), FilmWriter(path, *SIZE, FPS):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ([name] if path.suffix else [])
    assert not path.suffix or path.read_bytes() == b"an older film"


@pytest.mark.parametrize(
    ("name", "size", "fps", "crf", "words"),
    [
        ("f.mp4", (191, 96), 30, None, "even"),
        ("f.webm", (192, 95), 30, None, "even"),
        ("f.avi", SIZE, 30, None, r"\.mp4, \.webm, \.gif"),
        ("f.mp4", (0, 96), 30, None, "1 to 8192"),
        ("f.mp4", SIZE, 0, None, "frames a second"),
        ("f.mp4", SIZE, 30, 52, "crf"),
    ],
)
def test_what_cannot_be_written_is_said(
    tmp_path: Path, name: str, size: tuple[int, int], fps: int, crf: int | None, words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        FilmWriter(tmp_path / name, *size, Fraction(fps), crf=crf)


def test_a_song_that_cannot_be_read_is_found_before_any_picture(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_text("no song")
    with pytest.raises(MediaError, match=r"song\.mp3"):
        FilmWriter(tmp_path / "f.mp4", *SIZE, FPS, Song(tmp_path / "song.mp3")).__enter__()
    assert [file.name for file in tmp_path.iterdir()] == ["song.mp3"]
    with pytest.raises(SettingsError, match="stop must be after start"):
        Song(tmp_path / "song.mp3", Fraction(2), Fraction(1))


FULL_DISK = """
import resource, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from soundreel.errors import StorageError
from soundreel.media.writer import FilmWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
noise = np.random.default_rng(0).integers(0, 256, (20, 96, 192, 3)).astype(np.uint8)
try:
    with FilmWriter(Path(sys.argv[1]), 192, 96, Fraction(30)) as film:
        for picture in noise:
            film.write(picture)
            if not Path(sys.argv[1]).suffix:
                film.write(np.tile(picture, (1, 1, 1)))
except StorageError as error:
    print("said:", error)
"""


@pytest.mark.parametrize("name", ["f.mp4", "f.webm", "f.gif"])
def test_a_disk_that_takes_no_more(tmp_path: Path, name: str) -> None:
    """A limit on file sizes stands for a full disk: both come back from write()."""
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.startswith("said:"), done.stderr[-2000:]
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_as_one(tmp_path: Path) -> None:
    def write_until_full() -> None:
        with FilmWriter(tmp_path / "f.mp4", *SIZE, FPS) as film:
            film.write(numbered_picture(0))
            av.error.err_check(-errno.ENOSPC, "f.mp4")

    with pytest.raises(StorageError, match="disk is full"):
        write_until_full()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StorageError), encoder_errors(tmp_path):
        av.error.err_check(-errno.EFBIG)


def test_memory_does_not_grow_with_the_films_length(tmp_path: Path) -> None:
    """1,500 pictures of 640 x 360 would be 1 GB."""
    picture = np.zeros((360, 640, 3), np.uint8)
    with FilmWriter(tmp_path / "warm.mp4", 640, 360, FPS) as film:
        for n in range(60):
            picture[:, n] = 255
            film.write(picture)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with FilmWriter(tmp_path / "f.mp4", 640, 360, FPS) as film:
        for n in range(1500):
            picture[:, n % 640] += 9
            film.write(picture)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 120_000  # KB
