"""How a question is asked: the numbers a person may choose before it is."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from soundreel.errors import SettingsError
from soundreel.recipe import Seconds
from soundreel.settings import explain


class Question(BaseModel):
    """The settings of `ask`. Frozen; unknown keys are refused. All of them are in the manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delta: float = Field(default=0.10, gt=0, lt=1)
    """The smallest effect of interest, as a coupling between curves as they are measured (three of
    five, in planted corpora of curves): .1 means that the sound explains a hundredth of their
    variance. What is behind the curves may be coupled more closely than they show."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    draws: int = Field(default=1_999, ge=99, le=100_000)
    """Permutations and shifts of each null."""
    folds: int = Field(default=10, ge=2, le=100)
    every_seconds: Seconds = Fraction(1, 2)
    """From one sample of the curves to the next, of films; a dataset has its own step."""
    together: tuple[str, ...] = ()
    """Patterns of clip ids ("bbb_*"): clips of one pattern are of one work and never split."""
    without: tuple[str, ...] = ()
    """Patterns of clip ids that are not to be asked."""
    seed: int = Field(default=0, ge=0, lt=2**53)
    model_moments: int = Field(default=240, ge=16)
    """At most this many moments of each unseen song are given to a model."""
    delta_model: float = Field(default=0.10, gt=0, lt=1)
    """The smallest effect of interest of a model, in score units."""
    delta_cycle: float = Field(default=0.10, gt=0, lt=1)
    """The same of a song composed of a film: .1 means that a piece of the own song is the nearer
    one in 55 of 100 comparisons with another song's."""
    cycle_fps: Seconds = Fraction(15)
    """Frames a second of the films that songs are composed of, with --inverse."""
    cycle_seconds: Seconds = Fraction(60)
    """At most so much of each unseen song is filmed for that."""
    cycle_piece_seconds: Seconds = Fraction(8)
    """The verdict rests on pieces so long."""

    @field_validator("every_seconds")
    @classmethod
    def _within(cls, every_seconds: Fraction) -> Fraction:
        if not Fraction(1, 10) <= every_seconds <= 2:
            raise ValueError("every_seconds must be from 0.1 to 2")
        return every_seconds

    @field_validator("cycle_fps")
    @classmethod
    def _frames(cls, cycle_fps: Fraction) -> Fraction:
        if not 1 <= cycle_fps <= 60:
            raise ValueError("cycle_fps must be from 1 to 60")
        return cycle_fps

    @field_validator("cycle_seconds", "cycle_piece_seconds")
    @classmethod
    def _long_enough(cls, seconds: Fraction) -> Fraction:
        if not 2 <= seconds <= 3_600:
            raise ValueError("cycle_seconds and cycle_piece_seconds must be from 2 to 3600")
        return seconds


def question_from(**changes: Any) -> Question:
    """The defaults with some numbers changed. Raises: SettingsError for a wrong key or value."""
    try:
        return Question.model_validate(changes)
    except ValidationError as error:
        raise SettingsError(f"ask: {explain(error, Question)}") from error
