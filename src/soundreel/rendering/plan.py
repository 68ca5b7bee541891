"""`render --plan`: what was heard in a song, as a shot list for a person to edit, and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from soundreel.errors import SettingsError
from soundreel.progress import Listener, silent
from soundreel.rendering.film import file_sha256, song_span
from soundreel.rendering.listening import hear_form, with_bars
from soundreel.rendering.plan_picture import plan_picture
from soundreel.rendering.shot_list import At, Shot, ShotList, SongTable, write_shot_list
from soundreel.sound.song_form import Section, SongForm
from soundreel.timeline import clock, exact_seconds, milliseconds

_HEAD = """\
A shot list, written by `soundreel render --plan`. Edit it, then:
  soundreel render MODEL SONG --shots {name} --out film.mp4
Times are seconds (32.5), "1:05" or bars ("bar 9", "bar 9.5"); lengths are seconds or "2 bars".
A shot lasts to the next one's beginning. It may have: model (a folder, from where this file
lies), look (a training clip, of a model that has looks), seed, accent_strength (0 to 1),
crossfade (a length)."""


@dataclass(frozen=True)
class Plan:
    """What `plan` wrote: the shot list's file and its picture."""

    path: Path
    picture: Path
    shots: ShotList
    tempo_bpm: float | None
    bars: int
    sections: int


def plan(song: Path, out: Path, *, models: Sequence[str] = (), progress: Listener = silent) -> Plan:
    """Write a shot list for a song, a shot for each of its sections, and a PNG of it beside.

    out: the shot list, .toml; the picture is beside it with the suffix .png.
    models: names or folders of models that take turns, by the sections' labels.

    Raises: MediaError if the song cannot be read; SettingsError for another suffix; StorageError.
    """
    if out.suffix.lower() != ".toml":
        raise SettingsError(
            f"{out}: a shot list is a .toml file: give --plan a name like plan.toml"
        )
    span = song_span(song, Fraction(0), None)
    form = hear_form(song, float(span.seconds), progress)
    heard = SongTable(
        title=span.title,
        artist=span.artist,
        seconds=round(float(form.seconds), 3),
        sha256=file_sha256(song),
        tempo_bpm=None if form.tempo_bpm is None else round(form.tempo_bpm, 2),
        beats_per_bar=form.beats_per_bar,
        bars=tuple(round(float(one), 4) for one in form.bar_seconds),
        beats=tuple(round(float(one), 4) for one in form.beat_seconds_B),
    )
    shots = shots_by_section(form, ShotList(song=heard), models)
    notes = {
        number: _note(section, shot, form)
        for number, (section, shot) in enumerate(zip(form.sections, shots.shot, strict=True))
    }
    write_shot_list(out, shots, notes, _HEAD.format(name=out.name))
    picture = out.with_suffix(".png")
    lanes = [
        (float(section.start_seconds), float(section.stop_seconds), _lane(shot))
        for section, shot in zip(form.sections, shots.shot, strict=True)
    ]
    plan_picture(form, lanes, picture, heard.title)
    return Plan(
        out, picture, shots, heard.tempo_bpm, max(0, len(heard.bars) - 1), len(form.sections)
    )


def shots_by_section(form: SongForm, shots: ShotList, models: Sequence[str]) -> ShotList:
    """A shot list with a shot for each section of a song; sections that sound alike share a model.

    models: take turns in the order in which new labels appear; none: every shot is the first's.
    """
    bars = list(form.bar_seconds)
    labels = list(dict.fromkeys(section.label for section in form.sections))
    made = []
    for section in form.sections:
        model = models[labels.index(section.label) % len(models)] if models else None
        made.append(
            Shot(at=_at(float(section.start_seconds), bars), section=section.label, model=model)
        )
    return with_bars(shots, form).model_copy(update={"shot": tuple(made)})


def _at(seconds: float, bars: Sequence[float]) -> At:
    """A section's beginning by its bar, where it begins with one: it then moves with the bars."""
    for number, bar_seconds in enumerate(bars, 1):
        if abs(bar_seconds - seconds) < 0.02:
            return At(bar=Fraction(number))
    return At(seconds=Fraction(milliseconds(exact_seconds(seconds)), 1000))


def _note(section: Section, shot: Shot, form: SongForm) -> str:
    start, stop = float(section.start_seconds), float(section.stop_seconds)
    bars = sum(1 for one in form.bar_seconds if start - 0.02 <= one < stop - 0.02)
    counted = f", {bars} bars" if bars else ""
    return f"{clock(start)} to {clock(stop)}{counted}, {section.loudness_db:.0f} dB"


def _lane(shot: Shot) -> str:
    return shot.section if shot.model is None else f"{shot.section} {Path(shot.model).name}"
