"""`render --ab`: for each song a blind pair of films, a page to vote on, and the key."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from soundreel.atomic import write_json
from soundreel.errors import SettingsError
from soundreel.progress import Listener
from soundreel.rendering.blind import (
    VOTE_PAGE,
    Pair,
    Side,
    draw_sides,
    film_names,
    write_vote_page,
)
from soundreel.rendering.casting import Compute
from soundreel.rendering.directed_film import Named, film_of
from soundreel.rendering.film import song_span, songs_in
from soundreel.rendering.film_settings import FilmSettings

_SIDES = ".sides.json"
_SAID = "made with Soundreel for a blind comparison"


@dataclass(frozen=True)
class BlindPairs:
    """What was made: the page to vote on, its key, and how many pairs there are."""

    page: Path
    key: Path
    pairs: int


def render_blind(
    models: Sequence[Named],
    song: Path,
    swapped: Path,
    out: Path,
    settings: FilmSettings,
    progress: Listener,
) -> BlindPairs:
    """Write two films of each song with its own sound, one of pictures made from another song.

    song: a song, or a folder of songs. swapped: the other song; or a folder, from which each song
      takes the next one that is not itself.
    out: the folder for films and page; the key is written beside it, so that the folder can be
      given away without it.

    Both films of a pair have the same name, words and sound. Which is which is drawn by the
    system, so that not even the seed tells it, and written into the key alone.

    Raises: as `render`; SettingsError if the other song is shorter than the film, or the same, or
    if there is a page in the folder already.
    """
    key = out.with_name(f"{out.name}-key.json")
    if (out / VOTE_PAGE).exists():
        raise SettingsError(
            f"{out}: holds a page to vote on already, whose votes another key would make void: "
            "choose another --out"
        )
    songs = songs_in(song) if song.is_dir() else [song]
    others = songs_in(swapped) if swapped.is_dir() else [swapped]
    couples = [(one, _other(one, others, place)) for place, one in enumerate(songs)]
    names = _names(songs)
    sides = _sides(out / _SIDES, names)
    pairs = []
    for name, (one, other) in zip(names, couples, strict=True):
        title = song_span(one, settings.start_seconds, settings.stop_seconds).title
        films = {side: out / file_name for side, file_name in film_names(name).items()}
        for side, film in films.items():
            made = film_of(
                models,
                one,
                film,
                settings,
                progress,
                f"render {film.stem}",
                seen=None if side == sides[name] else other,
                words={"title": title, "comment": _SAID},
            )
            if len(made.engines) == 1:  # another engine might be told from the picture
                settings = replace(settings, compute=cast("Compute", made.engines[0]))
        pairs.append(Pair(name, films["A"], films["B"], sides[name]))
    write_vote_page(out, pairs, key)
    (out / _SIDES).unlink()
    return BlindPairs(out / VOTE_PAGE, key, len(pairs))


def _other(song: Path, others: Sequence[Path], place: int) -> Path:
    for step in range(1, len(others) + 1):
        other = others[(place + step) % len(others)]
        if other.resolve() != song.resolve():
            return other
    raise SettingsError(f"{song}: would be swapped with itself: give another song to --ab")


def _names(songs: Sequence[Path]) -> list[str]:
    """A name for each pair; two songs of one name keep their suffix."""
    stems = [song.stem for song in songs]
    return [
        stem if stems.count(stem) == 1 else song.name
        for stem, song in zip(stems, songs, strict=True)
    ]


def _sides(place: Path, names: Sequence[str]) -> dict[str, Side]:
    """Which film of each pair is the real one; kept, so that the same command goes on."""
    try:
        known = json.loads(place.read_bytes())
    except (OSError, ValueError):
        known = None
    if not isinstance(known, dict) or set(known) != set(names):
        known = draw_sides(None, names)
        write_json(place, known)
    return cast("dict[str, Side]", known)
