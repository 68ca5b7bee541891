"""A song's own stream put into a film as it is: its packets are copied, bit for bit.

Copied is what the kind of film holds and common players take there, if the film uses the whole
song: AAC-LC and MP3 in MP4; those two, ALAC and PCM in MOV; Opus and Vorbis in WebM. FLAC and ALAC
in MP4 are not: players differ on them. Nor is AAC with spectral band replication or a stream
without the header that MP4 wants (.aac): players differ on where its sound begins.

Encoders put silence before the sound (AAC 1024 samples and more, MP3 1105, Opus 312) and fill the
last packet up. What the film says of its times is made so that the sound lies where the song's
decoded sound lies.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av.error

from soundreel.media.film_format import Kind
from soundreel.media.opening import open_media, reason, sound_stream, time_zero_seconds
from soundreel.media.song_track import Song
from soundreel.timeline import nearest_sample

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

_CODECS: dict[Kind, frozenset[str]] = {
    "mp4": frozenset({"aac", "mp3"}),
    "mov": frozenset({"aac", "mp3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be"}),
    "webm": frozenset({"opus", "vorbis"}),
}
_RATES_HZ = (32_000, 44_100, 48_000)  # what every player and phone takes
_HEADED = {"aac", "alac", "opus", "vorbis"}
_FRAME_SAMPLES = {"aac": 1024, "mp3": 1152}
# Containers round times to milliseconds; an ear hears two sounds apart from some 5 ms on.
_OFF_SECONDS = Fraction(2, 1000)
# Ogg has no times for Vorbis' packets, only for some of their ends, and FFmpeg's guesses between
# these are off by up to 20 ms: the samples decoded are counted instead. From here on, decoding
# takes a difference for a gap.
_OFF_VORBIS_SECONDS = Fraction(1, 20)
_END_SECONDS = Fraction(1, 20)


class _NotCopiedError(Exception):
    """Why a song is not copied."""


@dataclass(frozen=True)
class CopyPlan:
    """A song that can be copied into a film."""

    song: Song
    codec: str
    rate_hz: int
    samples: int
    """How many are heard."""
    places: Sequence[int] | None
    """Where each packet's first sample lies, where the file's own times do not say."""


def copy_plan(song: Song, kind: Kind) -> CopyPlan | str:
    """How a song can be copied into a kind of film, or, in a few words, why it cannot.

    The whole song is decoded for it: a part that cannot be, times that jump, or a change of rate
    or channels speak against copying.

    Raises: MediaError if the song is missing or is no sound or video.
    """
    if song.start_seconds != 0:
        return "the film does not begin with the song"
    with open_media(song.path) as container:
        stream = sound_stream(container)
        if stream is None:
            return "it has no sound"
        try:
            codec = _suitable(stream, kind)
            samples, places = _checked(container, stream, codec)
        except _NotCopiedError as why:
            return str(why)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            return f"a part of it cannot be decoded ({reason(error)})"
        rate_hz = stream.codec_context.sample_rate
    end = Fraction(samples, rate_hz)
    if song.stop_seconds is not None and not (
        -Fraction(1, rate_hz) <= song.stop_seconds - end <= _END_SECONDS
    ):
        return "the film does not end with the song"
    return CopyPlan(song, codec, rate_hz, samples, places if codec == "vorbis" else None)


def _suitable(stream: AudioStream, kind: Kind) -> str:
    """The codec's name. Raises: _NotCopiedError."""
    context = stream.codec_context
    codec = context.codec.canonical_name
    if codec not in _CODECS.get(kind, ()):
        raise _NotCopiedError(f"{codec} in .{kind} is not what all players take")
    if codec == "aac" and stream.profile != "LC":
        raise _NotCopiedError(f"players differ on AAC of the profile {stream.profile}")
    if codec in _HEADED and not context.extradata:
        raise _NotCopiedError("its stream has no header")
    if context.sample_rate not in _RATES_HZ or context.channels not in (1, 2):
        raise _NotCopiedError(f"{context.channels} channels of {context.sample_rate} Hz")
    return codec


def _checked(
    container: InputContainer, stream: AudioStream, codec: str
) -> tuple[int, Sequence[int]]:
    """How many samples are heard, all decoded and all in their place, and where packets begin.

    Raises: _NotCopiedError.
    """
    context = stream.codec_context
    rate_hz, channels = context.sample_rate, context.channels
    zero = time_zero_seconds(container)
    heard, first = 0, None
    places = array("q")
    off_seconds = _OFF_VORBIS_SECONDS if codec == "vorbis" else _OFF_SECONDS
    last_samples, last_frame = None, 0
    for count, packet in enumerate(container.demux(stream)):
        if packet.size:
            if packet.pts is None or packet.has_sidedata("new_extradata"):
                raise _NotCopiedError("its packets have no times, or change what they are")
            begins = packet.pts * packet.time_base - zero
            first = begins if first is None else first
            frame_samples = _FRAME_SAMPLES.get(codec)
            if frame_samples is not None:
                expected = first + Fraction(count * frame_samples, rate_hz)
                _check_place(begins, expected, off_seconds)
            places.append(heard)
            if packet.duration:
                last_samples = nearest_sample(packet.duration * packet.time_base, rate_hz)
        for frame in context.decode(packet if packet.size else None):
            if frame.sample_rate != rate_hz or frame.layout.nb_channels != channels:
                raise _NotCopiedError("its rate or its channels change")
            if frame.pts is not None and frame.time_base:
                begins = frame.pts * frame.time_base - zero
                _check_place(
                    begins, Fraction(heard, rate_hz), off_seconds if heard else _OFF_SECONDS
                )
            heard += frame.samples
            last_frame = frame.samples
    if last_samples is not None and "mov" in container.format.name.split(","):
        heard -= max(0, last_frame - last_samples)  # the last packet's length says what counts
    if heard == 0:
        raise _NotCopiedError("none of it can be decoded")
    return heard, places


def _check_place(begins_seconds: Fraction, expected_seconds: Fraction, off: Fraction) -> None:
    if abs(begins_seconds - expected_seconds) > off:
        raise _NotCopiedError("its times jump, or it begins late")


class CopiedTrack:
    """Copies a song's packets into a container, a little at a time."""

    def __init__(self, container: OutputContainer, plan: CopyPlan) -> None:
        self._container, self._plan = container, plan
        self._opened = ExitStack()
        song = self._opened.enter_context(open_media(plan.song.path))
        source = sound_stream(song)
        assert source is not None
        self._stream = container.add_stream_from_template(source, opaque=True)
        self._stream.time_base = Fraction(1, plan.rate_hz)
        self._packets = self._timed(song, source)
        self._next = next(self._packets, None)

    def write_until(self, time_seconds: Fraction) -> None:
        """Write what is heard before a time of the film."""
        while self._next is not None and self._next[0] < time_seconds * self._plan.rate_hz:
            self._write_next()

    def finish(self) -> None:
        """Write the rest."""
        while self._next is not None:
            self._write_next()
        self.close()

    def close(self) -> None:
        """Let go of the song's file."""
        self._opened.close()

    def _write_next(self) -> None:
        assert self._next is not None
        self._container.mux(self._next[1])
        self._next = next(self._packets, None)

    def _timed(
        self, song: InputContainer, source: AudioStream
    ) -> Iterator[tuple[int, Packet[AudioStream]]]:
        """(place in samples of the film, packet with that time)."""
        plan, zero = self._plan, time_zero_seconds(song)
        frame_samples = _FRAME_SAMPLES.get(plan.codec)
        first: int | None = None
        for count, packet in enumerate(song.demux(source)):
            if packet.size == 0:
                continue
            assert packet.pts is not None
            at = nearest_sample(packet.pts * packet.time_base - zero, plan.rate_hz)
            first = at if first is None else first
            if frame_samples is not None:
                at = first + count * frame_samples  # a container of milliseconds rounds them
            if plan.places is not None:
                at = plan.places[count]
            if at >= plan.samples:
                return  # only what fills the codec's frames up
            length = nearest_sample((packet.duration or 0) * packet.time_base, plan.rate_hz)
            packet.duration = min(frame_samples or length, plan.samples - at)
            packet.time_base = Fraction(1, plan.rate_hz)
            packet.pts = packet.dts = at
            packet.stream = self._stream
            yield at, packet
