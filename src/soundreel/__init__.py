"""Soundreel: learn a director's eye from music videos; let any song shoot the next one.

The command line's verbs as functions, with the same names and defaults:

    import soundreel
    soundreel.prepare([Path("clips")], Path("dataset"))
    soundreel.train(Path("dataset"), Path("runs/first"), preset="quick")
    soundreel.render(Path("runs/first"), Path("song.mp3"), Path("film.mp4"))
    soundreel.render(soundreel.boxed_model(), Path("song.mp3"), Path("film.mp4"))

Importing the package imports nothing heavy: each verb brings what it needs when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from soundreel.asking.verb import ask
    from soundreel.box import boxed_model
    from soundreel.dataset.build import prepare
    from soundreel.dataset.inspection.gallery import inspect
    from soundreel.demonstration import demo
    from soundreel.editing.remixing import remix
    from soundreel.errors import SoundreelError
    from soundreel.recipe import Recipe, recipe_from
    from soundreel.rendering.looping import loop
    from soundreel.rendering.movie import render
    from soundreel.rendering.sonifying import sonify
    from soundreel.sharing.export import export
    from soundreel.sharing.pull import pull
    from soundreel.sharing.push import push
    from soundreel.sources.fetch import fetch
    from soundreel.training.new_look import learn_look as look
    from soundreel.training.run import train

__version__ = "0.1.0"

#: Where each name is at home; after a colon, what it is called there.
_HOMES = {
    "SoundreelError": "soundreel.errors",
    "Recipe": "soundreel.recipe",
    "recipe_from": "soundreel.recipe",
    "fetch": "soundreel.sources.fetch",
    "prepare": "soundreel.dataset.build",
    "inspect": "soundreel.dataset.inspection.gallery",
    "export": "soundreel.sharing.export",
    "train": "soundreel.training.run",
    "look": "soundreel.training.new_look:learn_look",
    "render": "soundreel.rendering.movie",
    "remix": "soundreel.editing.remixing",
    "sonify": "soundreel.rendering.sonifying",
    "loop": "soundreel.rendering.looping",
    "ask": "soundreel.asking.verb",
    "push": "soundreel.sharing.push",
    "pull": "soundreel.sharing.pull",
    "boxed_model": "soundreel.box",
    "demo": "soundreel.demonstration",
}

__all__ = [
    "Recipe",
    "SoundreelError",
    "ask",
    "boxed_model",
    "demo",
    "export",
    "fetch",
    "inspect",
    "look",
    "loop",
    "prepare",
    "pull",
    "push",
    "recipe_from",
    "remix",
    "render",
    "sonify",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        home, _, called = _HOMES[name].partition(":")
        return getattr(importlib.import_module(home), called or name)
    raise AttributeError(f"module 'soundreel' has no attribute {name!r}")
