"""A folder of songs becomes a folder of films; what cannot be filmed is left out and listed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soundreel.atomic import write_text
from soundreel.errors import MediaError, SettingsError
from soundreel.networks.bundle import Model, describe_model
from soundreel.progress import Listener, Step, silent
from soundreel.rendering.film import Film, file_sha256, songs_in
from soundreel.rendering.movie import AnyModel, model_here, render
from soundreel.rendering.shoot import identified
from soundreel.rendering.shot_list import read_shot_list

#: What was made of which song, in the folder of films: the same command makes only what is new.
_LISTING = "films.jsonl"
#: Wishes that change how a film is made, but not the film.
_SAME_FILM = ("workers", "engine", "watch")


@dataclass(frozen=True)
class LeftOut:
    """A song that was left out, and why, in one line."""

    song: Path
    why: str


@dataclass(frozen=True)
class Films:
    """What became of a folder of songs."""

    films: tuple[Film, ...]
    there: tuple[Path, ...]
    """Films that an earlier call had made."""
    left_out: tuple[LeftOut, ...]

    def table(self) -> str:
        """A line a film for people, and one for each song that was left out."""
        lines = [f"{film.path}: {film.frames} frames" for film in self.films]
        lines += [f"{path}: was there" for path in self.there]
        lines += [f"left out: {one.why}" for one in self.left_out]
        return "\n".join(lines)


def render_songs(
    model: AnyModel,
    songs: Path,
    out: Path,
    *,
    kind: str = "mp4",
    progress: Listener = silent,
    **wishes: Any,
) -> Films:
    """Render every song of a folder, each to a film of its own in the folder `out`.

    kind: the films' suffix. wishes: what else `render` takes, the same for each song.

    A song that cannot be read is left out and listed; the others go on. Songs whose films an
    earlier call with the same model and wishes has made are not made again.

    Raises: as `render`, for what concerns all songs.
    """
    found = songs_in(songs)
    model = model_here(model, progress)
    wishes["others"] = [model_here(one, progress) for one in wishes.get("others", ())]
    films: list[Film] = []
    there: list[Path] = []
    left_out: list[LeftOut] = []
    listing = out / _LISTING
    known = _read(listing)
    names: set[str] = set()
    for number, song in enumerate(found):
        progress(Step("songs", number, len(found), "songs", song.name))
        # song.mp3 and song.wav are two songs.
        name = song.stem if song.stem not in names else song.name.replace(".", "-")
        names.add(name)
        film = out / f"{name}.{kind}"
        identity = _identity(model, song, wishes)
        if film.exists() and known.get(film.name) == identity:
            there.append(film)
            continue
        try:
            films.append(render(model, song, film, progress=progress, **wishes))
        except (MediaError, SettingsError) as error:
            # What is wrong with the wishes is wrong with all songs.
            if isinstance(error, SettingsError) and str(song) not in str(error):
                raise
            left_out.append(LeftOut(song, str(error)))
            continue
        known[film.name] = identity
        rows = [{"film": one, "identity": known[one]} for one in sorted(known)]
        write_text(listing, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    progress(Step("songs", len(found), len(found), "songs"))
    return Films(tuple(films), tuple(there), tuple(left_out))


def _read(listing: Path) -> dict[str, str]:
    try:
        rows = [json.loads(line) for line in listing.read_text(encoding="utf-8").splitlines()]
        return {str(row["film"]): str(row["identity"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # then the films are made again


def _identity(model: AnyModel, song: Path, wishes: dict[str, Any]) -> str:
    """What decides the film of a song, as a hash."""

    def weights(one: AnyModel) -> Any:
        return identified(one) if isinstance(one, Model) else describe_model(one).weights_sha256

    told = {key: one for key, one in wishes.items() if key not in _SAME_FILM}
    told["others"] = [weights(one) for one in told.get("others", ())]
    if isinstance(told.get("shots"), Path):
        told["shots"] = read_shot_list(told["shots"])
    if told.get("shots") is not None:
        told["shots"] = told["shots"].model_dump(mode="json")
    what = [file_sha256(song), weights(model), {key: identified(one) for key, one in told.items()}]
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()
