"""When a film goes from one take to the next: as its director cuts, in glides, or by section."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
from pydantic import ValidationError

from soundreel.cutting.habits import CuttingHabits
from soundreel.cutting.planning import plan_cuts
from soundreel.errors import ModelError
from soundreel.networks.bundle import Model
from soundreel.rendering.cue_planning import Part, TakeBegin
from soundreel.rendering.film import Span
from soundreel.rendering.shot_list import ShotList
from soundreel.timeline import exact_seconds

#: In a walk another shot comes every so many bars, or seconds, and takes so long.
_WALK_BARS, _WALK_SECONDS, _GLIDE_SECONDS = 4, Fraction(8), Fraction(2)
#: A planned cut so near to one that a person asked for is left out.
_NEAR_SECONDS = Fraction(2, 5)
#: Where nobody has learnt how a director cuts: every one to two bars, on the beat.
_PLAIN_HABITS = CuttingHabits(
    shots=0,
    shot_seconds=(2.0, 2.5, 4.0),
    shot_beats=(4.0, 4.0, 8.0),
    on_beat_share=1.0,
    lag_seconds=(0.0, 0.0),
    downbeat_share=1.0,
)


def take_begins(
    model: Model,
    span: Span,
    shots: ShotList,
    beat_seconds: Sequence[float],
    parts: Sequence[Part],
    own_seconds: Sequence[Fraction] | None,
    seed: int,
) -> list[TakeBegin]:
    """When another take begins, by the list's `drive`, whatever the looks do.

    beat_seconds: of the song; parts: its sections, or the shots of the list. own_seconds: when
    the shots begin that the model sees, None where no shots are listed.

    Raises: ModelError if how the director cuts cannot be read.
    """
    start, stop = span.start_seconds, span.stop_seconds
    listed = [part.begin_seconds for part in parts] if own_seconds is None else own_seconds
    sections = [one for one in listed if start < one < stop]
    if shots.film.drive == "hold":
        return [TakeBegin(one) for one in sections]
    if shots.film.drive == "walk":
        return _glides(sections, [exact_seconds(one) for one in shots.song.bars], start, stop)
    cuts = director_cuts(
        model,
        beat_seconds,
        shots.song.bars,
        float(start),
        float(stop),
        seed,
        [float(part.begin_seconds) for part in parts],
    )
    # A person's shot begins with a cut, wherever the director would have cut.
    forced = [] if own_seconds is None else sections
    planned = [
        one
        for one in (Fraction(float(cut)) for cut in cuts)
        if all(abs(one - other) >= _NEAR_SECONDS for other in forced)
    ]
    return [TakeBegin(one) for one in sorted([*planned, *forced])]


def director_cuts(
    model: Model,
    beat_seconds: Sequence[float] | np.ndarray,
    bar_seconds: Sequence[float] | np.ndarray,
    start_seconds: float,
    stop_seconds: float,
    seed: int,
    section_seconds: Sequence[float] | np.ndarray = (),
) -> np.ndarray:
    """Where the model's director would cut: seconds of the song, ascending (see `plan_cuts`).

    Raises: ModelError if what the model says of it cannot be read.
    """
    habits = _PLAIN_HABITS
    if model.habits is not None:
        try:
            habits = CuttingHabits.model_validate(model.habits)
        except ValidationError as error:
            raise ModelError(
                f"{model.folder}: how its director cuts cannot be read: fetch the model again"
            ) from error
    return plan_cuts(
        habits, beat_seconds, bar_seconds, start_seconds, stop_seconds, seed, section_seconds
    )


def _glides(
    sections: Sequence[Fraction], bars: Sequence[Fraction], start: Fraction, stop: Fraction
) -> list[TakeBegin]:
    """Every few bars (or seconds) of each section, and at its beginning, a take glides in."""
    begins: list[Fraction] = []
    for begin, end in pairwise([start, *sections, stop]):
        inside = [bar for bar in bars if begin < bar < end][_WALK_BARS - 1 :: _WALK_BARS]
        if not bars:
            count = int((end - begin) / _WALK_SECONDS)
            inside = [begin + k * _WALK_SECONDS for k in range(1, count + 1)]
        inside = [one for one in inside if end - one >= _GLIDE_SECONDS]
        begins += [*([begin] if begin > start else []), *inside]
    return [TakeBegin(one, _GLIDE_SECONDS) for one in begins]
