"""Looks as people write them: one clip's, a mixture, the average, the nearest one, a walk."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from soundreel.errors import SettingsError
from soundreel.timeline import exact_seconds

AUTO, AVERAGE, WALK = "auto", "average", "walk"
_BARS = re.compile(r"(\d+(?:\.\d+)?)\s*bars?", re.IGNORECASE)
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*(?:s|seconds?)?", re.IGNORECASE)
_MOST_LISTED = 12
_WAYS = 'write auto, average, a training clip, "a:0.7,b:0.3", walk:sections or "walk:4 bars"'


@dataclass(frozen=True)
class Walk:
    """How long a walk stays with a look: for a section, or for so many bars or seconds."""

    unit: Literal["sections", "bars", "seconds"]
    count: Fraction = Fraction(1)


@dataclass(frozen=True)
class LookWish:
    """A look as it was asked for; which clips a model knows does not matter yet.

    text: as it was written. named: names with their shares, which sum to 1. Without names the
    look is chosen by sound: `walk` says how often, None once.
    """

    text: str
    named: tuple[tuple[str, float], ...] = ()
    walk: Walk | None = None


def read_look(text: str) -> LookWish:
    """What a person wrote as a look: auto, average, CLIP, "a:0.7,b:0.3", "walk:4 bars" and so on.

    Shares need not sum to 1; a mixture without any is one of equal parts.

    Raises: SettingsError if it is none of these.
    """
    text = text.strip()
    if text.lower() == AUTO:
        return LookWish(AUTO)
    word, colon, rest = text.partition(":")
    if colon and word.strip().lower() == WALK:
        return LookWish(text, walk=_walk(text, rest.strip()))
    parts = [part.strip() for part in text.split(",")]
    names, shares = zip(*(_part(text, part) for part in parts), strict=True)
    if any(share is None for share in shares):
        if any(share is not None for share in shares):
            raise SettingsError(
                f"look {text!r}: some of its parts have a share and some have none: give each one"
            )
        shares = (1.0,) * len(names)
    whole = math.fsum(shares)
    return LookWish(text, tuple((n, s / whole) for n, s in zip(names, shares, strict=True)))


def _walk(text: str, stay: str) -> Walk:
    if stay.lower() in ("section", "sections"):
        return Walk("sections")
    unit, found = "bars", _BARS.fullmatch(stay)
    if found is None:
        unit, found = "seconds", _SECONDS.fullmatch(stay)
    if found is None or not Fraction(found[1]) > 0:
        raise SettingsError(
            f'look {text!r}: write walk:sections, "walk:4 bars" or "walk:10 seconds"'
        )
    return Walk("bars" if unit == "bars" else "seconds", exact_seconds(found[1]))


def _part(text: str, part: str) -> tuple[str, float | None]:
    name, colon, written = (one.strip() for one in part.rpartition(":"))
    if not colon:
        name, share = written, None
    else:
        try:
            share = float(written)
        except ValueError:
            share = math.nan
        if not 0 < share < math.inf:
            raise SettingsError(
                f"look {text!r}: {written!r} is not a share: write one above 0, such as {name}:0.7"
            )
    if not name:
        raise SettingsError(f"look {text!r}: a name is missing: {_WAYS}")
    return name, share


def look_shares(wish: LookWish, clips: Sequence[str]) -> tuple[float, ...]:
    """The shares of a wish's names: one for each clip, and of the average look the last one.

    clips: the clips whose looks a model knows. A name may be the beginning of just one of them.

    Raises: SettingsError for a name that is none of them (with a suggestion) or begins several.
    """
    if not wish.named:
        raise ValueError(f"look {wish.text!r} names no clip: it is chosen by sound")
    shares = [0.0] * (len(clips) + 1)
    for name, share in wish.named:
        shares[_place(name, clips)] += share
    return tuple(shares)


def look_name(shares: Sequence[float], clips: Sequence[str]) -> str:
    """What a person calls a look of these shares: "003-aurora", or "a 0.70 + b 0.30"."""
    parts = [
        (share, name) for share, name in zip(shares, [*clips, AVERAGE], strict=True) if share > 0
    ]
    if len(parts) == 1:
        return parts[0][1]
    return " + ".join(f"{name} {share:.2f}" for share, name in parts)


def _place(name: str, clips: Sequence[str]) -> int:
    if name in clips:
        return list(clips).index(name)
    if name.lower() == AVERAGE:
        return len(clips)
    begun = [place for place, clip in enumerate(clips) if clip.lower().startswith(name.lower())]
    if len(begun) == 1:
        return begun[0]
    if begun:
        several = _listed([clips[place] for place in begun])
        raise SettingsError(f"look {name!r} may be {several}: write more of its name")
    near = difflib.get_close_matches(name.lower(), [clip.lower() for clip in clips], 1, 0.4)
    inside = [clip for clip in clips if name.lower() in clip.lower()]
    meant = inside[:1] or [clip for clip in clips if clip.lower() in near][:1]
    hint = f'did you mean "{meant[0]}"? ' if meant else ""
    raise SettingsError(
        f"look {name!r} is no training clip of this model: {hint}it has {_listed(clips)}; "
        "or auto, average, walk:sections"
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_LISTED
    return ", ".join(names[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
