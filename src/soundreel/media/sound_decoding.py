"""A file's whole sound from time zero on, at the rate that it is stored in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import av
import av.error
import numpy as np

from soundreel.errors import MediaError
from soundreel.media.opening import (
    duration_seconds,
    open_media,
    reason,
    sound_stream,
    time_zero_seconds,
)
from soundreel.timeline import nearest_sample

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.container import InputContainer

#: `left`: the first channel; `mono`: the mean of all; `own`: one or two as stored, and more of
#: them mixed to two by libswresample.
Channels = Literal["left", "mono", "own"]

_GAP_SECONDS = Fraction(1, 20)
# A gap in a file that does not know its length: more is a damaged timestamp, not silence.
_MAX_GAP_SECONDS = 600
# The first timestamp is rounded to a tick; no start can be told from zero within this.
_ROUNDED_START_SECONDS = Fraction(1, 1000)
_SILENCE_SAMPLES = 65_536
# 48 dB over full scale: decoders overshoot by a few; beyond this a float file is damaged.
_LOUDEST = 256.0


@dataclass(frozen=True)
class Piece:
    """Some samples that follow those of the piece before: float32 (channels, n)."""

    samples_CN: np.ndarray
    rate_hz: int

    @property
    def seconds(self) -> Fraction:
        """How long it is."""
        return Fraction(self.samples_CN.shape[1], self.rate_hz)


def decoded(path: Path, channels: Channels) -> Iterator[Piece]:
    """The whole sound from time zero on, silence included, always with as many channels.

    Timestamps that leave a gap of more than 50 ms are filled with silence; those that jump back,
    or further ahead than the file is long, are taken for damaged and the sound goes on.

    Raises: MediaError if the file cannot be read, has no sound, or none of it can be decoded.
    """
    with open_media(path) as container:
        zero = time_zero_seconds(container)
        duration = duration_seconds(container)
        at: Fraction | None = None  # where the next sample belongs; None: nothing came yet
        shift = Fraction(0)  # what is added to timestamps since one that made no sense
        mixer = _Mixer(channels)
        for frame, heard in _frames(path, container):
            piece = Piece(mixer.mix(frame)[:, :heard], frame.sample_rate)
            begins = at or Fraction(0)
            if frame.pts is not None and frame.time_base:
                begins = frame.pts * frame.time_base - zero + shift
            if at is None:
                at = Fraction(0)
                if begins < -_ROUNDED_START_SECONDS:
                    early = nearest_sample(-begins, piece.rate_hz)
                    piece = Piece(piece.samples_CN[:, early:], piece.rate_hz)
                elif begins > _ROUNDED_START_SECONDS:
                    yield from _silence(begins, piece)
                    at = begins
            elif begins - at > _GAP_SECONDS:
                if begins - at <= (_MAX_GAP_SECONDS if duration is None else duration - at):
                    yield from _silence(begins - at, piece)
                    at = begins
                else:
                    shift += at - begins
            elif at - begins > _GAP_SECONDS:
                shift += at - begins
            at += piece.seconds
            yield piece


def _frames(path: Path, container: InputContainer) -> Iterator[tuple[AudioFrame, int]]:
    """(frame, how many of its samples are to be heard); damaged packets give no frame.

    Encoders fill the last frame up; the length of an MP4's last packet says how far it counts.
    """
    stream = sound_stream(container)
    if stream is None:
        raise MediaError(f"{path}: has no sound: give a song, or a video with sound")
    trouble: BaseException | None = None
    held: AudioFrame | None = None
    last_seconds: Fraction | None = None
    packets = container.demux(stream)
    flushed = False
    while not flushed:
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, OSError) as error:
            trouble, packet = error, None  # broken off: what came before is the sound
        if packet is None or packet.size == 0:
            flushed, packet = True, None
        elif packet.duration and packet.time_base:
            last_seconds = packet.duration * packet.time_base
        try:
            frames = stream.codec_context.decode(packet)
        except (av.error.FFmpegError, ValueError) as error:
            trouble, frames = error, []
        for frame in frames:
            if frame.samples and frame.sample_rate > 0:
                if held is not None:
                    yield held, held.samples
                held = frame
    if held is None:
        why = f" ({reason(trouble)})" if trouble else ""
        raise MediaError(f"{path}: none of its sound can be decoded{why}: give another file")
    heard = held.samples
    if last_seconds is not None and "mov" in container.format.name.split(","):
        heard = min(heard, nearest_sample(last_seconds, held.sample_rate))
    yield held, heard


class _Mixer:
    """Brings frames of any sample format and channels to float32 (channels, n)."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self._count: int | None = None if channels == "own" else 1
        self._downmixes: dict[tuple[str, str, int], av.AudioResampler] = {}

    def mix(self, frame: AudioFrame) -> np.ndarray:
        if self._channels == "own" and frame.layout.nb_channels > 2:
            mixed_CN = self._downmixed(frame)
        else:
            mixed_CN = _floats(frame)
            if self._channels == "left":
                mixed_CN = mixed_CN[:1]
            elif self._channels == "mono" and len(mixed_CN) > 1:
                mixed_CN = mixed_CN.mean(axis=0, keepdims=True)
        self._count = self._count or len(mixed_CN)
        if len(mixed_CN) != self._count:  # the number of channels changes within the file
            mixed_CN = np.repeat(mixed_CN.mean(axis=0, keepdims=True), self._count, axis=0)
        mixed_CN = np.nan_to_num(mixed_CN, nan=0.0, posinf=_LOUDEST, neginf=-_LOUDEST)
        return np.clip(mixed_CN, -_LOUDEST, _LOUDEST).astype(np.float32)

    def _downmixed(self, frame: AudioFrame) -> np.ndarray:
        key = (frame.layout.name, frame.format.name, frame.sample_rate)
        if key not in self._downmixes:
            self._downmixes[key] = av.AudioResampler("fltp", "stereo", frame.sample_rate)
        frame.pts = None
        parts = [part.to_ndarray() for part in self._downmixes[key].resample(frame)]
        return np.concatenate(parts, axis=1)


def _floats(frame: AudioFrame) -> np.ndarray:
    """A frame as (channels, n), full scale 1; in float64 where float32 would round."""
    stored = frame.to_ndarray()
    stored_CN = stored if frame.format.is_planar else stored.reshape(-1, frame.layout.nb_channels).T
    if stored.dtype == np.uint8:
        return (stored_CN.astype(np.float32) - 128) / 128
    if stored.dtype == np.int16:
        return stored_CN.astype(np.float32) / 32768
    if np.issubdtype(stored.dtype, np.integer):
        return stored_CN / float(2 ** (8 * stored.dtype.itemsize - 1))
    return stored_CN


def _silence(seconds: Fraction, like: Piece) -> Iterator[Piece]:
    left = nearest_sample(seconds, like.rate_hz)
    while left > 0:
        count = min(left, _SILENCE_SAMPLES)
        yield Piece(np.zeros((len(like.samples_CN), count), np.float32), like.rate_hz)
        left -= count
