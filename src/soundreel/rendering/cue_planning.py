"""From wishes to a track: which look each part of a film has, and which takes it is made of.

Shape suffixes: T moments of the song, A numbers of a sound code, N looks, L numbers of a look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from soundreel.rendering.cues import CueTrack, LookTurn, Take
from soundreel.rendering.looks import LookWish, look_shares
from soundreel.rendering.remembered import Memory, clip_distances
from soundreel.rendering.takes import Wanted, choose_takes
from soundreel.seeding import numpy_generator_for
from soundreel.timeline import frame_count, frame_time

#: What a bar lasts where a song has none to count: four beats at 120 a minute.
_BAR_SECONDS = Fraction(2)
#: A planned take that would begin so near to a look, or end so soon after, begins with it.
_NEAR_SECONDS = Fraction(2, 5)


@dataclass(frozen=True, eq=False)
class HeardSong:
    """What a model hears in a song: sound codes, T x A float32, at times of the song, ascending."""

    sound_TA: np.ndarray
    seconds_T: np.ndarray


@dataclass(frozen=True)
class Part:
    """A part of a song from a time on, as a walk of looks goes by; parts of one label are alike."""

    begin_seconds: Fraction
    label: str


@dataclass(frozen=True)
class LookSpan:
    """A wish from a time on to another.

    It comes in over `fade_seconds`; what follows it, over `after_seconds`.
    """

    begin_seconds: Fraction
    stop_seconds: Fraction
    wish: LookWish
    fade_seconds: Fraction = Fraction(0)
    after_seconds: Fraction = Fraction(0)


@dataclass(frozen=True)
class TakeBegin:
    """A time from which on another shot is seen; it comes in over `fade_seconds` (0: a cut)."""

    seconds: Fraction
    fade_seconds: Fraction = Fraction(0)


@dataclass(frozen=True)
class ChosenLook:
    """A look from a time of the song on: its shares, and of which clips the takes are."""

    begin_seconds: Fraction
    fade_seconds: Fraction
    shares: tuple[float, ...]
    takes_of: tuple[tuple[int, float], ...]


class LookChooser:
    """Turns wishes into looks, by what a model heard in a song.

    clips: the names of those whose looks it knows. parts: of the song, for walks by section;
    bar_seconds: when its bars begin, for walks by bars.
    """

    def __init__(
        self,
        memory: Memory,
        clips: Sequence[str],
        song: HeardSong,
        parts: Sequence[Part] = (),
        bar_seconds: Sequence[float] = (),
    ) -> None:
        self._clips, self._parts, self._bar_seconds = tuple(clips), tuple(parts), bar_seconds
        self._seconds_T = song.seconds_T
        self._distance_TN = clip_distances(memory, song.sound_TA)

    def nearest(self, begin_seconds: Fraction, stop_seconds: Fraction) -> list[int]:
        """The clips whose songs are nearest to a part of this one, the nearest first."""
        edges = [float(begin_seconds), float(stop_seconds)]
        first, stop = np.searchsorted(self._seconds_T, edges)
        first = min(int(first), len(self._seconds_T) - 1)
        mean_N = self._distance_TN[first : max(int(stop), first + 1)].mean(0, dtype=np.float64)
        return [int(clip) for clip in mean_N.argsort(kind="stable") if np.isfinite(mean_N[clip])]

    def looks(self, span: LookSpan) -> list[ChosenLook]:
        """The looks of a span, one after the other; a walk has several.

        Raises: SettingsError for a name that the model does not know.
        """
        begin, stop = span.begin_seconds, span.stop_seconds
        if span.wish.walk is not None:
            return self._walked(span)
        if not span.wish.named:
            return [self._of_clip(begin, span.fade_seconds, self.nearest(begin, stop)[0])]
        shares = look_shares(span.wish, self._clips)
        heard = self.nearest(begin, stop)
        takes_of = tuple((clip, shares[clip]) for clip in sorted(heard) if shares[clip] > 0)
        takes_of = takes_of or ((heard[0], 1.0),)
        return [ChosenLook(begin, span.fade_seconds, shares, takes_of)]

    def _of_clip(self, begin: Fraction, fade: Fraction, clip: int) -> ChosenLook:
        shares = tuple(float(place == clip) for place in range(len(self._clips) + 1))
        return ChosenLook(begin, fade, shares, ((clip, 1.0),))

    def _walked(self, span: LookSpan) -> list[ChosenLook]:
        """Each part's nearest look, but never the last part's again; parts alike have one look."""
        parts = self._parts_of(span)
        stops = [*(part.begin_seconds for part in parts[1:]), span.stop_seconds]
        looks: list[ChosenLook] = []
        of_label: dict[str, int] = {}
        last: int | None = None
        for part, stop in zip(parts, stops, strict=True):
            heard = self.nearest(part.begin_seconds, stop)
            others = [clip for clip in heard if clip != last] or heard
            known = of_label.get(part.label)
            last = known if known is not None and known != last else others[0]
            of_label.setdefault(part.label, last)
            looks.append(self._of_clip(part.begin_seconds, span.fade_seconds, last))
        return looks

    def _parts_of(self, span: LookSpan) -> list[Part]:
        walk, begin, stop = span.wish.walk, span.begin_seconds, span.stop_seconds
        assert walk is not None
        if walk.unit == "sections":
            inside = [part for part in self._parts if begin < part.begin_seconds < stop]
            before = [part for part in self._parts if part.begin_seconds <= begin]
            return [Part(begin, before[-1].label if before else ""), *inside]
        bars = len(self._bar_seconds)
        if walk.unit == "bars" and bars > 1:
            number = np.arange(0, bars - 1, float(walk.count))
            times = np.interp(number, np.arange(bars), self._bar_seconds)
            begins = [Fraction(float(one)) for one in times if begin < Fraction(float(one)) < stop]
        else:
            step = walk.count * (_BAR_SECONDS if walk.unit == "bars" else 1)
            begins = [begin + k * step for k in range(1, int((stop - begin) / step) + 1)]
            begins = [one for one in begins if one < stop]
        return [Part(one, str(place)) for place, one in enumerate([begin, *begins])]


def chosen_looks(
    chooser: LookChooser, film: LookSpan, others: Sequence[LookSpan]
) -> list[ChosenLook]:
    """The film's look, and in some spans of it others, ascending, that do not overlap.

    A look that goes on as it was is not begun anew.

    Raises: as `LookChooser.looks`.
    """
    own = chooser.looks(film)
    looks = [look for look in own if not any(_within(look.begin_seconds, one) for one in others)]
    for place, other in enumerate(others):
        looks += chooser.looks(other)
        goes_on = place + 1 < len(others) and others[place + 1].begin_seconds <= other.stop_seconds
        if not goes_on and other.stop_seconds < film.stop_seconds:
            back = [look for look in own if look.begin_seconds <= other.stop_seconds][-1]
            back = replace(back, begin_seconds=other.stop_seconds, fade_seconds=other.after_seconds)
            looks = [look for look in looks if look.begin_seconds != other.stop_seconds]
            looks.append(back)
    looks.sort(key=lambda look: look.begin_seconds)
    return [
        look for place, look in enumerate(looks) if not place or not _same(look, looks[place - 1])
    ]


def _same(a: ChosenLook, b: ChosenLook) -> bool:
    return (a.shares, a.takes_of) == (b.shares, b.takes_of)


def _within(seconds: Fraction, span: LookSpan) -> bool:
    return span.begin_seconds <= seconds < span.stop_seconds


def plan_track(
    memory: Memory,
    look_NL: np.ndarray,
    song: HeardSong,
    looks: Sequence[ChosenLook],
    begins: Sequence[TakeBegin],
    start_seconds: Fraction,
    stop_seconds: Fraction,
    fps: Fraction,
    seed: int,
    speed: float = 1,
) -> CueTrack:
    """The track of a film that shows [start, stop) of a song.

    looks: from `chosen_looks`; with each one another take begins. begins: the other takes.
    speed: of the walk, 1 as the clip itself; 0 where a take stays where it begins.
    """
    frames = max(1, frame_count(stop_seconds - start_seconds, fps))
    turns = _on_frames(
        [(look.begin_seconds, look.fade_seconds) for look in looks], start_seconds, fps, frames
    )
    with_looks = [TakeBegin(look.begin_seconds, look.fade_seconds) for look in looks[1:]]
    apart = [
        one
        for one in begins
        if all(abs(one.seconds - look.seconds) >= _NEAR_SECONDS for look in with_looks)
    ]
    together = sorted([*with_looks, *apart], key=lambda one: one.seconds)
    takes = _on_frames(
        [(start_seconds, Fraction(0)), *((one.seconds, one.fade_seconds) for one in together)],
        start_seconds,
        fps,
        frames,
    )
    turn_firsts = [first for _, first, _ in turns]
    wanted = []
    for number, (_, first, _) in enumerate(takes):
        stop, fade = (takes[number + 1][1:]) if number + 1 < len(takes) else (frames, 0)
        look = looks[turns[int(np.searchsorted(turn_firsts, first, "right")) - 1][0]]
        wanted.append(
            Wanted(
                float(start_seconds + frame_time(first, fps)),
                float(start_seconds + frame_time(stop + fade, fps)),
                _drawn_clip(look, seed, number),
            )
        )
    chosen = choose_takes(memory, song.sound_TA, song.seconds_T, wanted, seed, speed)
    shots = sorted({take.shot for take in chosen})
    return CueTrack(
        fps=fps,
        look_NL=look_NL,
        looks=tuple(LookTurn(first, fade, looks[place].shares) for place, first, fade in turns),
        takes=tuple(
            Take(first, fade, shots.index(one.shot), one.start_seconds, speed)
            for (_, first, fade), one in zip(takes, chosen, strict=True)
        ),
        paths=tuple(memory.path(shot) for shot in shots),
    )


def _on_frames(
    begins: Sequence[tuple[Fraction, Fraction]], start: Fraction, fps: Fraction, frames: int
) -> list[tuple[int, int, int]]:
    """(place, first frame, frames of coming in) of what begins at these times, for these seconds.

    Of what begins with the same frame the last is seen. What comes in is there before the next
    one comes.
    """
    on: list[tuple[int, int, int]] = []
    for place, (seconds, fade_seconds) in enumerate(begins):
        first = max(0, frame_count(seconds - start, fps))
        if first >= frames:
            break
        if on and on[-1][1] == first:
            on.pop()
        on.append((place, first, frame_count(fade_seconds, fps)))
    stops = [*(first for _, first, _ in on[1:]), frames]
    return [
        (place, first, min(fade, stop - first) if first else 0)
        for (place, first, fade), stop in zip(on, stops, strict=True)
    ]


def _drawn_clip(look: ChosenLook, seed: int, number: int) -> int:
    """The clip that a take is of: drawn by the shares of the look's clips."""
    clips, shares = zip(*look.takes_of, strict=True)
    share_N = np.array(shares) / sum(shares)
    return int(numpy_generator_for(seed, "take clip", number).choice(clips, p=share_N))
