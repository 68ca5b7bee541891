"""`fetch`: from links, lists, playlists and folders to a folder of clips."""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from soundreel.atomic import discard
from soundreel.errors import MediaError, SettingsError, SourceError, storage_errors
from soundreel.media.probe import MediaInfo
from soundreel.progress import Listener, Step, silent
from soundreel.sources.archive import NAME, Archive, SourceRow
from soundreel.sources.download import Downloader, Item, Video, downloader, placeholder
from soundreel.sources.failures import PASSING, Failed, Failure, explain, failure
from soundreel.sources.formats import Format
from soundreel.sources.links import read_links, without_credentials
from soundreel.sources.names import safe_stem, unique_name
from soundreel.sources.outcome import Fetched, Outcome
from soundreel.sources.partial import (
    checked,
    file_name,
    forget_others,
    partial_of,
    seconds_of,
    whole_of,
    working_in,
)
from soundreel.sources.session import Manners


def fetch(
    links: Sequence[str | Path] | str | Path,
    out: Path,
    *,
    height: int = 480,
    limit: int | None = None,
    retries: int = 5,
    cookies: Path | None = None,
    cookies_from_browser: str | None = None,
    rate_limit_bytes: int | None = None,
    pause_seconds: float = 1.0,
    allow_private: bool = False,
    progress: Listener = silent,
) -> Fetched:
    """Bring videos into a folder of clips, one file each, with `clips.jsonl` beside them.

    links: http(s) links to videos, playlists and channels; text files of links (one a line; # is a
        remark); media files and folders of them (linked or copied into `out`).
    height: the best picture up to this many lines (the smaller side of upright ones); where there
        are only larger ones, the smallest of them.
    limit: no more than so many items, playlists' entries counted.
    retries: how often a failing connection is tried again, with twice the pause each time.
    cookies: a file of cookies in Netscape format. cookies_from_browser: "firefox", "chrome", or
        "firefox:PROFILE".
    rate_limit_bytes: bytes a second. pause_seconds: between requests to a site.
    allow_private: contact addresses of this computer and of private networks, too.

    Whatever fails is one row of the result, and the others go on. The same call again fetches
    only what is not there yet, and goes on in the middle of a file. On an interrupt (Ctrl-C) what
    has come is kept and listed. For a link `watch?v=...&list=...` the one video comes.

    Raises: SourceError if there is nothing to fetch, the cookies cannot be read, or another fetch
    is working in `out`; SettingsError for a number out of range; StorageError if the disk is full.
    """
    _check_at_least(1, height=height, limit=limit, rate_limit_bytes=rate_limit_bytes)
    _check_at_least(0, retries=retries, pause_seconds=pause_seconds)
    places = [links] if isinstance(links, str | Path) else links
    items = deque(Item(link) for link in read_links(places))
    if not items:
        raise SourceError("there is nothing to fetch: give links, a text file of links or a folder")
    manners = Manners(
        height=height,
        retries=retries,
        pause_seconds=pause_seconds,
        rate_limit_bytes=rate_limit_bytes,
        cookies=cookies,
        cookies_from_browser=cookies_from_browser,
        allow_private=allow_private,
        longest_list=limit,
    )
    out = Path(out)
    with storage_errors(out), working_in(out):
        archive = Archive(out)
        order: list[str] = []
        try:
            with ExitStack() as stack:
                work = _Fetch(out, archive, manners, progress, stack)
                outcomes = tuple(work.run(items, limit, order))
        finally:
            archive.tidy(order)
    return Fetched(out, outcomes)


@dataclass
class _Fetch:
    """One call of `fetch` at work."""

    out: Path
    archive: Archive
    manners: Manners
    progress: Listener
    stack: ExitStack
    opened: Downloader | None = None
    number: int = 0
    total: int = 0

    def run(self, items: deque[Item], limit: int | None, order: list[str]) -> Iterator[Outcome]:
        """An outcome for each item, a playlist's entries in its place; fills `order` with keys."""
        seen = {item.link.key for item in items}
        while items and (limit is None or self.number < limit):
            item = items.popleft()
            self.number += 1
            self.total = self.number + len(items)
            if limit is not None:
                self.total = min(self.total, limit)
            try:
                done = self._one(item)
            except Failed as failed:
                done = _failed(item, failed.failure)
            if isinstance(done, list):
                self.number -= 1
                new = {one.link.key: one for one in done if one.link.key not in seen}
                seen |= set(new)
                items.extendleft(reversed(new.values()))
                if not done:
                    self.number += 1
                    yield _failed(item, failure("unsupported", "the playlist is empty"))
                continue
            outcome, row = done if isinstance(done, tuple) else (done, None)
            if row is not None:
                order.append(row.url)
            title = outcome.title or outcome.link
            self.progress(Step("fetch", self.number, self.total, "clips", title))
            yield outcome

    def _one(self, item: Item) -> tuple[Outcome, SourceRow] | Outcome | list[Item]:
        link = item.link
        if link.wrong is not None:
            return _failed(item, Failure("no link", link.wrong))
        if link.path is not None:
            return self._local(item, link.path)
        row = self.archive.find(link.key)
        if row is not None:
            return self._there(item, row)
        kind = placeholder(item.title)
        if kind is not None:
            raise Failed(failure(kind))
        if self.opened is None:
            self.opened = self.stack.enter_context(downloader(self.manners))
        found = self.opened.look_up(item)
        if isinstance(found, list):
            return found
        row = self.archive.find(f"{found.site} {found.id}") if found.site else None
        if row is not None:
            return self._there(item, row)
        return self._remote(item, found, self.opened)

    def _there(self, item: Item, row: SourceRow) -> tuple[Outcome, SourceRow]:
        discard(partial_of(self.out, item.link.key))
        file = self.out / row.file
        return Outcome(item.link.shown, "there already", file, title=row.title), row

    def _remote(self, item: Item, video: Video, session: Downloader) -> tuple[Outcome, SourceRow]:
        folder = partial_of(self.out, item.link.key)
        task = f"fetch {self.number}/{self.total} {video.title}"
        files: list[Path] = []
        before = 0

        def on_bytes(done: int, total: int | None) -> None:
            whole = None if total is None else (before + total) / 1e6
            self.progress(Step(task, round((before + done) / 1e6, 1), whole, "MB"))

        def download(one: Format, role: str) -> Path:
            nonlocal before
            file = folder / file_name(one, role)
            session.download(video, one, file, on_bytes)
            before += file.stat().st_size
            return file

        forget_others(folder, video)
        for one, role in zip(video.chosen, ("picture", "sound"), strict=False):
            files.append(download(one, role))
        try:
            whole = whole_of(files, video.in_pieces, folder)
            info = checked(whole)
            if info.audio is None and video.more_sounds and len(files) == 1:
                files.append(download(video.more_sounds[-1], "sound"))
                whole = whole_of(files, pieces=True, folder=folder)
                info = checked(whole)
        except (MediaError, Failed) as error:
            why = error.failure if isinstance(error, Failed) else explain(error)
            if why.kind not in PASSING:
                discard(folder)  # it came whole and is useless: going on with it would not help
            raise Failed(why) from error
        row = SourceRow(
            file=self._name(item, video.title, whole.suffix.lower()),
            url=item.link.key,
            title=video.title,
            uploader=video.uploader,
            licence=video.licence,
            date=video.date,
            seconds=seconds_of(info) or video.seconds,
            fetched_from=without_credentials(video.page),
            site=video.site,
            id=video.id,
        )
        return self._keep(item, whole, row, info)

    def _local(self, item: Item, path: Path) -> tuple[Outcome, SourceRow]:
        row = self.archive.find(item.link.key)
        if row is not None and (self.out / row.file).stat().st_size == path.stat().st_size:
            return self._there(item, row)
        try:
            info = checked(path)
        except MediaError as error:
            raise Failed(explain(error)) from error
        title = path.stem
        inside = path.resolve().parent == self.out.resolve()
        row = SourceRow(
            file=path.name if inside else self._name(item, title, path.suffix.lower()),
            url=item.link.key,
            title=title,
            uploader=None,
            licence=None,
            date=None,
            seconds=seconds_of(info),
            fetched_from=str(path),
            site=None,
            id=None,
        )
        if inside:
            known = self.archive.row_of(path.name)
            if known is None:
                self.archive.add(row)
            return self._there(item, known or row)
        folder = partial_of(self.out, item.link.key)
        folder.mkdir(parents=True, exist_ok=True)
        copy = folder / f"copy{path.suffix.lower()}"
        copy.unlink(missing_ok=True)
        try:
            os.link(path, copy)
        except OSError:  # another disk, or one that knows no links
            shutil.copyfile(path, copy)
        return self._keep(item, copy, row, info)

    def _keep(
        self, item: Item, whole: Path, row: SourceRow, info: MediaInfo
    ) -> tuple[Outcome, SourceRow]:
        """Give a finished file its name. The archive knows it before it is there: see there."""
        self.archive.add(row)
        file = self.out / row.file
        whole.replace(file)
        discard(partial_of(self.out, item.link.key))
        line = "it has no sound: prepare will leave it out" if info.audio is None else None
        return Outcome(item.link.shown, "came", file, line=line, title=row.title), row

    def _name(self, item: Item, title: str, suffix: str) -> str:
        """A name that no file has; the one that this link's file had before, if it is free."""
        taken = {path.name for path in self.out.iterdir()} - {NAME}
        stem = safe_stem(title)
        before = self.archive.name_of(item.link.key)
        is_free = before not in taken or self.archive.find(item.link.key) is not None
        if before is not None and is_free and Path(before).suffix == suffix:
            return before
        return unique_name(stem, suffix, taken)


def _failed(item: Item, why: Failure) -> Outcome:
    return Outcome(item.link.shown, "failed", None, why.kind, why.line, item.title)


def _check_at_least(least: float, **numbers: float | None) -> None:
    for name, value in numbers.items():
        if value is not None and not value >= least:
            raise SettingsError(f"{name} = {value}: give at least {least:g}")
