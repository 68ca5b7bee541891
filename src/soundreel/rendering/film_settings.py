"""What is wanted of a film, whoever makes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from soundreel.parallel import EngineName
from soundreel.rendering.casting import Compute
from soundreel.rendering.kernels import Smoothing
from soundreel.rendering.looks import read_look
from soundreel.rendering.making import Making
from soundreel.rendering.shot_list import ShotList, read_shot_list


@dataclass(frozen=True)
class FilmSettings:
    """What is wanted of a film.

    start_seconds, stop_seconds: the span of the song; None: to its end.
    fps: frames a second.
    size: width and height in pixels; None: as high as the recipe's frames, in the clips' shape.
    seed: for models that draw noise when they generate; the same seed gives the same film.
    shots: how the song is filmed (see `shot_list`), with the look that was asked for.
    look: the look that was asked for, apart from the shot list (see `looks.read_look`).
    compute: the engine that generates, or "auto".
    making: how the work is done.
    """

    start_seconds: Fraction = Fraction(0)
    stop_seconds: Fraction | None = None
    fps: Fraction = Fraction(30)
    size: tuple[int, int] | None = None
    seed: int = 0
    shots: ShotList = field(default_factory=ShotList)
    compute: Compute = "auto"
    making: Making = field(default_factory=Making)
    look: str | None = None


_GIF_SECONDS = Fraction(10)


def film_settings(
    out: Path,
    *,
    start_seconds: Fraction = Fraction(0),
    stop_seconds: Fraction | None = None,
    fps: Fraction = Fraction(30),
    size: tuple[int, int] | None = None,
    seed: int = 0,
    smooth: Smoothing | None = None,
    look: str | None = None,
    shots: ShotList | Path | None = None,
    compute: Compute = "auto",
    workers: int = 1,
    engine: EngineName = "local",
    codec: str | None = None,
    draft: bool = False,
    watch: bool = False,
) -> FilmSettings:
    """Settings from what a person wishes; the arguments are those of `movie.render`.

    Raises: SettingsError for a shot list that cannot be followed, or what is no look.
    """
    listed = read_shot_list(shots) if isinstance(shots, Path) else shots or ShotList()
    asked = {"smooth": smooth, "look": None if look is None else read_look(look).text}
    asked = {name: one for name, one in asked.items() if one is not None}
    if asked:
        listed = listed.model_copy(update={"film": listed.film.model_copy(update=asked)})
    if out.suffix.lower() == ".gif" and stop_seconds is None:
        stop_seconds = start_seconds + _GIF_SECONDS
    return FilmSettings(
        start_seconds,
        stop_seconds,
        fps / 2 if draft else fps,
        size,
        seed,
        listed,
        compute,
        Making(codec, workers, engine, draft, watch),
        look,
    )
