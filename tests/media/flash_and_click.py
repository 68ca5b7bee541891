"""Clips whose every picture tells its own number, with a white flash and a click.

Written with PyAV, read by the tests of the media room and by whoever else needs to know which
picture and which sample came out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

WIDTH, HEIGHT = 192, 96
BITS = 12
RATE_HZ = 48_000
FPS_OF_THE_WORLD = [
    Fraction(24000, 1001),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(50),
    Fraction(60),
]


@dataclass(frozen=True)
class FlashAndClick:
    """What a clip holds. times_seconds has one entry more than there are frames: the end."""

    path: Path
    times_seconds: list[Fraction]
    flash_frame: int
    click_seconds: Fraction

    @property
    def frames(self) -> int:
        return len(self.times_seconds) - 1


def numbered_picture(number: int, flash: bool = False) -> np.ndarray:
    """HEIGHT x WIDTH x 3: its number in stripes above, and below black or (flash) white."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    stripe = WIDTH // BITS
    for bit in range(BITS):
        if number >> bit & 1:
            picture[: HEIGHT // 2, bit * stripe : (bit + 1) * stripe] = 255
    if flash:
        picture[HEIGHT // 2 :] = 255
    return picture


def number_of(picture: np.ndarray) -> int:
    """The number that a numbered picture shows, at whatever size it was read."""
    height, width = picture.shape[:2]
    row = picture[height // 4].mean(axis=1)
    middles = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    return int(sum(1 << bit for bit, middle in enumerate(middles) if row[middle] > 127))


def is_flash(picture: np.ndarray) -> bool:
    """Whether a numbered picture is the white one."""
    return bool(picture[picture.shape[0] * 3 // 4].mean() > 127)


def click_sound(seconds: Fraction, click_seconds: Fraction, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Near silence with one sample of 0.9 at the click: float32 (n,)."""
    sound = np.zeros(int(seconds * rate_hz), np.float32)
    sound[int(click_seconds * rate_hz)] = 0.9
    return sound


def steady_times(fps: Fraction, frames: int) -> list[Fraction]:
    return [n / fps for n in range(frames + 1)]


def uneven_times(frames: int, seed: int = 1) -> list[Fraction]:
    """Frame times (and the end) with steps of 10 to 150 ms, in whole milliseconds."""
    steps = np.random.default_rng(seed).integers(10, 150, frames)
    return [Fraction(int(total), 1000) for total in np.concatenate([[0], np.cumsum(steps)])]


def write_flash_and_click(
    path: Path,
    times_seconds: Sequence[Fraction],
    *,
    video_codec: str = "libx264",
    video_options: dict[str, str] | None = None,
    flash_frame: int = 7,
    click_seconds: Fraction = Fraction(1, 4),
    sound_begins_seconds: Fraction = Fraction(0),
    rate_hz: int = RATE_HZ,
    with_sound: bool = True,
) -> FlashAndClick:
    """Write a clip; its kind (and its sound's codec) by suffix: mp4 AAC, mkv FLAC, webm Opus."""
    end = times_seconds[-1]
    rate = Fraction(len(times_seconds) - 1) / end
    steady = all(time == n / rate for n, time in enumerate(times_seconds))
    tick = 1 / rate if steady else Fraction(1, 1000)
    options = {"g": "12", "bf": "2", "crf": "12", **(video_options or {})}
    if video_codec == "libvpx-vp9":
        options = {"g": "12", "crf": "20", "b": "0", "deadline": "realtime", "cpu-used": "8"}
    with av.open(str(path), "w") as container:
        video = container.add_stream(
            video_codec, rate=rate.limit_denominator(1001), options=options
        )
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.time_base = tick
        video.codec_context.thread_count = 1
        audio = None
        if with_sound:
            codec = {".mp4": "aac", ".mkv": "flac", ".webm": "libopus", ".ts": "aac"}[path.suffix]
            audio = container.add_stream(codec, rate=rate_hz, layout="mono")
            assert isinstance(audio, AudioStream)
            audio.codec_context.time_base = Fraction(1, rate_hz)
        for number, time in enumerate(times_seconds[:-1]):
            picture = numbered_picture(number, flash=number == flash_frame)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = int(time / tick), tick
            frame.duration = int((times_seconds[number + 1] - time) / tick)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            sound = click_sound(end - sound_begins_seconds, click_seconds, rate_hz)
            for at in range(0, len(sound), 1024):
                frame = av.AudioFrame.from_ndarray(
                    sound[None, at : at + 1024], format="fltp", layout="mono"
                )
                frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
                frame.pts = at + int(sound_begins_seconds * rate_hz)
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return FlashAndClick(path, list(times_seconds), flash_frame, click_seconds)
