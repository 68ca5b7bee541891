"""The finish of a film: fades from and to black, its title card and its end credits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from soundreel.rendering.blending import fade_gain, faded
from soundreel.rendering.film import Span, scaled
from soundreel.rendering.filming import Source
from soundreel.rendering.shoot import identified
from soundreel.rendering.shot_list import ShotList
from soundreel.rendering.titles import (
    Credits,
    Title,
    credits_image,
    draw_title,
    title_image,
    title_opacity,
)


@dataclass(frozen=True)
class Finish:
    """What is done to the frames of a source last; where nothing is, they pass as they are.

    width, height: the film's, at which words are drawn; font: a file, where one was named.
    """

    source: Source
    frames: int
    fps: Fraction
    width: int
    height: int
    fade_in_seconds: Fraction
    fade_out_seconds: Fraction
    title: Title | None
    credits: Credits | None
    font: Path | None

    def pictures(self, first: int, stop: int) -> Iterator[np.ndarray]:
        """Frames first to stop (exclusive); those with words on them as large as the film."""
        size = (self.width, self.height)
        cards = []
        if self.title is not None:
            cards.append((self.title, title_image(self.title, *size, self.font)))
        if self.credits is not None:
            cards.append((self.credits, credits_image(self.credits, *size, self.font)))
        for n, frame_HW3 in enumerate(self.source.pictures(first, stop), first):
            for card, image in cards:
                opacity = title_opacity(n, self.fps, card)
                if opacity > 0:
                    frame_HW3 = draw_title(scaled(frame_HW3, *size), image, opacity)
            fades = self.fade_in_seconds, self.fade_out_seconds
            yield faded(frame_HW3, fade_gain(n, self.frames, self.fps, *fades))

    def identity(self) -> dict[str, Any]:
        """All that decides the pictures, as JSON values."""
        return {
            "source": self.source.identity(),
            "fades": identified([self.fade_in_seconds, self.fade_out_seconds]),
            "cards": identified([self.title, self.credits]),
            "font": identified(self.font),
            "size": [self.width, self.height],
        }


def finished(
    source: Source, shots: ShotList, span: Span, fps: Fraction, size: tuple[int, int]
) -> Source:
    """A source with the finish that a shot list asks for; the source itself if for none.

    Raises: SettingsError for words that cannot be drawn (too many, or without their letters), or
    bars that are not known.
    """
    film = shots.film
    fade_in = shots.seconds_of(film.fade_in, span.start_seconds)
    fade_out = shots.seconds_of(film.fade_out, span.start_seconds)
    card = credit = None
    if film.title_card:
        begin = max(Fraction(0), shots.seconds_at(film.title_at) - span.start_seconds)
        lasts = shots.seconds_of(film.title_for, span.start_seconds + begin)
        title = shots.song.title or span.title
        card = Title(title, shots.song.artist or span.artist, begin, begin + lasts)
    if film.credits:
        lasts = shots.seconds_of(film.credits_for, span.start_seconds)
        credit = Credits(film.credits, max(Fraction(0), span.seconds - lasts), span.seconds)
    if not (fade_in or fade_out or card or credit):
        return source
    font = None if film.font is None else Path(film.font)
    done = Finish(source, span.frames(fps), fps, *size, fade_in, fade_out, card, credit, font)
    # What cannot be drawn is found before the first picture is made.
    if card is not None:
        title_image(card, *size, font)
    if credit is not None:
        credits_image(credit, *size, font)
    return done
