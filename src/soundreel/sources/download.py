"""What is behind a link, and fetching it to disk.

Names of files, the archive and joining are ours: yt-dlp looks up and downloads, and no more.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soundreel.sources.failures import PASSING, Failed, explain, failure, is_full
from soundreel.sources.formats import Format, choose, in_pieces, sounds_of
from soundreel.sources.links import Link, key_of, link_to
from soundreel.sources.names import plain
from soundreel.sources.session import Log, Manners, yt_dlp_session

_DEEPEST_LIST = 4  # a channel holds tabs, a tab holds playlists, a playlist holds videos
_PLACEHOLDERS = {"[private video]": "private", "[deleted video]": "removed"}

#: Told how many bytes there are of how many (None: not known).
OnBytes = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Item:
    """Something to look up: a link, or an entry of a playlist (then `entry` is yt-dlp's)."""

    link: Link
    title: str | None = None
    entry: Mapping[str, Any] | None = None
    depth: int = 0


@dataclass(frozen=True)
class Video:
    """A video that was found: what its site says of it, and the formats to fetch."""

    title: str
    uploader: str | None
    licence: str | None
    date: str | None
    seconds: float | None
    page: str
    site: str | None
    id: str | None
    chosen: tuple[Format, ...]
    more_sounds: tuple[Format, ...]
    info: Mapping[str, Any] = field(repr=False)

    @property
    def in_pieces(self) -> bool:
        """Whether a part of it comes in segments, which need a new container."""
        return any(in_pieces(one) for one in self.chosen)


@contextmanager
def downloader(manners: Manners) -> Iterator[Downloader]:
    """A `Downloader`; while the block runs, the process connects to allowed addresses only.

    Raises: SourceError if yt-dlp is not installed or the cookies cannot be read.
    """
    log = Log()
    with yt_dlp_session(manners, log) as session:
        yield Downloader(manners, log, session)


class Downloader:
    """Looks up links and fetches what is behind them; made by `downloader`."""

    def __init__(self, manners: Manners, log: Log, session: Any) -> None:
        self._manners = manners
        self._log = log
        self._session = session
        self._on_bytes: OnBytes = lambda done, total: None
        session.add_progress_hook(self._hook)

    def look_up(self, item: Item) -> Video | list[Item]:
        """What is behind a link: a video, or for a playlist or channel its entries.

        What passes by itself is tried again, with longer and longer pauses between.

        Raises: Failed.
        """
        for attempt in range(self._manners.retries + 1):
            self._log.warnings.clear()
            try:
                with self._explained():
                    return self._look_up(item)
            except Failed as failed:
                if failed.failure.kind not in PASSING or attempt == self._manners.retries:
                    raise
            time.sleep(self._manners.wait_seconds(attempt))
        raise AssertionError("the last attempt returns or raises")

    def download(self, video: Video, one: Format, file: Path, on_bytes: OnBytes) -> None:
        """Fetch one format of a video into `file`, going on where an earlier run broke off.

        Raises: Failed; OSError (ENOSPC) if the disk is full.
        """
        if in_pieces(one):
            # yt-dlp notes a segment as done after it has appended it: killed between the two, it
            # would append it again. The segments themselves are kept: they are put together anew.
            for stale in (f"{file.name}.part", f"{file.name}.ytdl"):
                file.with_name(stale).unlink(missing_ok=True)
        self._on_bytes = on_bytes
        with self._explained():
            info = {**video.info, **one}
            done, _ = self._session.dl(str(file), info)
            if not done or not file.is_file():
                raise Failed(failure("network", "the download ended early"))

    def _look_up(self, item: Item) -> Video | list[Item]:
        if item.entry is None:
            info = self._session.extract_info(item.link.url, download=False)
        else:
            info = self._session.process_ie_result(dict(item.entry), download=False)
        if not info:
            raise Failed(failure("unsupported"))
        if info.get("_type") in ("playlist", "multi_video"):
            if item.depth >= _DEEPEST_LIST:
                raise Failed(failure("unsupported", "playlists within playlists without end"))
            return [_item(entry, info, item) for entry in info.get("entries") or [] if entry]
        return _video(info, item)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Whatever yt-dlp raises becomes a `Failed` that says it in one line."""
        try:
            yield
        except Failed:
            raise
        except Exception as error:
            if is_full(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise Failed(explain(error, self._log.warnings)) from error

    def _hook(self, status: Mapping[str, Any]) -> None:
        total = status.get("total_bytes") or status.get("total_bytes_estimate")
        done = status.get("downloaded_bytes") or 0
        self._on_bytes(int(done), int(total) if total else None)


def _item(entry: Mapping[str, Any], listed: Mapping[str, Any], within: Item) -> Item:
    """An entry of a playlist as an item of its own, with a key of its own."""
    page = str(entry.get("url") if entry.get("_type", "video") != "video" else "")
    page = page or str(entry.get("webpage_url") or within.link.url or "")
    link = link_to(page)
    if link.wrong is not None:  # an id that only its own extractor understands
        link = Link(f"{entry.get('ie_key')}:{page}", f"{within.link.shown} ({page})", url=page)
    own_page = entry.get("_type", "video") != "video" or (
        key_of(page) not in (within.link.key, key_of(str(listed.get("webpage_url") or page)))
    )
    if not own_page:  # one of several videos on a page
        link = Link(f"{link.key}#{entry.get('id')}", link.shown, url=link.url)
    title = plain(str(entry.get("title") or "")) or None
    return Item(link, title, entry, within.depth + 1)


def _video(info: Mapping[str, Any], item: Item) -> Video:
    if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming"):
        raise Failed(failure("live"))
    formats = info.get("formats") or [info]
    chosen = choose(formats)
    if not chosen:
        raise Failed(failure("no picture" if sounds_of(formats) else "unsupported"))
    generic = info.get("extractor_key") in (None, "Generic", "HTML5MediaEmbed")
    day = str(info.get("upload_date") or info.get("release_date") or "")
    title = plain(str(info.get("title") or "")) or item.title or "clip"
    return Video(
        title=title,
        uploader=_words(info.get("uploader") or info.get("channel") or info.get("creator")),
        licence=_words(info.get("license")),
        date=f"{day[:4]}-{day[4:6]}-{day[6:]}" if re.fullmatch(r"\d{8}", day) else None,
        seconds=float(info["duration"]) if info.get("duration") else None,
        page=str(info.get("webpage_url") or item.link.url),
        site=None if generic else str(info["extractor_key"]),
        id=None if generic else str(info.get("id")),
        chosen=tuple(chosen),
        more_sounds=tuple(sounds_of(formats)) if len(chosen) == 1 else (),
        info={key: value for key, value in info.items() if key not in ("formats", "entries")},
    )


def placeholder(title: str | None) -> str | None:
    """The kind of failure that a playlist's title says: "[Private video]" and the like."""
    return _PLACEHOLDERS.get((title or "").strip().lower())


def _words(value: Any) -> str | None:
    return plain(str(value)) or None if value else None
