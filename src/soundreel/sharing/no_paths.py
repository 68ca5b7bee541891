"""What is shared says nothing of the folders of the machine that it was made on."""

from __future__ import annotations

import re
from pathlib import PureWindowsPath
from typing import Any

#: Settings of a recipe that name a file or folder, absolute or not.
_PLACES = ("artist_photos", "face_model", "recognition_model")
_ABSOLUTE = re.compile(r"(file:|[/~\\\\]|[A-Za-z]:[/\\\\])", re.IGNORECASE)


def without_paths(value: Any, key: str = "") -> Any:
    """JSON values, with the last name in place of every path to a file or folder here."""
    if isinstance(value, dict):
        return {name: without_paths(one, str(name)) for name, one in value.items()}
    if isinstance(value, list):
        return [without_paths(one, key) for one in value]
    if isinstance(value, str) and (key in _PLACES or _ABSOLUTE.match(value)):
        return PureWindowsPath(value).name or "."  # it knows both kinds of slashes
    return value
