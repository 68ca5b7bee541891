"""Sound in pieces brought to one rate, cut to a span, and dealt out in blocks.

How the sound comes in pieces changes no sample of the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np

from soundreel.media.sound_decoding import Piece
from soundreel.timeline import samples_before

_RESAMPLED_AT_ONCE = 65_536
_LAYOUTS = {1: "mono", 2: "stereo"}


def at_rate(pieces: Iterable[Piece], sample_rate_hz: int) -> Iterator[np.ndarray]:
    """The pieces at one rate, (channels, n) each: as many samples as are taken in their time."""
    made = 0  # samples at the wanted rate so far
    ended = Fraction(0)  # where the stretches before the present one end, in seconds
    stretch: _Stretch | None = None
    for piece in pieces:
        if stretch is None or stretch.rate_hz != piece.rate_hz:
            if stretch is not None:
                ended += stretch.seconds
                rest_CN = stretch.finish(samples_before(ended, sample_rate_hz) - made)
                made += rest_CN.shape[1]
                yield rest_CN
            stretch = _Stretch(piece.rate_hz, sample_rate_hz, len(piece.samples_CN))
        for samples_CN in stretch.add(piece.samples_CN):
            made += samples_CN.shape[1]
            yield samples_CN
    if stretch is not None:
        yield stretch.finish(samples_before(ended + stretch.seconds, sample_rate_hz) - made)


class _Stretch:
    """Resamples a stretch of sound that is stored in one rate."""

    def __init__(self, rate_hz: int, sample_rate_hz: int, channels: int) -> None:
        self.rate_hz = rate_hz
        self._same = rate_hz == sample_rate_hz
        self._layout = _LAYOUTS[channels]
        self._channels = channels
        self._taken = 0
        self._blocks = _Rechunker(_RESAMPLED_AT_ONCE)
        self._resampler = av.AudioResampler("fltp", self._layout, sample_rate_hz)

    @property
    def seconds(self) -> Fraction:
        """How much has been added."""
        return Fraction(self._taken, self.rate_hz)

    def add(self, samples_CN: np.ndarray) -> Iterator[np.ndarray]:
        """Take some samples; yields what is ready at the wanted rate."""
        self._taken += samples_CN.shape[1]
        if self._same:
            yield samples_CN
            return
        for block_CN in self._blocks.add(samples_CN):
            yield self._resampled(block_CN)

    def finish(self, count: int) -> np.ndarray:
        """The last `count` samples: the resampler's rest, cut or (by a sample or two) padded."""
        count = max(0, count)
        if self._same:
            return np.zeros((self._channels, count), np.float32)
        parts = [self._resampled(block_CN) for block_CN in self._blocks.rest()]
        parts += [frame.to_ndarray() for frame in self._resampler.resample(None)]
        joined_CN = np.concatenate([np.zeros((self._channels, 0), np.float32), *parts], axis=1)
        joined_CN = joined_CN[:, :count]
        return np.pad(joined_CN, ((0, 0), (0, count - joined_CN.shape[1])))

    def _resampled(self, samples_CN: np.ndarray) -> np.ndarray:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples_CN), format="fltp", layout=self._layout
        )
        frame.sample_rate = self.rate_hz
        parts = [made.to_ndarray() for made in self._resampler.resample(frame)]
        return np.concatenate([np.zeros((self._channels, 0), np.float32), *parts], axis=1)


def span(pieces_CN: Iterable[np.ndarray], first: int, stop: int | None) -> Iterator[np.ndarray]:
    """Samples first, first + 1, ... up to `stop` (not included; None: to the end) of the pieces."""
    at = 0
    for piece_CN in pieces_CN:
        if stop is not None and at >= stop:
            return
        end = piece_CN.shape[1] if stop is None else stop - at
        kept_CN = piece_CN[:, max(0, first - at) : end]
        at += piece_CN.shape[1]
        if kept_CN.shape[1]:
            yield kept_CN


def in_blocks(pieces_CN: Iterable[np.ndarray], block_samples: int) -> Iterator[np.ndarray]:
    """The same samples in blocks of `block_samples`, the last one shorter."""
    blocks = _Rechunker(block_samples)
    for piece_CN in pieces_CN:
        yield from blocks.add(piece_CN)
    yield from blocks.rest()


class _Rechunker:
    """Deals samples out in blocks of one size."""

    def __init__(self, block_samples: int) -> None:
        self._block_samples = block_samples
        self._waiting: list[np.ndarray] = []
        self._count = 0

    def add(self, samples_CN: np.ndarray) -> Iterator[np.ndarray]:
        self._waiting.append(samples_CN)
        self._count += samples_CN.shape[1]
        if self._count < self._block_samples:
            return
        joined_CN = np.concatenate(self._waiting, axis=1)
        whole = self._count - self._count % self._block_samples
        self._waiting, self._count = [joined_CN[:, whole:]], self._count - whole
        for at in range(0, whole, self._block_samples):
            yield joined_CN[:, at : at + self._block_samples]

    def rest(self) -> Iterator[np.ndarray]:
        if self._count:
            yield np.concatenate(self._waiting, axis=1)
        self._waiting, self._count = [], 0
