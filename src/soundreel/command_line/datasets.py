"""The verbs that make datasets: fetch, prepare, inspect; and export, which hands them on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from soundreel.command_line.arguments import Config, bytes_a_second, fault_names, read_settings
from soundreel.command_line.results import Json, plain, result
from soundreel.errors import SettingsError
from soundreel.progress import TerminalProgress


def fetch(
    *links: str,
    out: Path,
    height: int = 480,
    limit: int | None = None,
    cookies: Path | None = None,
    cookies_from_browser: str | None = None,
    rate: str | None = None,
    allow_private: bool = False,
    as_json: Json = False,
) -> int:
    """Fetch videos: addresses, playlists, text files of links, local folders.

    The same command again brings only what is not there yet.

    Parameters
    ----------
    links
        Addresses of videos, playlists or channels, text files with one link a line, or folders.
    out
        The folder for the videos and for clips.jsonl, which says where each came from.
    height
        The highest picture to take, in rows of pixels.
    limit
        At most so many videos.
    cookies
        A cookies.txt file, for what only you may see.
    cookies_from_browser
        A browser to take the cookies of, such as firefox.
    rate
        At most so many bytes a second, such as 500K or 2M.
    allow_private
        Also fetch from this machine and the local network.

    """
    from soundreel.sources.fetch import fetch as run

    if not links:
        raise SettingsError("fetch: name at least one link, text file of links or folder")
    made = run(
        links,
        out,
        height=height,
        limit=limit,
        cookies=cookies,
        cookies_from_browser=cookies_from_browser,
        rate_limit_bytes=None if rate is None else bytes_a_second(rate),
        allow_private=allow_private,
        progress=TerminalProgress(),
    )
    result(as_json, made.table(), **plain(made))
    return 0 if made.came_or_there else 1


def prepare(
    *clips: str,
    out: str,
    recipe: str | None = None,
    start: str | None = None,
    stop: str | None = None,
    every: str | None = None,
    only: Literal["people", "solo", "artist"] | None = None,
    artist: Path | None = None,
    leave_out: str | None = None,
    letterbox: Literal["crop", "keep"] | None = None,
    together: Sequence[str] = (),
    look: Annotated[Path | None, Parameter(name="--inspect")] = None,
    workers: int | None = None,
    engine: Literal["local", "ray"] = "local",
    config: Config = None,
    as_json: Json = False,
) -> int:
    """Make a dataset of pairs (sound image, frame) from video files.

    Parameters
    ----------
    clips
        Video files, folders of them, a folder of side-by-side pairs or of shards; also s3://...
    out
        The dataset folder to make; at an address (s3://...), shards are written.
    recipe
        default, mel, paper or paper-waveform (of side-by-side pairs: what they were made with).
    start
        Where in each clip to begin: seconds or 1:30.
    stop
        Where to end: seconds, 1:30, or "end" for each clip's own end.
    every
        Seconds from one frame to the next, such as 0.2 or 1/30, or "frame" for every picture.
    only
        Only pictures with people, with exactly one face (solo), or with the artist.
    artist
        A folder of photos of the artist.
    leave_out
        Moments to leave out, of: black, frozen, silence, speech, title, near-duplicate; or "none".
    letterbox
        Black bars over the whole clip: crop or keep.
    together
        A pattern of clip names of one work, such as "bbb_*", never to be split; may be repeated.
    look
        A page (.html) or contact sheet (.png) of the dataset to make at once, as `inspect` does.
    workers
        How many processes decode at once; by default, one a core.
    engine
        local processes here, or an existing ray cluster.

    """
    from soundreel.dataset.build import prepare as run
    from soundreel.dataset.describing import outcome_table
    from soundreel.dataset.listing import other_files
    from soundreel.dataset.remote import prepare_shards
    from soundreel.parallel import available_cores
    from soundreel.places import is_remote
    from soundreel.recipe import Recipe, Selection, recipe_from

    settings = read_settings(config, recipe=Recipe, selection=Selection)
    changes, chosen = settings["recipe"], settings["selection"]
    for key, text in (("start", start), ("stop", stop), ("every", every)):
        if text is not None:
            changes[f"{key}_seconds"] = None if (key, text) == ("stop", "end") else text
    if together:
        changes["together"] = tuple(together)
    if leave_out is not None:
        chosen["leave_out"] = fault_names(leave_out)
    wanted = {"only": only, "letterbox": letterbox, "artist_photos": artist and str(artist)}
    chosen |= {key: value for key, value in wanted.items() if value is not None}
    if look is not None and is_remote(out):
        raise SettingsError(f"--inspect {look}: {out} is not a folder here that can be looked at")
    if not clips:
        raise SettingsError("prepare: name at least one video file or folder of videos")
    asked = recipe is not None or changes or chosen
    made = (prepare_shards if is_remote(out) else run)(
        clips,
        out,
        recipe_from(recipe or "default", selection=chosen, **changes) if asked else None,
        workers=available_cores() if workers is None else workers,
        engine=engine,
        progress=TerminalProgress(),
    )
    used = [row for row in made.rows if row.split is not None]
    pairs = sum(row.pairs for row in used)
    print(outcome_table(made.rows), file=sys.stderr if as_json else sys.stdout)
    others = other_files(clips)
    if others:
        named = ", ".join(others[:5]) + (" ..." if len(others) > 5 else "")
        print(f"not looked at, no media by their names: {named}", file=sys.stderr)
    if look is not None:
        from soundreel.dataset.inspection.gallery import inspect as show

        show(Path(out), look, progress=TerminalProgress())
    return result(
        as_json,
        f"{out}: {pairs} pairs from {len(used)} clips, {len(made.rows) - len(used)} left out",
        dataset=out,
        pairs=pairs,
        clips=[row.model_dump(mode="json") for row in made.rows],
    )


def inspect(
    dataset: Path,
    *,
    out: Path | None = None,
    drop: Sequence[str] = (),
    columns: int = 8,
    as_json: Json = False,
) -> int:
    """Look at a dataset, and leave out of it what does not belong.

    Parameters
    ----------
    dataset
        A dataset folder.
    out
        What to write: .html for a page with everything in it, .png for a contact sheet.
    drop
        Delete first: a clip (ID), a frame (ID:12), a range (ID:12-40) or several (ID:1,5,9-20),
        by the numbers that frames' names begin with; may be repeated.
    columns
        How many moments of each clip to show.

    """
    from soundreel.dataset.inspection.gallery import inspect as run

    made = run(dataset, out, drop=drop, columns=columns, progress=TerminalProgress())
    return result(as_json, made.summary, **plain(made))


def export(
    place: str, *, to: Literal["pairs", "shards", "onnx"], out: Path, as_json: Json = False
) -> int:
    """Export a dataset for other programs or for training on a cluster; or a model.

    Parameters
    ----------
    place
        A dataset folder; for onnx a model folder, a run folder or hf://owner/name.
    to
        Of a dataset, pairs: side-by-side pictures, as the well-known pix2pix codes read them; or
        shards: WebDataset tar files. Of a model, onnx: its generator, as ONNX Runtime runs it.
    out
        The folder to make; for onnx the file, such as model.onnx.

    """
    from soundreel.sharing.export import export as run

    made = run(place, to, out, progress=TerminalProgress())
    return result(as_json, made.summary, **plain(made))
