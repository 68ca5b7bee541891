"""Songs of every kind, each with one click in faint noise, and films' parts; written with PyAV."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream

from flash_and_click import numbered_picture
from soundreel.media.film_format import FilmFormat
from soundreel.media.film_parts import part_name, part_writer

CLICK_SECONDS = Fraction(6, 5)
#: file's suffix -> (encoder, muxer)
ENCODERS = {
    ".m4a": ("aac", "ipod"),
    ".mp3": ("libmp3lame", "mp3"),
    ".opus": ("libopus", "ogg"),
    ".ogg": ("vorbis", "ogg"),
    ".webm": ("libopus", "webm"),
    ".wav": ("pcm_s16le", "wav"),
    ".aiff": ("pcm_s24be", "aiff"),
    ".flac": ("flac", "flac"),
    ".aac": ("aac", "adts"),
    ".alac.m4a": ("alac", "ipod"),
    ".float.wav": ("pcm_f32le", "wav"),
}


def noise_with_click(seconds: Fraction, rate_hz: int, channels: int = 2) -> np.ndarray:
    """Faint noise and one sample of 0.9 at the click: float32 (channels, n)."""
    noise = np.random.default_rng(0).standard_normal((channels, int(seconds * rate_hz)))
    sound_CN = (0.01 * noise).astype(np.float32)
    sound_CN[:, int(CLICK_SECONDS * rate_hz)] = 0.9
    return sound_CN


def write_song(
    path: Path,
    kind: str,
    rate_hz: int = 48_000,
    channels: int = 2,
    seconds: Fraction = Fraction(2),
    gap_at_samples: int | None = None,
    begins_samples: int = 0,
) -> Path:
    """Write a song of a kind (of `ENCODERS`); with a gap of 1 s in its times where that is said."""
    encoder, muxer = ENCODERS[kind]
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    sound_CN = noise_with_click(seconds, rate_hz, channels)
    if path.suffix == ".mkv":
        muxer = "matroska"
    with av.open(str(path), "w", format=muxer) as container:
        stream = container.add_stream(
            encoder, rate=rate_hz, layout=layout, options={"strict": "-2"}
        )
        assert isinstance(stream, AudioStream)
        stream.codec_context.time_base = Fraction(1, rate_hz)
        gap = 0
        for at in range(0, sound_CN.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(
                sound_CN[:, at : at + 1024].copy(), format="fltp", layout=layout
            )
            frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
            frame.pts = at
            for packet in stream.encode(frame):
                assert packet.pts is not None
                if gap_at_samples is not None and packet.pts >= gap_at_samples:
                    gap = rate_hz
                packet.pts += gap + begins_samples
                packet.dts = packet.pts
                container.mux(packet)
        for packet in stream.encode(None):
            assert packet.pts is not None
            packet.pts += gap + begins_samples
            packet.dts = packet.pts
            container.mux(packet)
    return path


def write_parts(
    folder: Path, film_format: FilmFormat, lengths: list[int], order: list[int] | None = None
) -> list[Path]:
    """Write parts of numbered pictures, counted through the film, in an order of their own."""
    folder.mkdir(exist_ok=True)
    parts = [folder / part_name(index, film_format) for index in range(len(lengths))]
    for index in order or range(len(lengths)):
        first = sum(lengths[:index])
        with part_writer(parts[index], film_format, first) as write:
            for frame in range(first, first + lengths[index]):
                write(numbered_picture(frame))
    return parts
