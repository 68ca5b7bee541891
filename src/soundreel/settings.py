"""Settings from a TOML file (`--config`): unknown keys are refused with a suggestion."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from soundreel.errors import SettingsError


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """One line for a pydantic error: the key, what is wrong, and for a misspelt key the nearest."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return unknown_key(key, model.model_fields)
    message = first["msg"].removeprefix("Value error, ")
    if not key:
        return message
    return f"{key} = {first.get('input')!r}: {message}"


def unknown_key(key: str, known: Any) -> str:
    """`"epoch" is not a setting; did you mean "epochs"?`"""
    near = difflib.get_close_matches(key.rsplit(".", 1)[-1], list(known), n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(sorted(known))}"
    return f'"{key}" is not a setting: {hint}'


def read_config(path: Path, tables: dict[str, type[BaseModel]]) -> dict[str, dict[str, Any]]:
    """The tables of a TOML config file, their keys checked against the models.

    `tables` maps a table's name ("recipe", "training") to the model whose fields it may set.
    Returns the tables as read, an empty one for each that the file lacks.

    Raises: SettingsError if the file cannot be read or has an unknown table or key.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}): check --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not a TOML file ({error}): mend that line") from error
    for name, table in document.items():
        if name not in tables:
            raise SettingsError(f"{path}: {unknown_key(name, tables)}")
        if not isinstance(table, dict):
            raise SettingsError(f"{path}: {name!r} must be a table: write [{name}] above its keys")
        for key in table:
            if key not in tables[name].model_fields:
                message = unknown_key(key, tables[name].model_fields)
                raise SettingsError(f"{path}: in [{name}], {message}")
    return {name: dict(document.get(name, {})) for name in tables}
