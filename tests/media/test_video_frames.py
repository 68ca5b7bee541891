"""The frame at t is the last one whose presentation time is not after t."""

import itertools
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flash_and_click import (
    FPS_OF_THE_WORLD,
    HEIGHT,
    WIDTH,
    FlashAndClick,
    is_flash,
    number_of,
    steady_times,
    uneven_times,
    write_flash_and_click,
)
from soundreel.errors import MediaError
from soundreel.media import skipping, video
from soundreel.media.probe import probe
from soundreel.media.video import Fit, frames_at

FIT = Fit(HEIGHT, WIDTH)
KINDS = [(".mp4", "libx264"), (".mkv", "libx264"), (".webm", "libvpx-vp9"), (".mp4", "libvpx-vp9")]


def numbers_at(path: Path, times: list[Fraction]) -> dict[int, int]:
    return {k: number_of(picture) for k, picture in frames_at(path, times, FIT)}


def check_every_interval(clip: FlashAndClick) -> None:
    """Asked at each frame's own time, in its middle, and just before the next one's."""
    early = Fraction(1, 1000)  # Matroska rounds to milliseconds
    times, expected = [], []
    # Not every muxer writes how long the last frame lasts.
    for number, (begin, end) in enumerate(itertools.pairwise(clip.times_seconds[:-1])):
        times += [begin, (begin + end) / 2, end - early]
        expected += [number] * 3
    pictures = dict(frames_at(clip.path, times, FIT))
    assert [number_of(pictures[k]) for k in range(len(times))] == expected
    assert [k // 3 for k in pictures if is_flash(pictures[k])] == [clip.flash_frame] * 3


@pytest.mark.parametrize(("suffix", "codec"), KINDS)
@pytest.mark.parametrize("fps", FPS_OF_THE_WORLD, ids=str)
def test_every_frame_is_found_in_exactly_its_interval(
    tmp_path: Path, fps: Fraction, suffix: str, codec: str
) -> None:
    clip = write_flash_and_click(
        tmp_path / f"clip{suffix}", steady_times(fps, 40), video_codec=codec
    )
    check_every_interval(clip)
    info = probe(clip.path).video
    assert info is not None
    assert info.fps == fps
    assert (info.width, info.height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize(("suffix", "codec"), KINDS)
def test_variable_rate(tmp_path: Path, suffix: str, codec: str) -> None:
    clip = write_flash_and_click(tmp_path / f"clip{suffix}", uneven_times(40), video_codec=codec)
    check_every_interval(clip)


def test_mpeg_ts_counts_from_the_streams_start(tmp_path: Path) -> None:
    fps = Fraction(25)
    clip = write_flash_and_click(tmp_path / "clip.ts", steady_times(fps, 40), with_sound=False)
    assert numbers_at(clip.path, [n / fps + Fraction(1, 100) for n in range(40)]) == {
        n: n for n in range(40)
    }


def test_after_the_end_nothing_and_times_must_ascend(tmp_path: Path) -> None:
    fps = Fraction(30)
    clip = write_flash_and_click(tmp_path / "clip.mp4", steady_times(fps, 30), with_sound=False)
    times = [Fraction(29, 30), Fraction(999, 1000), Fraction(1), Fraction(5)]
    assert numbers_at(clip.path, times) == {0: 29, 1: 29}
    assert numbers_at(clip.path, [Fraction(1), Fraction(2)]) == {}
    assert numbers_at(clip.path, []) == {}
    with pytest.raises(ValueError, match="ascend"):
        numbers_at(clip.path, [Fraction(1), Fraction(0)])


def test_sound_that_begins_first_delays_the_pictures(tmp_path: Path) -> None:
    """Pictures from 0.5 s on: before, the first one is shown; time zero is the sound's start."""
    times = [Fraction(1, 2) + n / Fraction(25) for n in range(21)]
    clip = write_flash_and_click(tmp_path / "clip.mkv", times)
    asked = [Fraction(0), Fraction(1, 4), Fraction(1, 2), Fraction(53, 100), Fraction(55, 100)]
    assert list(numbers_at(clip.path, asked).values()) == [0, 0, 0, 0, 1]


def plain(path: Path, times: list[Fraction], fit: Fit, monkeypatch: pytest.MonkeyPatch) -> dict:
    with monkeypatch.context() as patch:
        patch.setattr(video, "rules_for", lambda stream: None)
        return dict(frames_at(path, times, fit))


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> FlashAndClick:
    """40 s with pyramids of B-frames and groups of 37: far enough in to be sought."""
    options = {"g": "37", "bf": "5", "x264-params": "b-pyramid=normal:scenecut=0"}
    path = tmp_path_factory.mktemp("long") / "clip.mp4"
    return write_flash_and_click(path, steady_times(Fraction(25), 1000), video_options=options)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(times=st.lists(st.fractions(0, 41, max_denominator=50), min_size=1, max_size=8).map(sorted))
def test_dropping_packets_changes_no_pixel(
    long_clip: FlashAndClick, times: list[Fraction], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = dict(frames_at(long_clip.path, times, FIT))
    slow = plain(long_clip.path, times, FIT, monkeypatch)
    assert list(quick) == [k for k, time in enumerate(times) if time < 40] == list(slow)
    for k, picture in quick.items():
        assert number_of(picture) == int(times[k] * 25)
        assert np.array_equal(picture, slow[k])


def test_the_quick_way_is_taken_and_decodes_less(
    long_clip: FlashAndClick, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = 0
    original = skipping.NeededPackets._needed

    def counting(self, group, before):
        nonlocal kept
        for packet in original(self, group, before):
            kept += 1
            yield packet

    monkeypatch.setattr(skipping.NeededPackets, "_needed", counting)
    monkeypatch.setattr(video, "_all_frames", None)  # whoever falls back breaks
    assert len(dict(frames_at(long_clip.path, [Fraction(3 * n, 2) for n in range(27)], FIT))) == 27
    assert kept < 500  # of 1,000 packets


def test_a_grid_that_ends_in_a_hidden_group_start_falls_back(tmp_path: Path) -> None:
    """An open group's leading pictures refer to the group before: nothing may be dropped there."""
    options = {"g": "10", "bf": "3", "x264-params": "open-gop=1:scenecut=0:b-adapt=0"}
    clip = write_flash_and_click(
        tmp_path / "clip.mp4", steady_times(Fraction(25), 100), video_options=options
    )
    times = [Fraction(n, 25) for n in range(0, 100, 3)]
    assert list(numbers_at(clip.path, times).values()) == list(range(0, 100, 3))
    late = [Fraction(n, 25) for n in range(71, 100, 7)]
    assert list(numbers_at(clip.path, late).values()) == list(range(71, 100, 7))


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".mp4"])
def test_a_broken_off_film_shows_what_is_there(tmp_path: Path, suffix: str) -> None:
    fps = Fraction(25)
    path = tmp_path / f"whole{suffix}"
    whole = write_flash_and_click(path, steady_times(fps, 200), with_sound=False).path
    if suffix == ".mp4":
        moved = tmp_path / "moved.mp4"
        _with_index_first(whole, moved)
        whole = moved
    data = whole.read_bytes()
    broken = tmp_path / f"broken{suffix}"
    broken.write_bytes(data[: len(data) // 2])
    shown = numbers_at(broken, [n / fps + Fraction(1, 100) for n in range(200)])
    assert 20 < len(shown) < 180
    wrong = [k for k, number in shown.items() if number != k]
    assert len(wrong) <= 26  # the last good picture stands for a second at most
    assert not wrong or min(wrong) >= len(shown) - 30


def _with_index_first(source: Path, target: Path) -> None:
    import av

    with (
        av.open(str(source)) as old,
        av.open(str(target), "w", options={"movflags": "+faststart"}) as new,
    ):
        stream = old.streams.video[0]
        copy = new.add_stream_from_template(stream)
        for packet in old.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                new.mux(packet)


def test_damage_in_the_middle_is_not_shown_for_long(tmp_path: Path) -> None:
    """A third of an MP4's packets zeroed: one second of the picture before, then nothing."""
    fps = Fraction(25)
    clip = write_flash_and_click(tmp_path / "clip.mp4", steady_times(fps, 400), with_sound=False)
    data = bytearray(clip.path.read_bytes())
    begin, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    third = (end - begin) // 3
    data[begin + third : begin + 2 * third] = bytes(third)
    clip.path.write_bytes(data)
    shown = numbers_at(clip.path, [n / fps for n in range(400)])
    right = [k for k, number in shown.items() if number == k]
    wrong = [k for k, number in shown.items() if number != k]
    assert right[0] == 0
    assert len(right) > 150
    assert len(wrong) <= 40


def test_nothing_to_decode_is_said_in_one_line(tmp_path: Path) -> None:
    clip = write_flash_and_click(tmp_path / "clip.mp4", steady_times(Fraction(25), 20))
    data = bytearray(clip.path.read_bytes())
    at = data.index(b"mdat") + 4
    data[at : data.index(b"moov") - 4] = bytes(data.index(b"moov") - 4 - at)
    clip.path.write_bytes(data)
    with pytest.raises(MediaError, match=r"clip\.mp4") as caught:
        numbers_at(clip.path, [Fraction(0), Fraction(1, 2)])
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the ffmpeg program is not installed")
@pytest.mark.parametrize(("suffix", "codec"), KINDS)
def test_ffmpeg_sees_the_same_frames(tmp_path: Path, suffix: str, codec: str) -> None:
    """Pixel for pixel within rounding, all frames in order."""
    fps = Fraction(30000, 1001)
    clip = write_flash_and_click(tmp_path / f"c{suffix}", steady_times(fps, 40), video_codec=codec)
    command = ["ffmpeg", "-v", "error", "-i", str(clip.path), "-vf"]
    command += ["scale=flags=area+accurate_rnd+full_chroma_int"]
    command += ["-fps_mode", "passthrough", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    theirs = np.frombuffer(raw, np.uint8).reshape(-1, HEIGHT, WIDTH, 3)
    ours = [p for _, p in frames_at(clip.path, [n / fps for n in range(40)], FIT)]
    assert len(theirs) == len(ours) == 40
    assert np.abs(np.stack(ours).astype(int) - theirs).max() <= 3
