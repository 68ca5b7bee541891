"""A title card and end credits, drawn over the film's frames.

Over, not before: a card of its own would move the picture away from its song. The words are
drawn once; a frame is then blended with the few pixels that they and their shade cover.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from soundreel.errors import SettingsError
from soundreel.rendering.blending import smoothstep
from soundreel.rendering.lettering import Typeface, plain, typeface_for, wrapped
from soundreel.timeline import frame_time

FADE_SECONDS = Fraction(7, 10)

#: Of the picture's shorter side.
_TITLE_SIZE, _SMALL_SHARE, _MARGIN = 0.085, 0.58, 0.08
_CREDIT_SIZE = 0.052
#: Of an em.
_LEADING, _BETWEEN = 1.22, 0.42
_SMALLEST_PIXELS = 9
_MOST_TITLE_LINES, _MOST_ARTIST_LINES = 3, 2
_MOST_HEIGHT = 0.84

_INK, _SMALL_INK, _ROLE_INK = 1.0, 0.86, 0.68
#: A tight shadow that draws the letters' edge and a wide one that calms what lies behind.
_TIGHT_EM, _TIGHT_DEPTH, _DROP_EM = 0.05, 0.75, 0.03
_WIDE_EM, _WIDE_DEPTH = 0.75, 0.62
_SATURATION = 2.5
_CREDITS_DIM = 0.55


@dataclass(frozen=True)
class Title:
    """A song's name as a music video shows it, lower left; seconds are the film's own."""

    title: str
    artist: str = ""
    start_seconds: Fraction = Fraction(1)
    stop_seconds: Fraction = Fraction(6)

    def __post_init__(self) -> None:
        _check_times("title", self.start_seconds, self.stop_seconds)


@dataclass(frozen=True)
class Credits:
    """Lines in the middle of a darkened picture; a pair is what somebody did, and who.

    Seconds are the film's own.
    """

    lines: tuple[str | tuple[str, str], ...]
    start_seconds: Fraction
    stop_seconds: Fraction

    def __post_init__(self) -> None:
        _check_times("credits", self.start_seconds, self.stop_seconds)


@dataclass(frozen=True, eq=False)
class TitleImage:
    """What is drawn over a frame: `frame * keep + ink` from `top`, `left` on.

    keep_HW1: float32, 0 to 1, how much of the frame shows through. ink_HW1: float32, 0 to 255.
    width, height: of the frames it was drawn for.
    """

    width: int
    height: int
    top: int
    left: int
    keep_HW1: np.ndarray
    ink_HW1: np.ndarray


@dataclass(frozen=True)
class _Line:
    text: str
    size: int
    light: float
    gap_before: int


def title_image(title: Title, width: int, height: int, font: Path | None = None) -> TitleImage:
    """The title card for frames of this size: the title, the artist smaller below it.

    font: a font file, where the built-in ones lack a letter. Long names are set on several
    lines, then smaller, then cut.

    Raises: SettingsError if there is nothing to show, or letters are missing from the font.
    """
    name, artist = plain(title.title), plain(title.artist)
    if not name and not artist:
        raise SettingsError("the title card is empty: give a title or an artist")
    face = typeface_for([name, artist], font)
    shorter = min(width, height)
    margin = round(_MARGIN * shorter)

    def lines_of(size: int) -> list[_Line] | None:
        small = max(_SMALLEST_PIXELS, round(_SMALL_SHARE * size)) if name else size
        titles = _fit(name, face, size, width - 2 * margin, _MOST_TITLE_LINES)
        artists = _fit(artist, face, small, width - 2 * margin, _MOST_ARTIST_LINES)
        if titles is None or artists is None:
            return None
        gap = round(_BETWEEN * small) if titles else 0
        return [_Line(text, size, _INK, 0) for text in titles] + [
            _Line(text, small, _SMALL_INK, 0 if place else gap)
            for place, text in enumerate(artists)
        ]

    lines = _largest(lines_of, round(_TITLE_SIZE * shorter), height)
    if lines is None:  # a very long name in a very small film: its beginning
        lines = [
            _Line(
                _cut(text, face, _SMALLEST_PIXELS, width - 2 * margin), _SMALLEST_PIXELS, light, 0
            )
            for text, light in ((name, _INK), (artist, _SMALL_INK))
            if text
        ]
    bottom = height - margin
    return _drawn(lines, face, (width, height), left=margin, top=bottom - _tall(lines), dim=0.0)


def credits_image(credit: Credits, width: int, height: int, font: Path | None = None) -> TitleImage:
    """The end credits for frames of this size, centred, over the whole darkened frame.

    Raises: SettingsError if there is nothing to show, letters are missing from the font, or the
    frame is too small for all the lines.
    """
    pairs = [("", line) if isinstance(line, str) else line for line in credit.lines]
    pairs = [(plain(role), plain(who)) for role, who in pairs]
    pairs = [pair for pair in pairs if any(pair)]
    if not pairs:
        raise SettingsError("the credits are empty: give at least one line")
    face = typeface_for([text for pair in pairs for text in pair], font)
    shorter = min(width, height)
    wide = width - 2 * round(_MARGIN * shorter)

    def lines_of(size: int) -> list[_Line] | None:
        small = max(_SMALLEST_PIXELS, round(0.75 * size))
        lines: list[_Line] = []
        for role, who in pairs:
            above = _fit(role, face, small, wide, 2)
            below = _fit(who, face, size, wide, 3)
            if above is None or below is None:
                return None
            texts = [(text, small, _ROLE_INK) for text in above]
            texts += [(text, size, _INK) for text in below]
            for place, (text, pixels, light) in enumerate(texts):
                lines.append(_Line(text, pixels, light, 0 if place or not lines else size // 2))
        return lines

    lines = _largest(lines_of, round(_CREDIT_SIZE * shorter), height)
    if lines is None:
        raise SettingsError(
            f"{len(pairs)} lines of credits do not fit into {width}x{height}: give fewer or "
            "shorter ones, or a larger --size"
        )
    top = (height - _tall(lines)) // 2
    return _drawn(lines, face, (width, height), left=None, top=top, dim=_CREDITS_DIM)


def title_opacity(
    n: int, fps: Fraction, card: Title | Credits, fade_seconds: Fraction = FADE_SECONDS
) -> float:
    """How far a card shows in frame n of a film: 0 to 1, in and out by a smoothstep.

    A card that lasts less than two fades has shorter ones.
    """
    now = frame_time(n, fps)
    fade = min(fade_seconds, (card.stop_seconds - card.start_seconds) / 2)
    nearest_end = min(now - card.start_seconds, card.stop_seconds - now)
    if nearest_end <= 0:
        return 0.0
    return smoothstep(float(nearest_end / fade)) if fade > 0 else 1.0


def draw_title(frame_HW3: np.ndarray, image: TitleImage, opacity: float) -> np.ndarray:
    """A frame with a card over it, H x W x 3 uint8; at an opacity of 0 the frame itself.

    Raises: ValueError if the card was drawn for another size.
    """
    if frame_HW3.shape[:2] != (image.height, image.width):
        raise ValueError(
            f"a card for {image.width}x{image.height} over a frame of "
            f"{frame_HW3.shape[1]}x{frame_HW3.shape[0]}"
        )
    share = np.float32(min(max(opacity, 0.0), 1.0))
    if share == 0:
        return frame_HW3
    rows, columns = image.keep_HW1.shape[:2]
    box = (slice(image.top, image.top + rows), slice(image.left, image.left + columns))
    keep_HW1 = 1 - share * (1 - image.keep_HW1)
    over_HW3 = frame_HW3[box] * keep_HW1
    over_HW3 += share * image.ink_HW1 + np.float32(0.5)
    drawn_HW3 = frame_HW3.copy()
    drawn_HW3[box] = np.minimum(over_HW3, 255).astype(np.uint8)
    return drawn_HW3


def _check_times(what: str, start_seconds: Fraction, stop_seconds: Fraction) -> None:
    if not 0 <= start_seconds < stop_seconds:
        raise SettingsError(
            f"the {what} from {float(start_seconds):g} s to {float(stop_seconds):g} s: "
            "it must begin at 0 or later and end after it has begun"
        )


def _fit(text: str, face: Typeface, size: int, wide: int, most_lines: int) -> list[str] | None:
    """The lines of a text at a size, or None if they are too wide or too many."""
    font = face.at(size)
    lines = wrapped(text, font, wide)
    fits = len(lines) <= most_lines and all(font.getlength(line) <= wide for line in lines)
    return lines if fits else None


def _cut(text: str, face: Typeface, size: int, wide: int) -> str:
    """As much of a text as fits into one line, and points for the rest."""
    font, kept = face.at(size), text
    while kept and font.getlength(kept if kept == text else f"{kept}...") > wide:
        kept = kept[:-1].rstrip()
    return kept if kept == text else f"{kept}..."


def _largest(
    lines_of: Callable[[int], list[_Line] | None], size: int, height: int
) -> list[_Line] | None:
    """The lines in the largest letters, from `size` down, in which they fit; None: in none."""
    for pixels in range(max(size, _SMALLEST_PIXELS + 2), _SMALLEST_PIXELS - 1, -1):
        lines = lines_of(pixels)
        if lines is not None and _tall(lines) <= _MOST_HEIGHT * height:
            return lines
    return None


def _tall(lines: Sequence[_Line]) -> int:
    return sum(line.gap_before + round(_LEADING * line.size) for line in lines)


def _drawn(
    lines: Sequence[_Line],
    face: Typeface,
    size: tuple[int, int],
    left: int | None,
    top: int,
    dim: float,
) -> TitleImage:
    """The lines from a corner on (left None: each in the middle), with their shadows."""
    width, height = size
    words = Image.new("L", size)
    cover = Image.new("L", size)  # as the words, all of one light: what is to be shaded
    pens = ImageDraw.Draw(words), ImageDraw.Draw(cover)
    y = top
    for line in lines:
        y += line.gap_before
        font = face.at(line.size)
        x = left if left is not None else (width - font.getlength(line.text)) / 2
        for pen, light in zip(pens, (line.light, 1.0), strict=True):
            pen.text((x, y + round(0.92 * line.size)), line.text, round(255 * light), font, "ls")
        y += round(_LEADING * line.size)
    em = lines[0].size
    lit_HW = np.asarray(words, np.float32) / 255
    covered_HW = np.asarray(cover, np.float32) / 255
    tight = _shadow(covered_HW, _TIGHT_EM * em, _TIGHT_DEPTH, round(_DROP_EM * em))
    wide = _shadow(covered_HW, _WIDE_EM * em, _WIDE_DEPTH, 0)
    # In steps far below a level, so that every processor's blur makes the same frames.
    keep_HW = np.rint((1 - dim) * (1 - tight) * (1 - wide) * (1 - covered_HW) * 4096) / 4096
    box = _box(keep_HW < (1 - 1 / 512))
    rows, columns = box
    return TitleImage(
        width,
        height,
        rows.start,
        columns.start,
        keep_HW[box][..., None].astype(np.float32),
        (255 * lit_HW[box])[..., None].astype(np.float32),
    )


def _shadow(covered_HW: np.ndarray, blur: float, depth: float, drop: int) -> np.ndarray:
    """How dark it is under blurred words, 0 to `depth`: about as dark under thin letters."""
    height, width = covered_HW.shape
    # In floats: a blur in 8 bits shows its steps on a plain background.
    soft_HW = _gaussian(height, blur, drop) @ covered_HW @ _gaussian(width, blur, drop).T
    return depth * (1 - np.exp(-_SATURATION * soft_HW / max(float(soft_HW.max()), 1e-6)))


def _gaussian(size: int, blur: float, moved: int) -> np.ndarray:
    """Blurs along one side, size x size float32, and moves by some pixels."""
    place = np.arange(size, dtype=np.float32)
    weight = np.exp(-0.5 * ((place[:, None] - moved - place) / max(0.6, blur)) ** 2)
    return np.where(weight > 1e-4, weight, 0)  # nothing so small that products crawl


def _box(inked_HW: np.ndarray) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(inked_HW.any(1)), np.flatnonzero(inked_HW.any(0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
