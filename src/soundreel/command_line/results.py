"""What a command prints: a line for people, or one JSON object with --json."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction
from typing import Annotated, Any, Literal

from cyclopts import Parameter

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]


def result(as_json: bool, line: str, **values: object) -> Literal[0]:
    """Print what came of a command to stdout; the exit code."""
    print(json.dumps(values, default=str, ensure_ascii=False) if as_json else line)
    return 0


def plain(made: Any) -> dict[str, Any]:
    """A result dataclass as what JSON can hold; exact times become decimals."""
    return {
        field.name: _plain_value(getattr(made, field.name)) for field in dataclasses.fields(made)
    }


def _plain_value(value: Any) -> Any:
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, tuple):
        return [_plain_value(one) for one in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(value)
    return value
