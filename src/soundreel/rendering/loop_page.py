"""The page of a loop: every generation to play, and how far it has drifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import jinja2
import numpy as np

from soundreel.atomic import write_text
from soundreel.evidence.drift import FilmDrift, SoundDrift

#: The page's name in its folder.
LOOP_PAGE = "index.html"
# Of the small curves, in units of their own picture.
_WIDTH, _HEIGHT, _MOST_POINTS = 600, 60, 300
_CHART_WIDTH, _CHART_HEIGHT = 600, 180
#: What the chart shows, and the class of its line.
_LINES = ("loudness", "onsets", "brightness", "colour")


@dataclass(frozen=True)
class Generation:
    """One time around, and how far it has drifted: from the real song, and from the one before.

    number: 0 is the real song and its film. song: what is heard; film: what was made of it.
    """

    number: int
    song: Path
    film: Path
    sound_from_first: SoundDrift
    film_from_first: FilmDrift
    sound_from_previous: SoundDrift
    film_from_previous: FilmDrift


@dataclass(frozen=True)
class _Row:
    """A generation as the page's template takes it."""

    number: int
    song: str
    film: str
    loudness_path: str
    brightness_path: str
    from_first: tuple[str, ...]
    from_previous: tuple[str, ...]


def write_loop_page(
    path: Path,
    title: str,
    side_by_side: str,
    generations: Sequence[Generation],
    loudness_by_generation: Sequence[np.ndarray],
    brightness_by_generation: Sequence[np.ndarray],
) -> None:
    """Write one HTML file that plays the films and songs beside it. It opens no connection.

    side_by_side: the name of the film of all generations. loudness, brightness: T each, of every
    generation, over its whole length.

    Raises: StorageError.
    """
    loudness = _paths(loudness_by_generation)
    brightness = _paths(brightness_by_generation)
    rows = [
        _Row(
            one.number,
            quote(one.song.name),
            quote(one.film.name),
            loudness[place],
            brightness[place],
            _written(one.sound_from_first, one.film_from_first),
            _written(one.sound_from_previous, one.film_from_previous),
        )
        for place, one in enumerate(generations)
    ]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("soundreel", "rendering"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    text = environment.get_template("loop.html.j2").render(
        title=title,
        side_by_side=quote(side_by_side),
        rows=rows,
        times=len(rows) - 1,
        width=_WIDTH,
        height=_HEIGHT,
        chart_width=_CHART_WIDTH,
        chart_height=_CHART_HEIGHT,
        chart=_chart(generations),
        zero=_chart_y(0),
    )
    write_text(path, text)


def _written(sound: SoundDrift, film: FilmDrift) -> tuple[str, ...]:
    return (
        f"{sound.loudness:.2f}",
        f"{sound.onsets:.2f}",
        f"{sound.spectrum_db:.1f} dB",
        f"{film.brightness:.2f}",
        f"{film.colour:.2f}",
        f"{100 * film.pixels:.1f} %",
    )


def _paths(curves: Sequence[np.ndarray]) -> list[str]:
    """Curves as lines of an SVG picture, all on one scale."""
    low = min(float(curve_T.min()) for curve_T in curves)
    span = max(max(float(curve_T.max()) for curve_T in curves) - low, 1e-9)
    paths = []
    for curve_T in curves:
        # The mean of each stretch, so that a line has no more points than can be seen.
        parts = np.array_split(curve_T, min(_MOST_POINTS, len(curve_T)))
        y_P = _HEIGHT - 2 - (_HEIGHT - 4) * (np.array([part.mean() for part in parts]) - low) / span
        x_P = np.linspace(0, _WIDTH, len(y_P))
        paths.append(_line(x_P, y_P))
    return paths


def _chart(generations: Sequence[Generation]) -> list[tuple[str, str]]:
    """What each correlation with the first generation comes to: a name and a line."""
    x_G = np.linspace(8, _CHART_WIDTH - 8, len(generations))
    values = {
        "loudness": [one.sound_from_first.loudness for one in generations],
        "onsets": [one.sound_from_first.onsets for one in generations],
        "brightness": [one.film_from_first.brightness for one in generations],
        "colour": [one.film_from_first.colour for one in generations],
    }
    return [(name, _line(x_G, np.array([_chart_y(v) for v in values[name]]))) for name in _LINES]


def _chart_y(correlation: float) -> float:
    """Where a correlation lies: 1 at the top, -0.25 or less at the bottom."""
    return 8 + (_CHART_HEIGHT - 16) * (1 - max(correlation, -0.25)) / 1.25


def _line(x_P: np.ndarray, y_P: np.ndarray) -> str:
    points = [f"{x:.1f} {y:.1f}" for x, y in zip(x_P, y_P, strict=True)]
    return f"M{' L'.join(points)}"
