"""Blind pairs: two films of one song, one page to vote on, and a key that stays shut until then.

The picture of one film was made from the song that is heard, that of the other from another song.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import jinja2

from soundreel.atomic import write_text
from soundreel.errors import SettingsError, storage_errors
from soundreel.evidence.proportion import CANNOT_TELL, KEY_FORMAT, SIDES, VOTES_FORMAT
from soundreel.media.probe import probe
from soundreel.seeding import numpy_generator_for

Side = Literal["A", "B"]

#: The page's name in its folder.
VOTE_PAGE = "vote.html"
# Kinds of film that have the song's sound and that browsers play.
_PLAYED = (".mp4", ".webm")


@dataclass(frozen=True)
class Pair:
    """Two films with the same song.

    name: what the page calls the pair, such as the song's title; no other pair has it.
    film_a, film_b: files in the page's folder (or below it).
    real_is: whose picture was made from the song that is heard.
    """

    name: str
    film_a: Path
    film_b: Path
    real_is: Side


def draw_sides(seed: int | None, names: Sequence[str]) -> dict[str, Side]:
    """For each pair whether its real film is A or B: a fair coin for each, by its name.

    seed: the same seed gives the same sides, so that who knows it (or guesses 0) knows them.
      None: nobody can know them.
    """
    if seed is None:
        return {name: secrets.choice(("A", "B")) for name in names}
    return {
        name: "A" if numpy_generator_for(seed, f"side of {name}").integers(2) else "B"
        for name in names
    }


def film_names(name: str, suffix: str = ".mp4") -> dict[Side, str]:
    """File names for a pair's films, which tell nothing but the pair and A or B.

    Different names give different files, also where not all of a name can be in a file's.
    """
    plain = "".join(c if c.isalnum() or c in " -_.,()" else "-" for c in name)
    stem = " ".join(plain.split()).lstrip(".")[:80]
    if stem != name:
        stem = f"{stem} {hashlib.sha256(name.encode()).hexdigest()[:6]}".strip()
    return {"A": f"{stem} A{suffix}", "B": f"{stem} B{suffix}"}


def write_vote_page(
    folder: Path, pairs: Sequence[Pair], key: Path, *, nonce: str | None = None
) -> None:
    """Write `vote.html` into the folder of the films, and the key to its own file.

    The page plays the films from their files, keeps the votes of any number of people in the
    browser, saves and reads them as JSON, and opens no connection. It does not know which films
    are real. It shows the SHA-256 of the key file (`sha256sum` gives the same): the key cannot be
    changed after the votes, and since it holds a nonce it cannot be guessed from the hash. When a
    person gives it the key it counts the votes, as `evidence.proportion.tally` does.

    All films get one date, since the order in which they were made may tell which are real. What
    else a film tells, its metadata above all, is the caller's to keep the same for both.

    nonce: by default drawn by the system; only tests need the same one twice.

    Raises: SettingsError if a film is of a kind that browsers do not play with sound; MediaError
    if it cannot be read; ValueError if there is no pair, two have one name, a film lies elsewhere,
    or the two of a pair differ in size or length; StorageError.
    """
    names = [pair.name for pair in pairs]
    if not pairs or len(set(names)) < len(names):
        raise ValueError(f"pairs {names}: at least one, each with a name of its own, is needed")
    shown = [
        {
            "name": pair.name,
            "films": {"A": _place(pair.film_a, folder), "B": _place(pair.film_b, folder)},
            "shape": _shape(pair),
        }
        for pair in pairs
    ]
    content = {
        "format": KEY_FORMAT,
        "about": "for each pair the film whose picture was made from the song that is heard",
        "nonce": nonce or secrets.token_hex(32),
        "sides": {pair.name: pair.real_is for pair in pairs},
    }
    key_text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    key_sha256 = hashlib.sha256(key_text.encode()).hexdigest()
    page = _page(shown, key.name, key_sha256)
    films = [film for pair in pairs for film in (pair.film_a, pair.film_b)]
    newest = max(film.stat().st_mtime_ns for film in films)
    write_text(key, key_text)
    write_text(folder / VOTE_PAGE, page)
    with storage_errors(folder):
        for film in films:
            os.utime(film, ns=(newest, newest))


def _place(film: Path, folder: Path) -> str:
    """A film's address as the page writes it, seen from its folder."""
    if film.suffix.lower() not in _PLAYED:
        raise SettingsError(
            f"{film}: a vote page plays films with sound: give a name that ends in "
            f"{' or '.join(_PLAYED)}"
        )
    # A name such as "a:b.mp4" must not be taken for an address of another kind.
    return quote(film.resolve().relative_to(folder.resolve()).as_posix())


def _shape(pair: Pair) -> str:
    """Width / height of a pair's films, which must not tell them apart."""
    shapes = []
    for film in (pair.film_a, pair.film_b):
        info = probe(film)
        if info.video is None or info.audio is None:
            raise ValueError(f"{film}: has no picture or no sound")
        shapes.append((info.video.width, info.video.height, info.duration_seconds))
    if shapes[0] != shapes[1]:
        raise ValueError(f"{pair.name}: two films of {shapes[0]} and {shapes[1]} tell themselves")
    width, height, _ = shapes[0]
    return f"{width / height:.4f}"


def _page(pairs: Sequence[Mapping[str, Any]], key_name: str, key_sha256: str) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("soundreel", "rendering"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    ours = files("soundreel.rendering")
    # The hash below is of these bytes: what stands between the script's tags, line ends included.
    script = "\n" + "".join(
        ours.joinpath(name).read_text(encoding="utf-8") for name in ("vote_numbers.js", "vote.js")
    )
    digest = hashlib.sha256(script.encode()).digest()
    return environment.get_template("vote.html.j2").render(
        style=ours.joinpath("vote.css").read_text(encoding="utf-8"),
        script=script,
        script_hash=base64.b64encode(digest).decode("ascii"),
        pairs=pairs,
        choices=[*SIDES, CANNOT_TELL],
        key_name=key_name,
        key_sha256=key_sha256,
        votes_format=VOTES_FORMAT,
        key_format=KEY_FORMAT,
    )
