"""Titles of videos become names of files: on any system, in any script, each once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

#: Names are shorter than the 255 bytes that file systems allow: others append to them.
_MAX_BYTES = 180
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]+')
# Device names of Windows, with or without a suffix: "con.mp4" cannot be opened there.
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.I)
# Marks that turn the order of letters around: "clip\u202e4pm.exe" reads "clipexe.mp4".
_TURNING = {0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}


def plain(text: str) -> str:
    """A title on one line, without control characters (a terminal would obey them)."""
    kept = (
        " " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter
        for letter in unicodedata.normalize("NFC", text)
        if unicodedata.category(letter) != "Cs" and ord(letter) not in _TURNING
    )
    return " ".join("".join(kept).split())


def safe_stem(title: str) -> str:
    """A file name (without suffix) for a title: letters of all scripts stay, separators do not."""
    stem = _FORBIDDEN.sub(" - ", plain(title))
    stem = _shortened(" ".join(stem.split()).strip(" .-"), _MAX_BYTES)
    if not stem:
        return "clip"
    return f"_{stem}" if _RESERVED.match(stem) else stem


def unique_name(stem: str, suffix: str, taken: Collection[str]) -> str:
    """`stem` + `suffix`, or with ` (2)`, ` (3)` ... where that stem is taken.

    taken: file names; two that differ in capitals or in their suffix alone count as the same,
    because on some disks they are, and because a clip's id is made from its stem.
    """
    stems = {_folded(name.rpartition(".")[0] or name) for name in taken}
    number, candidate = 1, stem
    while _folded(candidate) in stems:
        number += 1
        candidate = f"{stem} ({number})"
    return candidate + suffix


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _shortened(text: str, max_bytes: int) -> str:
    """At most `max_bytes` of UTF-8, cut between letters and not between a letter and its accent."""
    if len(text.encode()) <= max_bytes:
        return text
    cut = text.encode()[:max_bytes].decode(errors="ignore")
    while len(cut) > 1 and unicodedata.combining(text[len(cut)]):
        cut = cut[:-1]
    return cut.rstrip(" .-")
