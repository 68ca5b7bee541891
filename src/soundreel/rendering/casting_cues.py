"""How a `reel` films a song: the looks of its parts, its cuts, and the track of cues they make."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from soundreel.errors import ModelError
from soundreel.networks.bundle import Model, describe_model, load_model
from soundreel.networks.reel import Reel
from soundreel.rendering.cue_planning import (
    ChosenLook,
    HeardSong,
    LookChooser,
    LookSpan,
    Part,
    TakeBegin,
    chosen_looks,
    plan_track,
)
from soundreel.rendering.cues import CueTrack
from soundreel.rendering.film import Span
from soundreel.rendering.generate import song_windows
from soundreel.rendering.listening import Heard
from soundreel.rendering.looks import LookWish, look_name, read_look
from soundreel.rendering.remembered import Memory
from soundreel.rendering.shot_list import ShotList
from soundreel.rendering.take_begins import take_begins
from soundreel.timeline import frame_time, milliseconds

#: So often a song is listened to for the plan.
_HEARD_FPS = Fraction(5)
_WINDOWS_AT_A_TIME = 64
_MOST_NAMES = 8
#: How fast takes walk, beside their clips: faster, and what is drawn flickers more than real films;
#: slower, and it moves less (see LOG.md).
WALK_SPEED = 0.9


@dataclass(frozen=True)
class FilmCues:
    """A film's track of cues, and for people: "auto -> 003-aurora"."""

    track: CueTrack
    told: str


def has_looks(model: Path | Model) -> bool:
    """Whether a model is a `reel`, which films by looks and cues.

    Raises: ModelError if the folder is no model's.
    """
    if isinstance(model, Model):
        return isinstance(model.generator, Reel)
    return describe_model(model).architecture == "reel"


def hear_song(model: Model, span: Span) -> HeardSong:
    """What a `reel` hears in a span of a song, about five times a second.

    Raises: MediaError if the song cannot be read.
    """
    count = span.frames(_HEARD_FPS)
    windows = song_windows(
        model.recipe, span.song, span.start_seconds, _HEARD_FPS, 0, count, _WINDOWS_AT_A_TIME
    )
    sound_TA = torch.cat([model.sound_codes(x_B1SS) for x_B1SS in windows]).numpy()
    times = [float(span.start_seconds + frame_time(n, _HEARD_FPS)) for n in range(count)]
    return HeardSong(sound_TA, np.array(times))


def film_cues(
    place: Path | Model,
    span: Span,
    shots: ShotList,
    heard: Heard,
    fps: Fraction,
    seed: int,
    seen: Collection[int] | None = None,
) -> FilmCues:
    """The cues of a film of a span of a song.

    place: a model folder of a `reel`, or a loaded one. heard: with the song's form, unless the
    shot list tells shots, beats and bars. seen: which of the list's shots this model sees; None:
    all of them.

    The looks: the film's, and from shot to shot those that shots have of their own. The takes:
    by the list's `drive`, cut as the model's director cuts; a shot begins with another take.
    All is planned in seconds from the span's beginning: it is the same at each frame rate.

    Raises: SettingsError for a look that the model does not know; MediaError; ModelError.
    """
    model = place if isinstance(place, Model) else load_model(place, "fp32", "cpu")
    memory, look_NL, clips = _known(model)
    song = hear_song(model, span)
    own = _own_shots(shots, span, range(len(shots.shot)) if seen is None else seen)
    parts = _parts(shots, heard)
    chooser = LookChooser(memory, clips, song, parts, shots.song.bars)
    fade = shots.seconds_of(shots.film.crossfade, span.start_seconds)
    film = LookSpan(span.start_seconds, span.stop_seconds, read_look(shots.film.look), fade)
    looks = chosen_looks(chooser, film, _look_spans(shots, span, own))
    own_seconds = [begin for _, begin in own] if shots.shot else None
    begins = take_begins(model, span, shots, heard.beat_seconds, parts, own_seconds, seed)
    track = plan_track(
        memory,
        look_NL,
        song,
        looks,
        begins,
        span.start_seconds,
        span.stop_seconds,
        fps,
        seed,
        0 if shots.film.drive == "hold" else WALK_SPEED,
    )
    return FilmCues(track, _told(film.wish, looks, clips))


def cues_for_times(
    model: Model,
    sound_codes_TA: Tensor,
    times_seconds_T: Sequence[float] | np.ndarray,
    cut_seconds: Sequence[float] | np.ndarray = (),
    look: str = "auto",
    seed: int = 0,
) -> Tensor:
    """Cues for moments of a sound, planned as a film's: T x K float32.

    sound_codes_TA: what the model hears at these moments (`Model.sound_codes`).
    times_seconds_T: when they are, ascending, at least one.
    cut_seconds: where to cut, as from `take_begins.director_cuts`.
    look: see `looks.read_look`; for a walk there are no sections and no bars here.

    Raises: SettingsError for a look that the model does not know; ValueError for other than one
    time a code, or times that do not ascend.
    """
    seconds_T = np.asarray(times_seconds_T, np.float64)
    if seconds_T.shape != (len(sound_codes_TA),) or not len(seconds_T):
        raise ValueError(f"{seconds_T.shape} times for {len(sound_codes_TA)} sound codes")
    if (np.diff(seconds_T) < 0).any():
        raise ValueError("times must ascend")
    memory, look_NL, clips = _known(model)
    song = HeardSong(sound_codes_TA.float().cpu().numpy(), seconds_T)
    # As a film of frames of a thousandth of a second, cut where the next moment is.
    fps = Fraction(1000)
    start = Fraction(float(seconds_T[0]))
    n_T = np.array([milliseconds(Fraction(float(one)) - start) for one in seconds_T])
    step = max(1, int(np.median(np.diff(n_T)))) if len(n_T) > 1 else 1
    stop = start + frame_time(int(n_T[-1]) + step, fps)
    span = LookSpan(start, stop, read_look(look))
    looks = chosen_looks(LookChooser(memory, clips, song), span, ())
    next_C = np.searchsorted(seconds_T, np.sort(np.asarray(cut_seconds, np.float64)))
    cut_n = np.unique(n_T[next_C[next_C < len(n_T)]])
    begins = [TakeBegin(start + frame_time(int(n), fps)) for n in cut_n if n > 0]
    track = plan_track(memory, look_NL, song, looks, begins, start, stop, fps, seed, WALK_SPEED)
    return track.cues(n_T)


def _known(model: Model) -> tuple[Memory, np.ndarray, tuple[str, ...]]:
    """What a `reel` remembers, its looks N x L, and the names of the clips that they are of."""
    reel = model.generator
    assert isinstance(reel, Reel)
    clips = model.looks
    if len(clips) != reel.clips:
        raise ModelError(
            f"{model.folder}: names {len(clips)} looks and holds {reel.clips}: fetch it again"
        )
    look_NL = reel.look_NL.detach().float().cpu().numpy()
    return Memory.of(reel.references, reel.clips), look_NL, clips


def _own_shots(shots: ShotList, span: Span, seen: Collection[int]) -> list[tuple[int, Fraction]]:
    """The shots that a model sees in a span, and when each begins there."""
    times = shots.shot_seconds()
    stops = [*times, span.stop_seconds][1:]
    return [
        (number, max(begin, span.start_seconds))
        for number, (begin, stop) in enumerate(zip(times, stops, strict=True))
        if number in seen and begin < span.stop_seconds and stop > span.start_seconds
    ]


def _look_spans(shots: ShotList, span: Span, own: Sequence[tuple[int, Fraction]]) -> list[LookSpan]:
    """The spans of the shots that have a look of their own."""
    times = [*shots.shot_seconds(), span.stop_seconds]
    spans = []
    for number, begin in own:
        shot = shots.shot[number]
        if shot.look is not None:
            stop = min(times[number + 1], span.stop_seconds)
            fades = [
                _crossfade(shots, one, at)
                for one, at in ((number, begin), (number + 1, stop))
                if one < len(shots.shot)
            ]
            spans.append(LookSpan(begin, stop, read_look(shot.look), fades[0], fades[-1]))
    return spans


def _crossfade(shots: ShotList, number: int, at_seconds: Fraction) -> Fraction:
    length = shots.shot[number].crossfade
    return shots.seconds_of(shots.film.crossfade if length is None else length, at_seconds)


def _parts(shots: ShotList, heard: Heard) -> list[Part]:
    """The parts of a song: the shots of a list, or the sections that were heard."""
    if shots.shot:
        return [
            Part(begin, shot.section or f"shot {number}")
            for number, (shot, begin) in enumerate(
                zip(shots.shot, shots.shot_seconds(), strict=True)
            )
        ]
    if heard.form is None:
        return []
    return [
        Part(Fraction(float(section.start_seconds)), section.label)
        for section in heard.form.sections
    ]


def _told(wish: LookWish, looks: Sequence[ChosenLook], clips: Sequence[str]) -> str:
    """What a person is told of the looks: "auto -> 003-aurora", "walk:sections -> a, b, a"."""
    names = [look_name(look.shares, clips) for look in looks]
    more = len(names) - _MOST_NAMES
    listed = ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    return listed if listed == wish.text else f"{wish.text} -> {listed}"
