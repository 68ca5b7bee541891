"""What a person writes after an option, read: sizes, rates, lists, config files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from soundreel.errors import SettingsError, SoundreelError

Config = Annotated[Path | None, Parameter(help="A TOML file for all other settings.")]


class WrongUsageError(SoundreelError):
    """What no type of an argument can say is wrong with a command."""


def read_settings(path: Path | None, **tables: Any) -> dict[str, dict[str, Any]]:
    """The tables of a --config file; empty ones without it. Raises: SettingsError."""
    from soundreel.settings import read_config

    return {name: {} for name in tables} if path is None else read_config(path, tables)


def fault_names(text: str) -> tuple[str, ...]:
    """The faults of --leave-out: a list with commas, or "none"."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    return () if names == ["none"] else tuple(names)


def epoch_numbers(text: str) -> tuple[float, ...]:
    """The epochs of --epoch: 95, or 95,180,200. Raises: SettingsError."""
    numbers = [number.strip() for number in text.split(",")]
    if not all(re.fullmatch(r"\d{1,9}(\.\d{1,9})?", number) for number in numbers):
        raise SettingsError(f"--epoch {text!r} is not a list of epochs: write 95 or 95,180,200")
    return tuple(map(float, numbers))


def bytes_a_second(text: str) -> int:
    """The rate of --rate: 500000, 500K or 2M. Raises: SettingsError."""
    match = re.fullmatch(r"(\d{1,12})([KMG]?)", text.strip().upper())
    if not match:
        raise SettingsError(f"--rate {text!r} is not a rate: write bytes a second, such as 500K")
    return int(match[1]) * 1000 ** " KMG".index(match[2] or " ")


def frame_size(text: str) -> tuple[int, int]:
    """Width and height of --size: 1280x720. Raises: SettingsError."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.strip().lower())
    if not match:
        raise SettingsError(
            f"--size {text!r} is not a size: write width x height, such as 1280x720"
        )
    return int(match[1]), int(match[2])
