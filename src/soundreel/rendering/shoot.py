"""A shoot: everything that decides the pictures of one film of one song.

It can be asked for any stretch of frames and gives the same ones however the film is cut, so a
film can be made in parts, resumed, and split over workers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, is_dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

import numpy as np
from torch import Tensor

from soundreel.networks.bundle import Model
from soundreel.recipe import Recipe
from soundreel.rendering.accents import Accent, accent
from soundreel.rendering.blending import crossfade_share, mix
from soundreel.rendering.cues import CueTrack
from soundreel.rendering.engines import Engine, EngineName, open_engine
from soundreel.rendering.film import scaled
from soundreel.rendering.generate import engine_of, generated
from soundreel.rendering.smooth import Kernel, smoothed
from soundreel.rendering.staging import staged

_FRAMES_AHEAD = 16


@dataclass(frozen=True)
class Eye:
    """A model that looks: which one, computed how, with which seed.

    model: a model folder; or a model that is loaded already, which then computes as it does.
    weights_sha256: of the weights, so that a film knows whose it is.
    track: the cues of the film's frames, for a `reel`.
    """

    name: str
    model: Path | Model
    engine: EngineName | None
    recipe: Recipe
    weights_sha256: str
    seed: int
    track: CueTrack | None = None

    def open(self) -> Engine:
        """What makes frames of windows."""
        if isinstance(self.model, Model):
            return engine_of(self.model)
        assert self.engine is not None
        return _opened(self.engine, self.model, self.weights_sha256)


#: Engines that are open in this process, the last ones used last: opening one takes seconds.
_open_engines: dict[tuple[EngineName, str], Engine] = {}
_MOST_OPEN = 4


def keep_open(engine: Engine, weights_sha256: str) -> Engine:
    """An engine as it is used from now on in this process, by shoots of the same weights."""
    # Two stretches that cross over may see with one eye, each from threads of its own.
    as_many = BoundedSemaphore(engine.lanes)

    def frames(x_B1SS: Tensor, seeds: Sequence[int], cue_BK: Tensor | None = None) -> np.ndarray:
        with as_many:
            return engine.frames(x_B1SS, seeds, *(() if cue_BK is None else (cue_BK,)))

    kept = replace(engine, frames=frames)
    _open_engines.pop((engine.name, weights_sha256), None)
    _open_engines[engine.name, weights_sha256] = kept
    while len(_open_engines) > _MOST_OPEN:
        del _open_engines[next(iter(_open_engines))]
    return kept


def _opened(name: EngineName, folder: Path, weights_sha256: str) -> Engine:
    known = _open_engines.get((name, weights_sha256))
    return known or keep_open(open_engine(name, folder), weights_sha256)


@dataclass(frozen=True)
class Stretch:
    """Frames [first, stop) of the film that one eye sees; it comes in over `fade` frames.

    kernel: how its frames are evened out; counted from frame `first`, as far as `last_faded`.
    seen_until: where it has given way to the next one: `stop`, and the next one's fade.
    """

    eye: int
    first: int
    stop: int
    seen_until: int
    fade: int
    kernel: Kernel


@dataclass(frozen=True)
class Shoot:
    """Everything that decides the pictures of one film (see the fields' own classes).

    song: whose sound the eyes see; frame n shows start_seconds + n / fps.
    one_in: 1, or for a draft how many frames are made of one picture and the next.
    accent_F: how strongly each frame is accented, 0 to 1; accent: how.
    """

    song: Path
    song_sha256: str
    start_seconds: Fraction
    fps: Fraction
    frames: int
    eyes: tuple[Eye, ...]
    stretches: tuple[Stretch, ...]
    accent_F: np.ndarray | None = None
    accent: Accent = "none"
    one_in: int = 1

    def pictures(self, first: int, stop: int) -> Iterator[np.ndarray]:
        """Frames first to stop (exclusive), H x W x 3 uint8, as large as the models make them.

        Raises: MediaError if the song cannot be read.
        """
        for place, stretch in enumerate(self.stretches):
            begin, end = max(first, stretch.first), min(stop, stretch.stop)
            if begin >= end:
                continue
            before = (
                self.stretches[place - 1]
                if place and begin < stretch.first + stretch.fade
                else None
            )
            with ExitStack() as stack:
                coming = stack.enter_context(staged(self._seen(stretch, begin, end), _FRAMES_AHEAD))
                going: Iterator[np.ndarray] = iter(())
                if before is not None:
                    until = min(end, before.seen_until)
                    going = stack.enter_context(
                        staged(self._seen(before, begin, until), _FRAMES_AHEAD)
                    )
                for n in range(begin, end):
                    frame_HW3 = next(coming)
                    if before is not None and n < before.seen_until:
                        share = crossfade_share(n, stretch.first, before.seen_until)
                        other_HW3 = next(going)
                        # In whatever shape each comes, it fills the film's frame.
                        height = max(frame_HW3.shape[0], other_HW3.shape[0])
                        width = max(frame_HW3.shape[1], other_HW3.shape[1])
                        frame_HW3 = mix(
                            scaled(other_HW3, width, height),
                            scaled(frame_HW3, width, height),
                            share,
                        )
                    if self.accent_F is not None and self.accent_F[n] > 0:
                        frame_HW3 = accent(frame_HW3, float(self.accent_F[n]), self.accent)
                    yield frame_HW3

    def identity(self) -> dict[str, Any]:
        """All that decides the pictures, as JSON values."""
        # Where the files lie does not matter, only what is in them.
        known = {one.name: identified(getattr(self, one.name)) for one in fields(self)}
        del known["song"]
        for eye in known["eyes"]:
            del eye["name"], eye["model"]
        return known

    def _seen(self, stretch: Stretch, first: int, stop: int) -> Iterator[np.ndarray]:
        """One eye's frames first to stop, evened out within its stretch."""
        reach = stretch.kernel.reach
        from_frame = max(stretch.first, first - reach)
        to_frame = min(stretch.seen_until, stop + reach)
        with staged(self._raw(stretch, from_frame, to_frame), _FRAMES_AHEAD) as raw:
            yield from smoothed(raw, first - stretch.first, stop - stretch.first, stretch.kernel)

    def _raw(self, stretch: Stretch, first: int, stop: int) -> Iterator[np.ndarray]:
        eye = self.eyes[stretch.eye]
        place = (eye.open(), eye.recipe, self.song, self.start_seconds)
        track = eye.track
        if self.one_in == 1:
            cues = None if track is None else track.cues
            yield from generated(*place, self.fps, first, stop, eye.seed, cues)
            return
        # A draft: every `one_in`th picture, and in between what lies between two of them.
        step = self.one_in
        drafted = None if track is None else partial(_every, track, step)
        pictures = generated(
            *place, self.fps / step, first // step, (stop - 1) // step + 2, eye.seed, drafted
        )
        cuts = np.array([] if track is None else track.cuts, np.int64)
        before_HW3, after_HW3 = next(pictures), next(pictures)
        for n in range(first, stop):
            if n % step == 0 and n > first:
                before_HW3, after_HW3 = after_HW3, next(pictures)
            share = n % step / step
            since = n - n % step
            between = cuts[np.searchsorted(cuts, since, "right") :][:1]
            if len(between) and between[0] <= since + step:
                share = float(n >= between[0])  # a cut lies between the two
            yield mix(before_HW3, after_HW3, share)


def _every(track: CueTrack, step: int, frames: Sequence[int]) -> Tensor:
    """The cues of a draft's pictures: of every `step`th frame."""
    return track.cues([step * n for n in frames])


def identified(value: Any) -> Any:
    """A value as JSON values that are equal only where the value decides the same pictures."""
    if isinstance(value, Model):
        return f"{type(value).__name__} {value.config.get('weights_sha256')}"
    if isinstance(value, Recipe):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: identified(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return f"{value.dtype} {value.shape} {digest[:32]}"
    if isinstance(value, tuple | list):
        return [identified(one) for one in value]
    return value if isinstance(value, int | float | str | bool | None) else str(value)
