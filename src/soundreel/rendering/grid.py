"""`render_grid`: the pictures of several models side by side, in one film of one song."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from soundreel.networks.bundle import Model
from soundreel.progress import Listener, silent
from soundreel.rendering.directed_film import film_side_by_side
from soundreel.rendering.film import Film
from soundreel.rendering.film_settings import film_settings


def render_grid(
    models: Sequence[tuple[str, Path | Model]],
    song: Path,
    out: Path,
    *,
    progress: Listener = silent,
    **wishes: Any,
) -> Film:
    """Write one film of a song as several models see it, each under a label of your own.

    models: a label and a model for each tile, row by row; each hears the song by its own recipe.
    wishes: what else `movie.render` takes; `size` is the whole film's, by default each picture
      is as large as in a film of its own.

    Raises: as `movie.render`.
    """
    return film_side_by_side(models, song, out, film_settings(out, **wishes), progress)
