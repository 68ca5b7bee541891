"""A sound of one channel to disk while it is made: WAV or FLAC, memory flat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.audio.format import AudioFormat
from av.audio.stream import AudioStream

from soundreel.atomic import atomic_file
from soundreel.errors import SettingsError
from soundreel.media.resampling import in_blocks
from soundreel.media.sound_file import sixteen_bits
from soundreel.media.storage import encoder_errors

_CODECS = {(".flac", 16): "flac", (".wav", 16): "pcm_s16le", (".wav", 32): "pcm_f32le"}
_BLOCK_SAMPLES = 4_096


def write_sound_in_pieces(
    path: Path,
    pieces: Iterable[np.ndarray],
    sample_rate_hz: int,
    *,
    bits: Literal[16, 32] = 16,
    metadata: Mapping[str, str] | None = None,
) -> int:
    """Write float samples (n,), full scale 1, as FLAC or WAV, by suffix; whole or not at all.

    bits: 16: each sample as round(32768 x), cut off at full scale; 32 (WAV): as floats.
    metadata: words for the file, such as title and comment.

    Returns how many samples were written. A WAV beyond 4 GB becomes an RF64.

    Raises: SettingsError for another suffix; StorageError if the disk is full or the place cannot
    be written.
    """
    suffix = path.suffix.lower()
    codec = _CODECS.get((suffix, bits))
    if codec is None:
        raise SettingsError(f"{path}: a sound is written as .flac or .wav: choose one of these")
    options = {"fflags": "+bitexact"} | ({"rf64": "auto"} if suffix == ".wav" else {})
    at = 0
    with (
        atomic_file(path) as partial,
        encoder_errors(path),
        av.open(str(partial), "w", format=suffix.lstrip("."), options=options) as container,
    ):
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=sample_rate_hz, layout="mono")
        assert isinstance(stream, AudioStream)
        form = "s16" if bits == 16 else "flt"
        stream.codec_context.format = AudioFormat(form)
        stream.codec_context.time_base = Fraction(1, sample_rate_hz)
        for block_1N in in_blocks((piece_N[None] for piece_N in pieces), _BLOCK_SAMPLES):
            stored_1N = sixteen_bits(block_1N) if bits == 16 else block_1N.astype(np.float32)
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(stored_1N), format=form, layout="mono"
            )
            frame.sample_rate, frame.time_base = sample_rate_hz, Fraction(1, sample_rate_hz)
            frame.pts = at
            at += block_1N.shape[1]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return at
