"""Sound to disk: 16-bit FLAC or WAV, each sample k / 32768."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.format import AudioFormat
from av.audio.stream import AudioStream

from soundreel.atomic import atomic_file
from soundreel.errors import SettingsError
from soundreel.media.storage import encoder_errors

_CODECS = {".flac": "flac", ".wav": "pcm_s16le"}
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
_BLOCK_SAMPLES = 4_096


def write_sound(path: Path | str, sound: np.ndarray, sample_rate_hz: int) -> None:
    """Write a sound as 16-bit FLAC or WAV, by suffix; whole or not at all.

    sound: float, (n,) or (channels, n), full scale 1. A sample x is stored as
    round(32768 x), clipped to -32768..32767: reading back gives k / 32768 exactly.

    Raises: SettingsError for another suffix or a shape that cannot be stored; StorageError if
    the disk is full or the place cannot be written.
    """
    path = Path(path)
    codec = _CODECS.get(path.suffix.lower())
    if codec is None:
        raise SettingsError(f"{path}: a sound is written as .flac or .wav: choose one of these")
    sound_CN = np.atleast_2d(np.asarray(sound))
    layout = _LAYOUTS.get(sound_CN.shape[0])
    if sound_CN.ndim != 2 or layout is None:
        raise SettingsError(
            f"{path}: a sound of shape {np.shape(sound)}: (n,) or (1, 2, 6 or 8 channels, n)"
        )
    if not np.isfinite(sound_CN).all():
        raise SettingsError(f"{path}: the sound holds values that are no numbers: make it anew")
    with (
        atomic_file(path) as partial,
        encoder_errors(path),
        av.open(
            str(partial),
            "w",
            format=path.suffix.lower().lstrip("."),
            options={"fflags": "+bitexact"},
        ) as container,
    ):
        stream = container.add_stream(codec, rate=sample_rate_hz, layout=layout)
        assert isinstance(stream, AudioStream)
        stream.codec_context.format = AudioFormat("s16")
        stream.codec_context.time_base = Fraction(1, sample_rate_hz)
        for at in range(0, sound_CN.shape[1], _BLOCK_SAMPLES):
            frame = av.AudioFrame.from_ndarray(
                sixteen_bits(sound_CN[:, at : at + _BLOCK_SAMPLES]), format="s16", layout=layout
            )
            frame.sample_rate = sample_rate_hz
            frame.time_base = Fraction(1, sample_rate_hz)
            frame.pts = at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def sixteen_bits(sound_CN: np.ndarray) -> np.ndarray:
    """Channels x n floats as 1 x (n channels) int16, interleaved."""
    scaled_CN = np.clip(np.rint(sound_CN * 32768.0), -32768, 32767)
    return np.ascontiguousarray(scaled_CN.astype(np.int16).T).reshape(1, -1)
