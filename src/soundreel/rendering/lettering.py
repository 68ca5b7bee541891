"""Text for films: a font that has its letters, lines that fit, a mask of the drawn words."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import ImageFont

from soundreel.errors import SettingsError

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

#: No font has a letter here: what is drawn for it is what is drawn for any that is missing.
_NO_LETTER = "\U000fffff"
_TRIED_SIZE = 24


@dataclass(frozen=True)
class Typeface:
    """A font at any size. file: None for the one that Pillow brings."""

    file: Path | None

    def at(self, size_pixels: int) -> Font:
        """The font with an em of this many pixels."""
        return _font(self.file, size_pixels)

    def lacks(self, text: str) -> str:
        """The characters of a text that the font has no glyph for, each once."""
        font = self.at(_TRIED_SIZE)
        missing = _drawn(font, _NO_LETTER)
        return "".join(
            dict.fromkeys(c for c in text if not c.isspace() and _drawn(font, c) == missing)
        )


def typeface_for(texts: list[str], file: Path | None = None) -> Typeface:
    """The typeface for texts: the given file's, or the first that has all their letters.

    Without a file these are Pillow's own (Aileron: English, no accents) and DejaVu Sans, which
    comes with Matplotlib (accents, Greek, Cyrillic, Arabic and others; no Chinese, Japanese or
    Korean, no coloured emoji).

    Raises: SettingsError if the file is no font or letters are missing.
    """
    together = "".join(texts)
    if file is not None:
        chosen = Typeface(file)
        if lacking := chosen.lacks(together):
            raise SettingsError(
                f"{file}: this font has no {_named(lacking)}: give another font file, or another "
                "text"
            )
        return chosen
    tried = [Typeface(None), *map(Typeface, _bundled())]
    for chosen in tried:
        if not chosen.lacks(together):
            return chosen
    raise SettingsError(
        f"the built-in fonts have no {_named(tried[-1].lacks(together))}: give a font file that "
        "has them (.ttf, .otf or .ttc), or another text"
    )


def plain(text: str) -> str:
    """A text on one line: accents joined to their letters, invisible characters left out."""
    joined = unicodedata.normalize("NFC", text)
    return " ".join("".join(c for c in joined if unicodedata.category(c) != "Cf").split())


def wrapped(text: str, font: Font, width_pixels: float) -> list[str]:
    """The lines of a text, as few and as even as they can be; a word is never broken.

    A word that is wider than `width_pixels` has a line of its own (the caller looks).
    """
    words = text.split()
    lines = _filled(words, font, width_pixels)
    # Narrower, as long as it costs no line: "A / very long name" becomes two even lines.
    low, high = 0, int(width_pixels)
    while len(lines) > 1 and low + 1 < high:
        middle = (low + high) // 2
        tried = _filled(words, font, middle)
        if len(tried) == len(lines) and all(font.getlength(t) <= width_pixels for t in tried):
            high = middle
        else:
            low = middle
    return _filled(words, font, high) if len(lines) > 1 else lines


def _filled(words: list[str], font: Font, width_pixels: float) -> list[str]:
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width_pixels:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@lru_cache(maxsize=64)
def _font(file: Path | None, size_pixels: int) -> Font:
    if file is None:
        return ImageFont.load_default(size_pixels)
    try:
        return ImageFont.truetype(str(file), size_pixels)
    except OSError as error:
        wrong = "is no font that can be read" if file.is_file() else "no such font file"
        raise SettingsError(f"{file}: {wrong}: give a .ttf, .otf or .ttc file") from error


def _bundled() -> list[Path]:
    # Found, not imported: all that is wanted is a file beside the package.
    spec = find_spec("matplotlib")
    places = spec.submodule_search_locations if spec else None
    files = [Path(place, "mpl-data", "fonts", "ttf", "DejaVuSans.ttf") for place in places or ()]
    return [file for file in files if file.is_file()]


def _drawn(font: Font, character: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(character)
    return mask.size, np.asarray(mask, np.uint8).tobytes()


def _named(characters: str) -> str:
    """For people: the first few of them, with their numbers where they may not show."""
    shown = [f"{c!r} (U+{ord(c):04X})" for c in characters[:3]]
    return ", ".join(shown) + (f" and {len(characters) - 3} more" if len(characters) > 3 else "")
