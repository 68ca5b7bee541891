"""Soundreel: learn a director's eye from music videos; let any song shoot the next one.

The command line's verbs as functions, with the same names and defaults:

    import soundreel
    soundreel.prepare([Path("clips")], Path("dataset"))
    soundreel.train(Path("dataset"), Path("runs/first"), preset="quick")
    soundreel.render(Path("runs/first"), Path("song.mp3"), Path("film.mp4"))

Importing the package imports nothing heavy: each verb brings what it needs when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from soundreel.asking.verb import ask
    from soundreel.dataset.build import prepare
    from soundreel.dataset.exchange.export import export
    from soundreel.dataset.inspection.gallery import inspect
    from soundreel.demonstration import demo
    from soundreel.errors import SoundreelError
    from soundreel.recipe import Recipe, recipe_from
    from soundreel.rendering.movie import render
    from soundreel.sources.fetch import fetch
    from soundreel.training.run import train

__version__ = "0.1.0"

_HOMES = {
    "SoundreelError": "soundreel.errors",
    "Recipe": "soundreel.recipe",
    "recipe_from": "soundreel.recipe",
    "fetch": "soundreel.sources.fetch",
    "prepare": "soundreel.dataset.build",
    "inspect": "soundreel.dataset.inspection.gallery",
    "export": "soundreel.dataset.exchange.export",
    "train": "soundreel.training.run",
    "render": "soundreel.rendering.movie",
    "ask": "soundreel.asking.verb",
    "demo": "soundreel.demonstration",
}

__all__ = [
    "Recipe",
    "SoundreelError",
    "ask",
    "demo",
    "export",
    "fetch",
    "inspect",
    "prepare",
    "recipe_from",
    "render",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'soundreel' has no attribute {name!r}")
