"""A file's sound as one channel of floats at the wanted rate, and sound to disk.

Time zero is the container's start, as for the pictures: where the sound begins later, or its
timestamps leave a gap, there is silence. Everything is decoded from the file's start, so a span
holds exactly the samples that the whole has there, whatever the codec.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from soundreel.errors import SettingsError
from soundreel.media.resampling import at_rate, in_blocks, span
from soundreel.media.sound_decoding import decoded
from soundreel.media.sound_file import write_sound
from soundreel.timeline import samples_before

__all__ = ["read_sound", "sound_duration", "stream_sound", "write_sound"]

_BLOCK_SAMPLES = 65_536


def read_sound(
    path: Path | str,
    sample_rate_hz: int,
    channel: Literal["left", "mono"],
    start_seconds: Fraction = Fraction(0),
    stop_seconds: Fraction | None = None,
) -> np.ndarray:
    """The sound of a span, float32 (n,), full scale 1 (decoders may overshoot it).

    channel: `left` is the first channel, `mono` the mean of all. Resampled by libswresample
    (band-limited, without delay). Holds the samples taken in [start, stop), fewer where the
    sound ends before.

    Raises: MediaError if the file cannot be read, has no sound, or none of it can be decoded;
    SettingsError for a channel or a rate that cannot be.
    """
    blocks = list(stream_sound(path, sample_rate_hz, channel, start_seconds, stop_seconds))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def stream_sound(
    path: Path | str,
    sample_rate_hz: int,
    channel: Literal["left", "mono"],
    start_seconds: Fraction = Fraction(0),
    stop_seconds: Fraction | None = None,
    block_samples: int = _BLOCK_SAMPLES,
) -> Iterator[np.ndarray]:
    """The samples of `read_sound` in blocks of `block_samples`, the last one shorter.

    Memory does not grow with the sound's length.

    Raises: as `read_sound`; SettingsError for a block of no samples too.
    """
    if channel not in ("left", "mono"):
        raise SettingsError(f"channel {channel!r}: choose left or mono")
    if not 1_000 <= sample_rate_hz <= 768_000 or block_samples < 1:
        raise SettingsError(
            f"{sample_rate_hz} Hz in blocks of {block_samples}: "
            "give 1000 to 768000 Hz and a block of at least 1 sample"
        )
    first = samples_before(start_seconds, sample_rate_hz)
    stop = None if stop_seconds is None else samples_before(stop_seconds, sample_rate_hz)
    pieces_1N = at_rate(decoded(Path(path), channel), sample_rate_hz)
    for block_1N in in_blocks(span(pieces_1N, first, stop), block_samples):
        yield block_1N[0].copy()


def sound_duration(path: Path | str) -> Fraction:
    """How long the sound is, in seconds from time zero: counted by decoding, since headers lie.

    Raises: MediaError as `read_sound`.
    """
    return sum((piece.seconds for piece in decoded(Path(path), "left")), Fraction(0))
