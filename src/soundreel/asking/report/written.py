"""How numbers and names are written in the report: signs, p-values, shares, counts."""

from __future__ import annotations

import math
import re

#: Letters that XML cannot hold, and those that turn the direction of what follows.
_UNREADABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)
_MINUS = "\N{MINUS SIGN}"
#: What is written for a number that is not known.
DASH = "\N{EN DASH}"
_SMALL_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def readable(text: str) -> str:
    """Text without control letters and lone surrogates, which files' names may hold."""
    return _UNREADABLE.sub("\N{REPLACEMENT CHARACTER}", text.encode("utf-8", "replace").decode())


def shortened(text: str, characters: int) -> str:
    """A name on one line and of at most so many characters, an ellipsis in its middle."""
    text = " ".join(readable(text).split())
    if len(text) <= characters:
        return text
    tail = (characters - 1) // 3
    return f"{text[: characters - 1 - tail].rstrip()}…{text[len(text) - tail :].lstrip()}"


def signed(value: float, digits: int = 3) -> str:
    """A number with its sign, as `+0.062`; 0 has none, and what is not a number is a dash."""
    if not math.isfinite(value):
        return DASH
    said = f"{abs(value):.{digits}f}"
    if float(said) == 0:
        return said
    return f"{'+' if value > 0 else _MINUS}{said}"


def plain(value: float, digits: int = 3) -> str:
    """A number with a minus where it has one; what is not a number is a dash."""
    if not math.isfinite(value):
        return DASH
    said = f"{abs(value):.{digits}f}"
    return said if value >= 0 or float(said) == 0 else f"{_MINUS}{said}"


def interval(low: float, high: float, digits: int = 3) -> str:
    """As `+0.031 to +0.093`."""
    return f"{signed(low, digits)} to {signed(high, digits)}"


def p_value(p: float) -> str:
    """A p-value: two digits that count where it is small, as `0.0005`, `0.013`, `0.24`."""
    if not math.isfinite(p):
        return DASH
    if p < 0.0001:
        return "below 0.0001"
    digits = 2 if p >= 0.0995 else min(4, 1 - math.floor(math.log10(p)))
    return f"{p:.{digits}f}"


def share(value: float, digits: int = 0) -> str:
    """A proportion in percent, as `83 %`."""
    return DASH if not math.isfinite(value) else f"{plain(100 * value, digits)} %"


def count(number: int) -> str:
    """A whole number, with commas between the thousands."""
    return f"{number:,}"


def counted(number: int, one: str, many: str) -> str:
    """A number and its noun; in a word below ten: `one video`, `30 videos`."""
    said = _SMALL_COUNTS[number] if 0 <= number < len(_SMALL_COUNTS) else count(number)
    return f"{said} {one if number == 1 else many}"
