"""The true video beside the made film: the right picture at every frame, whole, and named."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from flash_and_click import (
    FPS_OF_THE_WORLD,
    FlashAndClick,
    is_flash,
    number_of,
    steady_times,
    uneven_times,
    write_flash_and_click,
)
from soundreel.errors import MediaError, SettingsError
from soundreel.media.sound import write_sound
from soundreel.rendering import beside
from soundreel.rendering.beside import beside_frames, beside_layout, original_frames

FRAMES = 60


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> FlashAndClick:
    """Sixty numbered pictures at 25 fps, a key frame every 12."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return write_flash_and_click(path, steady_times(Fraction(25), FRAMES))


def shown_at(clip: FlashAndClick, time_seconds: Fraction) -> int | None:
    """By the frames' times as they were written: the number shown, None after the end."""
    for number, (begins, ends) in enumerate(pairwise(clip.times_seconds)):
        if begins <= time_seconds < ends:
            return number
    return None


def seen(path: Path, fps: Fraction, start: Fraction, first: int, stop: int) -> list[int | None]:
    """The numbers shown, None for black."""
    numbers = []
    for frame in original_frames(path, fps, start, first, stop, 192, 96):
        assert (frame.shape, frame.dtype) == ((96, 192, 3), np.uint8)
        numbers.append(number_of(frame) if frame.max() else None)
    return numbers


@pytest.mark.parametrize("film_fps", [Fraction(30), Fraction(24000, 1001), Fraction(60)])
@pytest.mark.parametrize("clip_fps", [Fraction(25), Fraction(30000, 1001)])
@pytest.mark.parametrize("start", [Fraction(0), Fraction(1, 3), Fraction(6, 5)])
def test_every_frame_shows_what_the_video_shows_at_its_time(tmp_path, clip_fps, film_fps, start):
    # From number 1 on: number 0 is black but for its flash.
    clip = write_flash_and_click(
        tmp_path / "clip.mp4", steady_times(clip_fps, FRAMES), flash_frame=0, with_sound=False
    )
    stop = int(4 * film_fps)
    expected = [shown_at(clip, start + n / film_fps) for n in range(stop)]
    assert expected[-1] is None, "the film is longer than the video"
    assert seen(clip.path, film_fps, start, 0, stop) == expected


def test_the_flash_is_shown_at_the_right_frames(clip):
    frames = original_frames(clip.path, Fraction(30), Fraction(0), 0, 30, 192, 96)
    # Picture 7 of 25 a second is shown from 0.28 to 0.32 s: at n = 9 (0.3 s) of 30 a second.
    assert [n for n, frame in enumerate(frames) if is_flash(frame)] == [9]


@pytest.mark.parametrize("fps", FPS_OF_THE_WORLD)
def test_at_the_videos_own_rate_every_picture_comes_once(tmp_path, fps):
    clip = write_flash_and_click(tmp_path / "clip.mkv", steady_times(fps, 30), flash_frame=0)
    assert seen(clip.path, fps, Fraction(0), 0, 30) == list(range(30))


def test_a_video_of_uneven_rate(tmp_path):
    clip = write_flash_and_click(tmp_path / "clip.mkv", uneven_times(40), flash_frame=0)
    fps = Fraction(40)  # whole milliseconds, as the file's own times
    stop = int(clip.times_seconds[-1] * fps)
    expected = [shown_at(clip, n / fps) for n in range(stop)]
    assert seen(clip.path, fps, Fraction(0), 0, stop) == expected


@pytest.mark.parametrize("suffix", ["mp4", "ts"])
def test_parts_are_the_whole_wherever_they_are_cut(tmp_path, monkeypatch, suffix):
    clip = write_flash_and_click(
        tmp_path / f"clip.{suffix}", steady_times(Fraction(25), FRAMES), flash_frame=0
    )
    fps, start = Fraction(30), Fraction(1, 10)
    whole = list(original_frames(clip.path, fps, start, 0, 90, 96, 48))
    assert len(whole) == 90
    cuts = [0, 1, 14, 15, 16, 50, 68, 69, 70, 75, 90]
    parts = [
        frame
        for first, stop in pairwise(cuts)
        for frame in original_frames(clip.path, fps, start, first, stop, 96, 48)
    ]
    assert np.array_equal(whole, parts)
    monkeypatch.setattr(beside, "_STRETCH_FRAMES", 7)
    assert np.array_equal(whole, list(original_frames(clip.path, fps, start, 0, 90, 96, 48)))
    assert list(original_frames(clip.path, fps, start, 5, 5, 96, 48)) == []


def damaged(clip: FlashAndClick, path: Path, first: int, stop: int) -> Path:
    """The clip with the packets of pictures [first, stop) overwritten."""
    content = bytearray(clip.path.read_bytes())
    with av.open(str(clip.path)) as container:
        for packet in container.demux(video=0):
            if not packet.size:
                continue
            assert packet.pts is not None
            assert packet.time_base is not None
            assert packet.pos is not None
            if first <= packet.pts * packet.time_base * 25 < stop:
                content[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory) -> FlashAndClick:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return write_flash_and_click(path, steady_times(Fraction(25), 150), with_sound=False)


def test_where_the_video_is_damaged_the_last_good_picture_stays(long_clip, tmp_path):
    path = damaged(long_clip, tmp_path / "damaged.mp4", 36, 108)
    numbers = seen(path, Fraction(25), Fraction(0), 0, 160)
    assert numbers[1:30] == list(range(1, 30))
    # The decoder may still show some that were read before; then nothing for over a second.
    assert set(numbers[36:105]) <= set(range(30, 40)) | set(range(100, 108))
    assert len(set(numbers[60:100])) == 1, "one picture, long after it was to be replaced"
    assert numbers[108:150] == list(range(108, 150))
    assert numbers[150:] == [None] * 10
    for first, stop in ((70, 90), (70, 120), (90, 160)):
        # A part that begins in the damage knows what was shown before it.
        assert seen(path, Fraction(25), Fraction(0), first, stop) == numbers[first:stop]


def test_a_video_that_is_damaged_to_its_end_is_over(long_clip, tmp_path):
    path = damaged(long_clip, tmp_path / "damaged.mp4", 36, 150)
    numbers = seen(path, Fraction(25), Fraction(0), 0, 150)
    assert numbers[1:30] == list(range(1, 30))
    assert numbers[70:] == [None] * 80
    assert seen(path, Fraction(25), Fraction(0), 80, 150) == [None] * 70


@pytest.mark.parametrize(
    ("width", "height", "box"),
    [
        (192, 96, (0, 0, 192, 96)),
        (96, 48, (0, 0, 96, 48)),
        (300, 96, (54, 0, 246, 96)),
        (96, 170, (0, 61, 96, 109)),
        (95, 171, (0, 61, 95, 109)),
    ],
)
def test_the_picture_is_whole_in_its_own_shape_on_black(tmp_path, width, height, box):
    path = tmp_path / "white.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 192, 96, "yuv420p"
        white = np.full((96, 192, 3), 255, np.uint8)
        white[:, :96] = 128
        container.mux(stream.encode(av.VideoFrame.from_ndarray(white, format="rgb24")))
        container.mux(stream.encode(None))
    (frame,) = original_frames(path, Fraction(25), Fraction(0), 0, 1, width, height)
    left, top, right, bottom = box
    bright = frame.min(axis=-1) > 60
    assert (np.flatnonzero(bright.any(1))[[0, -1]] == (top, bottom - 1)).all()
    assert (np.flatnonzero(bright.any(0))[[0, -1]] == (left, right - 1)).all()
    assert bright[top:bottom, left:right].all()
    row = frame[(top + bottom) // 2].mean(-1)
    middle = (left + right) // 2
    assert abs(row[middle - 8] - 128) < 6, "the left half"
    assert abs(row[middle + 8] - 255) < 6, "the right half"


def test_wide_pictures_stand_beside_each_other_but_in_a_tall_film_above():
    wide, portrait = (456, 256), (144, 256)

    def first_and_second(layout):
        first, second = layout.tiles
        assert (first.width, first.height) == (second.width, second.height)
        return first, second

    for picture, size in ((wide, None), (portrait, None), (portrait, (1920, 1080))):
        first, second = first_and_second(beside_layout(picture, size))
        assert first.top == second.top
        assert first.left + first.width < second.left
    for picture, size in ((wide, (1080, 1920)), (wide, (1080, 1080))):
        layout = beside_layout(picture, size)
        first, second = first_and_second(layout)
        assert (layout.width, layout.height) == size
        assert first.left == second.left
        assert first.top + first.height + layout.label_band <= second.top
        assert first.width > 540, "larger than beside each other"
    with pytest.raises(SettingsError, match="too small for 2 pictures"):
        beside_layout(wide, (100, 60))


def test_the_original_lies_first_and_each_has_its_name(clip):
    green = np.zeros((96, 192, 3), np.uint8)
    green[..., 1] = 255
    layout = beside_layout((192, 96))
    fps = Fraction(30)

    def film(name, first, stop, size=(96, 192)):
        made = (np.full((*size, 3), (0, 255, 0), np.uint8) for _ in range(first, stop))
        return list(beside_frames(layout, name, made, clip.path, fps, Fraction(0), first, stop))

    frames = film("run 7", 0, 30)
    original, made = layout.tiles
    for n, frame in enumerate(frames):
        assert frame.shape == (layout.height, layout.width, 3)
        left = frame[original.top : original.top + 96, original.left : original.left + 192]
        assert number_of(left) == n * 25 // 30
        right = frame[made.top : made.top + 96, made.left : made.left + 192]
        assert (right == green).all()
    band = slice(original.top + 97, None)
    names = [frames[0][band, tile.left : tile.left + tile.label_width] for tile in layout.tiles]
    assert all((name.max(-1) > 120).sum() > 40 for name in names)
    assert (names[0] != names[1]).any()
    other = film("another", 0, 1)[0]
    half = made.left - 2
    assert (other[:, :half] == frames[0][:, :half]).all(), "the first is always the original"
    assert (other[:, half:] != frames[0][:, half:]).any()
    assert np.array_equal(film("run 7", 11, 17), frames[11:17])
    assert np.array_equal(film("run 7", 3, 5, size=(48, 96)), frames[3:5])
    with pytest.raises(ValueError, match=r"longer|shorter"):
        list(beside_frames(layout, "x", [green] * 3, clip.path, fps, Fraction(0), 0, 4))


def test_what_is_no_video_is_refused_before_a_film_is_begun(tmp_path):
    song = tmp_path / "song.flac"
    write_sound(song, np.zeros((1, 44_100), np.float32), 44_100)
    for path, says in ((song, "no video"), (tmp_path / "none.mp4", "no such file")):
        with pytest.raises(MediaError, match=says) as caught:
            original_frames(path, Fraction(30), Fraction(0), 0, 10, 64, 64)
        assert path.name in str(caught.value)
