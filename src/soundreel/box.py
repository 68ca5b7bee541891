"""The model in the box: a model folder that comes with the package, in `box/` beside this file."""

from __future__ import annotations

from pathlib import Path

from soundreel.errors import ModelError

_FOLDER = Path(__file__).parent / "box"


def boxed_model() -> Path:
    """The folder of the model that `render` uses where none is named.

    Raises: ModelError if this copy of the package came without it.
    """
    if not all((_FOLDER / name).is_file() for name in ("config.json", "model.safetensors")):
        raise ModelError(
            f"{_FOLDER}: no model came with this copy of soundreel: name one, as in `soundreel "
            "render MODEL song.mp3 --out film.mp4`"
        )
    return _FOLDER
