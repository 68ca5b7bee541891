"""The sound of a film: a song's span, encoded in step with the pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import OutputContainer

from soundreel.errors import MediaError, SettingsError
from soundreel.media.film_format import Kind
from soundreel.media.probe import probe
from soundreel.media.resampling import at_rate, in_blocks, span
from soundreel.media.sound_decoding import decoded
from soundreel.timeline import samples_before

_LAYOUTS = {1: "mono", 2: "stereo"}
_BLOCK_SAMPLES = 4_096
# ISO 14496-3 also has 64, 88.2 and 96 kHz; players and phones do not all take them.
_AAC_RATES_HZ = (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
_OPUS_RATE_HZ = 48_000
#: kind of film -> (encoder, bits a second); 24 bits of PCM hold more than any ear does.
ENCODED_SOUND: Mapping[Kind, tuple[str, int | None]] = {
    "mp4": ("aac", 192_000),
    "webm": ("libopus", 160_000),
    "mov": ("pcm_s24le", None),
}


@dataclass(frozen=True)
class Song:
    """The sound that a film gets: a file's sound from start to stop (None: to its end)."""

    path: Path
    start_seconds: Fraction = Fraction(0)
    stop_seconds: Fraction | None = None

    def __post_init__(self) -> None:
        if self.start_seconds < 0 or (
            self.stop_seconds is not None and self.stop_seconds <= self.start_seconds
        ):
            raise SettingsError(
                f"{self.path}: from {self.start_seconds} to {self.stop_seconds} s: "
                "stop must be after start"
            )


class SoundTrack(Protocol):
    """Sound that is written into a film a little at a time, in step with its pictures."""

    def write_until(self, time_seconds: Fraction) -> None:
        """Write what is heard before a time of the film."""
        ...

    def finish(self) -> None:
        """Write the rest."""
        ...

    def close(self) -> None:
        """End the sound where it is."""
        ...


def encoded_song(container: OutputContainer, kind: Kind, song: Song) -> SongTrack:
    """The sound of a film of some kind, encoded: AAC in MP4, Opus in WebM, PCM in MOV.

    Raises: MediaError if the song cannot be read.
    """
    codec, bit_rate = ENCODED_SOUND[kind]
    return SongTrack(container, song, codec, bit_rate)


class SongTrack:
    """Encodes a song's span into a container, a little at a time.

    Mono and stereo are kept; more channels are mixed to stereo. AAC and PCM keep the song's rate
    where AAC has it (else 48 kHz); Opus is 48 kHz. A span that goes on after the song's end is
    silent.
    """

    def __init__(
        self, container: OutputContainer, song: Song, codec: str, bit_rate: int | None
    ) -> None:
        sound = probe(song.path).audio
        if sound is None:
            raise MediaError(f"{song.path}: has no sound: give a song, or a video with sound")
        rate_hz = sound.sample_rate_hz
        if codec == "libopus" or rate_hz not in _AAC_RATES_HZ:
            rate_hz = _OPUS_RATE_HZ
        self.rate_hz = rate_hz
        first = samples_before(song.start_seconds, rate_hz)
        stop = None if song.stop_seconds is None else samples_before(song.stop_seconds, rate_hz)
        self._length = None if stop is None else stop - first
        pieces_CN = span(at_rate(decoded(song.path, "own"), rate_hz), first, stop)
        self._blocks = in_blocks(pieces_CN, _BLOCK_SAMPLES)
        # The first block is decoded now: a song that cannot be read is found before any picture.
        self._next_CN = next(self._blocks, None)
        channels = min(sound.channels, 2) if self._next_CN is None else len(self._next_CN)
        self._layout = _LAYOUTS[max(1, channels)]
        self._channels = max(1, channels)
        self._at = 0
        self._container = container
        stream = container.add_stream(codec, rate=rate_hz, layout=self._layout)
        assert isinstance(stream, AudioStream)
        self._stream = stream
        if bit_rate is not None:
            self._stream.codec_context.bit_rate = bit_rate
        self._stream.codec_context.time_base = Fraction(1, rate_hz)
        self._stream.codec_context.flags |= Flags.bitexact

    def write_until(self, time_seconds: Fraction) -> None:
        """Encode what is heard before a time of the film."""
        while self._next_CN is not None and self._at < time_seconds * self.rate_hz:
            self._encode(self._next_CN)
            self._next_CN = next(self._blocks, None)

    def finish(self) -> None:
        """Encode the rest, the silence after the song's end included."""
        while self._next_CN is not None:
            self._encode(self._next_CN)
            self._next_CN = next(self._blocks, None)
        while self._length is not None and self._at < self._length:
            count = min(_BLOCK_SAMPLES, self._length - self._at)
            self._encode(np.zeros((self._channels, count), np.float32))
        self.close()

    def close(self) -> None:
        """End the sound where it is: write what the encoder holds back."""
        self._container.mux(self._stream.encode(None))

    def _encode(self, block_CN: np.ndarray) -> None:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(block_CN), format="fltp", layout=self._layout
        )
        frame.sample_rate = self.rate_hz
        frame.time_base = Fraction(1, self.rate_hz)
        frame.pts = self._at
        self._at += block_CN.shape[1]
        self._container.mux(self._stream.encode(frame))
