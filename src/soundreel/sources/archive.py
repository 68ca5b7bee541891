"""What came, from where, into which file: `clips.jsonl` in the folder of clips.

It is the list for people and the memory of `fetch` in one. Each line is one file. While a fetch
runs, lines are appended, each before its file gets its name, so whatever moment a run is killed
in, the next one knows every file. A file that was deleted is not remembered: it is fetched again.
Keys are URLs, since the ids of yt-dlp's generic extractor are base names, and those collide.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from soundreel.atomic import write_text
from soundreel.errors import SourceError, storage_errors

NAME = "clips.jsonl"


@dataclass(frozen=True)
class SourceRow:
    """Where one file came from."""

    file: str
    """Its name in the folder."""
    url: str
    """The link it came from, in the archive's form (see `links.key_of`)."""
    title: str
    uploader: str | None
    licence: str | None
    """What the site's licence field says; None where it has none."""
    date: str | None
    """When it was published: YYYY-MM-DD."""
    seconds: float | None
    fetched_from: str
    """The page or file that it came from in the end, or the path of a local file."""
    site: str | None
    """The name of the site's extractor; None for local files and the generic extractor."""
    id: str | None
    """The site's id of the video; None where `site` is."""

    @property
    def keys(self) -> tuple[str, ...]:
        """By what a later link may find this row."""
        return (self.url,) if self.site is None else (self.url, f"{self.site} {self.id}")


class Archive:
    """The rows of a folder of clips.

    Raises: SourceError if the folder's clips.jsonl is something else; StorageError.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / NAME
        self._rows: dict[str, SourceRow] = {}
        self._by_key: dict[str, SourceRow] = {}
        for row in _read_rows(self._path):
            self._remember(row)

    def find(self, *keys: str) -> SourceRow | None:
        """The row of a link whose file is there."""
        for key in keys:
            row = self._by_key.get(key)
            if row is not None and (self.folder / row.file).is_file():
                return row
        return None

    def name_of(self, key: str) -> str | None:
        """The name that a link's file had, although it may be gone."""
        row = self._by_key.get(key)
        return row.file if row is not None else None

    def row_of(self, file: str) -> SourceRow | None:
        """The row of a file, by its name in the folder."""
        return self._rows.get(file)

    def add(self, row: SourceRow) -> None:
        """Remember a file that is about to get its name; on disk when this returns."""
        line = json.dumps(asdict(row), ensure_ascii=False) + "\n"
        with storage_errors(self._path), self._path.open("a+b") as file:
            # A line that was cut short by a full disk must not swallow the next one.
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    line = "\n" + line
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        self._remember(row)

    def tidy(self, order: Sequence[str]) -> None:
        """Rewrite the list: a row for each file that is there, this command's in its order, last.

        order: the keys of this command's links. The file stays as it is where nothing changes.
        """
        place = {key: number for number, key in enumerate(order)}
        rows = [row for row in self._rows.values() if (self.folder / row.file).is_file()]
        rows.sort(key=lambda row: min((place.get(key, -1) for key in row.keys[:1]), default=-1))
        text = "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows)
        if self._path.exists() and self._path.read_bytes() == text.encode():
            return
        if rows or self._path.exists():
            write_text(self._path, text)

    def _remember(self, row: SourceRow) -> None:
        # A later row for the same link or the same file stands for the earlier one.
        for old in [self._by_key.get(row.url), self._rows.get(row.file)]:
            if old is not None:
                self._rows.pop(old.file, None)
                for key in old.keys:
                    self._by_key.pop(key, None)
        self._rows[row.file] = row
        for key in row.keys:
            self._by_key[key] = row


def _read_rows(path: Path) -> list[SourceRow]:
    """The rows of a list; lines that a killed run left unfinished, or no row at all, are none."""
    with storage_errors(path):
        if not path.exists():
            return []
        lines = path.read_bytes().split(b"\n")
    rows = [row for row in map(_parsed, lines) if row is not None]
    if not rows and any(line.strip() for line in lines[:-1]):
        raise SourceError(
            f"{path}: was not written by fetch: choose another --out, or move it away"
        )
    return rows


def _parsed(line: bytes) -> SourceRow | None:
    try:
        values = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None
    names = {field.name for field in fields(SourceRow)}
    if not isinstance(values, dict) or not isinstance(values.get("file"), str):
        return None
    known = {name: values.get(name) for name in names}
    if not isinstance(known["url"], str) or Path(values["file"]).name != values["file"]:
        return None  # a name that leads out of the folder was not written by us
    return SourceRow(**known)  # pyright: ignore[reportArgumentType] - checked just above
