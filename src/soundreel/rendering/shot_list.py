"""The shot list: a TOML file that says how a song is to be filmed.

`render --plan` writes one for a song, a person edits it, `render --shots` follows it. Times are
seconds of the song (32.5, "1:05") or bars ("bar 9", "bar 9.5"), lengths are seconds or "2 bars":
nothing in it is counted in frames, so it means the same at every frame rate.
"""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from soundreel.atomic import write_text
from soundreel.errors import SettingsError
from soundreel.rendering.accents import Accent
from soundreel.rendering.kernels import Smoothing
from soundreel.rendering.looks import AUTO, read_look
from soundreel.settings import explain
from soundreel.timeline import exact_seconds

_BAR = re.compile(r"bar\s+(-?\d+(?:\.\d+)?)", re.IGNORECASE)
_BARS = re.compile(r"(\d+(?:\.\d+)?)\s+bars?", re.IGNORECASE)


@dataclass(frozen=True)
class At:
    """A time in a song: seconds, or a bar (1 is the first, 9.5 half way through the ninth)."""

    seconds: Fraction | None = None
    bar: Fraction | None = None


@dataclass(frozen=True)
class Length:
    """A length of time: seconds, or a number of bars."""

    seconds: Fraction | None = None
    bars: Fraction | None = None

    def __bool__(self) -> bool:
        return bool(self.seconds or self.bars)


def _at(value: Any) -> At:
    if isinstance(value, At):
        return value
    if isinstance(value, str) and (found := _BAR.fullmatch(value.strip())):
        return At(bar=Fraction(found[1]))
    try:
        return At(seconds=exact_seconds(_no_truth(value)))
    except (SettingsError, TypeError) as error:
        raise ValueError('write seconds (32.5), "1:05" or "bar 9"') from error


def _length(value: Any) -> Length:
    if isinstance(value, Length):
        return value
    if isinstance(value, str) and (found := _BARS.fullmatch(value.strip())):
        return Length(bars=Fraction(found[1]))
    try:
        return Length(seconds=exact_seconds(_no_truth(value)))
    except (SettingsError, TypeError) as error:
        raise ValueError('write seconds (1.5) or "2 bars"') from error


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise TypeError("true and false are no numbers here, though Python takes them for 1 and 0")
    return value


def _look(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError('write a look as text: "auto", "average" or the name of a training clip')
    try:
        read_look(value)
    except SettingsError as error:
        raise ValueError(str(error).partition(": ")[2]) from error
    return value


Drive = Literal["cut", "walk", "hold"]
LookText = Annotated[str, BeforeValidator(_look)]
SongTime = Annotated[At, BeforeValidator(_at)]
SongLength = Annotated[Length, BeforeValidator(_length)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class SongTable(_Table):
    """What was found in the song when the list was written. Bars that are wrong may be mended."""

    title: str = ""
    artist: str = ""
    seconds: float | None = None
    sha256: str | None = None
    tempo_bpm: float | None = None
    beats_per_bar: int = Field(default=4, ge=1, le=16)
    bars: tuple[float, ...] = ()
    """When each bar begins, and the last one ends, in seconds; bar numbers mean these."""
    beats: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _ascending(self) -> SongTable:
        for name, times in (("bars", self.bars), ("beats", self.beats)):
            for before, after in itertools.pairwise(times):
                if after <= before:
                    raise ValueError(f"{name} must ascend: {after} comes after {before}")
        return self


class Look(_Table):
    """How the film looks, apart from what the models see. The table `[film]` of a shot list."""

    look: LookText = AUTO
    """The look of a model that has learnt several: see `looks.read_look`."""
    drive: Drive = "cut"
    """How such a model films: `cut` cuts as its director does; `walk` glides from shot to shot;
    `hold` stays with one picture's layout for a section. In each the picture follows the sound."""
    smooth: Smoothing = "beats"
    """How neighbouring frames are evened out: `beats` does so between onsets only, so that what
    happens on a beat stays sharp."""
    smooth_seconds: float | None = Field(default=None, gt=0, le=2)
    """How far the smoothing reaches; None: what was tuned for its kind."""
    accent: Accent = "none"
    """What happens on each beat: a flash (brighter), or a zoom (nearer), that dies away."""
    accent_strength: float = Field(default=0.5, ge=0, le=1)
    crossfade: SongLength = Length(seconds=Fraction(1, 2))
    """How long one shot's model takes to give way to the next one's; 0: a cut."""
    fade_in: SongLength = Length(seconds=Fraction(0))
    fade_out: SongLength = Length(seconds=Fraction(0))
    title_card: bool = False
    """Whether title and artist are shown at the beginning, over the picture."""
    title_at: SongTime = At(seconds=Fraction(1))
    title_for: SongLength = Length(seconds=Fraction(5))
    credits: tuple[str, ...] = ()
    """Lines shown over the picture at the end."""
    credits_for: SongLength = Length(seconds=Fraction(6))
    font: str | None = None
    """A font file for title and credits, where the built-in one lacks the letters."""


class Shot(_Table):
    """One stretch of the song, to the next shot's beginning. A table `[[shot]]`."""

    at: SongTime
    section: str = ""
    """The name of the section that it was made from; for the reader."""
    model: str | None = None
    """Another model than the command's first: a folder, from where the shot list lies."""
    look: LookText | None = None
    """Another look than the film's; it comes in over the crossfade."""
    seed: int | None = None
    accent_strength: float | None = Field(default=None, ge=0, le=1)
    """Other than the film's; 0: none in this shot."""
    crossfade: SongLength | None = None
    """From the shot before into this one; None: the film's."""


class ShotList(_Table):
    """A whole shot list."""

    song: SongTable = SongTable()
    film: Look = Look()
    shot: tuple[Shot, ...] = ()

    @property
    def counts_bars(self) -> bool:
        """Whether any time or length in it is a number of bars."""
        film = self.film
        times = [film.title_at, *(shot.at for shot in self.shot)]
        lengths = [film.crossfade, film.fade_in, film.fade_out, film.title_for, film.credits_for]
        lengths += [shot.crossfade for shot in self.shot if shot.crossfade is not None]
        return any(one.bar is not None for one in times) or any(
            one.bars is not None for one in lengths
        )

    def shot_seconds(self) -> list[Fraction]:
        """When each shot begins, in seconds of the song.

        Raises: SettingsError if they do not ascend; and as `seconds_at`.
        """
        times = [self.seconds_at(shot.at) for shot in self.shot]
        for before, after in itertools.pairwise(times):
            if after <= before:
                raise SettingsError(
                    f"a shot at {float(after):g} s comes after one at {float(before):g} s: "
                    "put the shots in the order of their times"
                )
        return times

    def seconds_at(self, time: At) -> Fraction:
        """When a time of this list is, in seconds of the song.

        Between bars and beyond the known ones, bars go on as long as their neighbours.

        Raises: SettingsError where bars are asked for and the list knows fewer than two: see
        `listening.with_bars`.
        """
        if time.seconds is not None:
            return time.seconds
        assert time.bar is not None
        return max(Fraction(0), self._bar_seconds(time.bar))

    def seconds_of(self, length: Length, from_seconds: Fraction) -> Fraction:
        """How long a length is that begins at a time, in seconds.

        Raises: as `seconds_at`.
        """
        if length.seconds is not None:
            return length.seconds
        assert length.bars is not None
        bar = self._bar_at(from_seconds)
        return self._bar_seconds(bar + length.bars) - self._bar_seconds(bar)

    def _known_bars(self) -> list[Fraction]:
        if len(self.song.bars) < 2:
            raise SettingsError(
                "the shot list counts in bars, but the song has no steady beat to count: "
                "write seconds, or the times of its bars into [song] bars"
            )
        return [exact_seconds(one) for one in self.song.bars]

    def _bar_seconds(self, bar: Fraction) -> Fraction:
        bars = self._known_bars()
        place = min(max(int(bar - 1), 0), len(bars) - 2)
        return bars[place] + (bar - 1 - place) * (bars[place + 1] - bars[place])

    def _bar_at(self, seconds: Fraction) -> Fraction:
        bars = self._known_bars()
        later = next((place for place, begin in enumerate(bars) if begin > seconds), len(bars))
        place = min(max(later - 1, 0), len(bars) - 2)
        return 1 + place + (seconds - bars[place]) / (bars[place + 1] - bars[place])


def read_shot_list(path: Path) -> ShotList:
    """A shot list from its file. Models that it names are sought from where it lies.

    Raises: SettingsError if it cannot be read, has an unknown key (with a suggestion) or a wrong
    value, or its shots do not ascend.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}): check --shots") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not a TOML file ({error}): mend that line") from error
    try:
        shots = ShotList.model_validate(document)
    except ValidationError as error:
        raise SettingsError(f"{path}: {_where(error)}{explain(error, _table(error))}") from error
    if shots.song.bars or not shots.counts_bars:
        try:
            shots.shot_seconds()
        except SettingsError as error:
            raise SettingsError(f"{path}: {error}") from error
    placed = tuple(
        shot
        if shot.model is None
        else shot.model_copy(update={"model": str(path.parent / shot.model)})
        for shot in shots.shot
    )
    return shots.model_copy(update={"shot": placed})


def _where(error: ValidationError) -> str:
    place = error.errors()[0]["loc"]
    if place[:1] == ("shot",) and len(place) > 1 and isinstance(place[1], int):
        return f"in [[shot]] number {place[1] + 1}, "
    return f"in [{place[0]}], " if len(place) > 1 else ""


def _table(error: ValidationError) -> type[BaseModel]:
    place = error.errors()[0]["loc"]
    tables: dict[Any, type[BaseModel]] = {"song": SongTable, "film": Look, "shot": Shot}
    return tables.get(place[0], ShotList) if len(place) > 1 else ShotList


def write_shot_list(path: Path, shots: ShotList, notes: dict[int, str], head: str) -> None:
    """Write a shot list for a person to edit; whole or not at all.

    notes: a comment above the shot of that number. head: what the file says first of itself.

    Raises: StorageError.
    """
    lines = [*(f"# {line}" for line in head.splitlines()), ""]
    lines += ["[song]", *_assignments(shots.song)]
    lines += ["", "[film]", *_assignments(shots.film, with_defaults=True)]
    for number, shot in enumerate(shots.shot):
        lines += ["", *([f"# {notes[number]}"] if number in notes else []), "[[shot]]"]
        lines += _assignments(shot)
    write_text(path, "\n".join(lines) + "\n")


def _assignments(table: BaseModel, with_defaults: bool = False) -> list[str]:
    values = {
        key: getattr(table, key)
        for key, field in type(table).model_fields.items()
        if with_defaults or field.is_required() or getattr(table, key) != field.default
    }
    return [
        f"{key} = {written}"
        for key, value in values.items()
        if (written := _toml(value)) is not None
    ]


def _toml(value: Any) -> str | None:
    """A value as TOML; None where there is nothing to write."""
    match value:
        case None:
            return None
        case At(seconds, None) | Length(seconds, None) if seconds is not None:
            return f"{float(seconds):.6f}".rstrip("0").rstrip(".") or "0"
        case At(None, bar):
            return f'"bar {float(bar or 0):g}"'
        case Length(None, bars):
            return f'"{float(bars or 0):g} bars"'
        case list() | tuple():
            return f"[{', '.join(str(_toml(one)) for one in value)}]"
        case bool():
            return "true" if value else "false"
        case str():
            # TOML's basic strings are JSON's (but for DEL, which nobody's title holds).
            return json.dumps(value, ensure_ascii=False)
        case _:
            return repr(value)
