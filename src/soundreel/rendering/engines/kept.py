"""What engines find out about a model, kept beside it: small JSON files, made again if damaged."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from soundreel.atomic import write_json
from soundreel.errors import SoundreelError

_FOLDER = "engines"


def read_kept(model_folder: Path, weights_sha256: str, name: str) -> Any:
    """What was kept under a name for these weights, or None. Whoever reads it checks it."""
    for folder in (model_folder / _FOLDER, _own_cache()):
        try:
            return json.loads(_place(folder, weights_sha256, name).read_bytes())
        except (OSError, ValueError):
            continue
    return None


def keep(model_folder: Path, weights_sha256: str, name: str, value: Any) -> None:
    """Keep a JSON value for these weights beside the model, or where that cannot be written in
    the user's cache folder, or else not at all. What was kept for other weights is removed.
    """
    beside = model_folder / _FOLDER
    for folder in (beside, _own_cache()):
        try:
            write_json(_place(folder, weights_sha256, name), value)
            if folder == beside:
                for stale in set(folder.glob("*-*.json")) - set(
                    folder.glob(f"{weights_sha256[:16]}-*")
                ):
                    stale.unlink(missing_ok=True)
        except (OSError, SoundreelError):  # it is made again next time
            continue
        return


def _place(folder: Path, weights_sha256: str, name: str) -> Path:
    return folder / f"{weights_sha256[:16]}-{name}.json"


def _own_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "soundreel" / _FOLDER
