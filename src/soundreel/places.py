"""Places: a file or folder here (`clips/a.mp4`) or in a store (`s3://bucket/clips/a.mp4`).

Stores are reached through fsspec, with credentials and endpoint from the environment as each
store's own tools take them (for S3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL,
~/.aws). An object of a store appears whole or not at all, as `atomic` has it for files here.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soundreel.atomic import atomic_file, discard
from soundreel.errors import SettingsError, StorageError, storage_errors

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)

#: What the stores' packages raise besides OSError when a store stands in the way.
_STORE_PACKAGES = {"aiobotocore", "botocore", "aiohttp", "gcsfs", "google", "adlfs", "azure"}


@dataclass(frozen=True, order=True)
class Place:
    """A file or folder; `scheme` is empty for those here. Made by `place_from`."""

    scheme: str
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}" if self.scheme else self.path

    def __truediv__(self, name: str) -> Place:
        if not self.scheme:
            return Place("", str(Path(self.path) / name))
        return Place(self.scheme, f"{self.path.rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        """The last part of the path, such as `a.mp4`."""
        return self.path.rstrip("/").rsplit("/", 1)[-1] if self.scheme else Path(self.path).name


def is_remote(place: str | Path | Place) -> bool:
    """Whether a place lies in a store and not on this machine's disk."""
    return bool(place_from(place).scheme)


def place_from(text: str | Path | Place) -> Place:
    """A place from how a person writes it: a path, a `file://` address, or a store's address.

    Raises: SettingsError for a web link, or an address with a password in it.
    """
    if isinstance(text, Place):
        return text
    match = _SCHEME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return Place("", str(text))
    scheme, path = match[1].lower(), match[2]
    if scheme == "file":
        return Place("", path)
    if "@" in path.split("/", 1)[0]:
        raise SettingsError(
            f"{scheme}://...@{path.split('@', 1)[1]}: has a user or password in it, which would be "
            "written into what is made: give them in the environment instead"
        )
    if scheme in ("http", "https"):
        raise SettingsError(f"{text}: is a link, not a place: get it first with `soundreel fetch`")
    return Place(scheme, path)


def list_files(place: Place) -> list[Place]:
    """The files directly in a folder, by name; of a file, itself.

    Raises: StorageError if nothing is there, or the store cannot be reached.
    """
    if not place.scheme:
        folder = Path(place.path)
        with storage_errors(folder):
            if folder.is_file():
                return [place]
            if not folder.is_dir():
                raise _nothing_there(place)
            return sorted(place / path.name for path in folder.iterdir() if path.is_file())
    with _store(place) as (store, path):
        found = store.ls(path, detail=True)
        if [info["name"].strip("/") for info in found if info["type"] == "file"] == [
            path.strip("/")
        ]:
            return [place]
        # A name that ends in "/" is how S3's console marks an empty folder.
        names = [
            info["name"]
            for info in found
            if info["type"] == "file" and not info["name"].endswith("/")
        ]
    return sorted(place / name.rsplit("/", 1)[-1] for name in names)


def exists(place: Place) -> bool:
    """Whether a file or folder is there.

    Raises: StorageError if the store cannot be reached, or may not be asked.
    """
    if not place.scheme:
        return Path(place.path).exists()
    with _store(place) as (store, path):
        try:
            store.info(path)
        except FileNotFoundError:
            return False
        return True


def size(place: Place) -> int:
    """A file's size in bytes.

    Raises: StorageError if it is not there.
    """
    if not place.scheme:
        path = Path(place.path)
        if not path.is_file():
            raise _nothing_there(place)
        return path.stat().st_size
    with _store(place) as (store, path):
        return _bytes_there(store, path)


def local_copy(place: Place, folder: Path) -> Path:
    """The file on this machine: fetched into `folder` under its name, whole or not at all.

    A file that is here already stays where it is: its own path comes back.

    Raises: StorageError if it is not there, cannot be fetched, or the disk is full.
    """
    if not place.scheme:
        if not Path(place.path).is_file():
            raise _nothing_there(place)
        return Path(place.path)
    if place.name in ("", ".", ".."):
        raise StorageError(f"{place}: is no file: name one, or a folder of them")
    target = folder / place.name
    with _store(place) as (store, path), atomic_file(target) as partial:
        whole = _bytes_there(store, path)
        store.get_file(path, str(partial))
        if partial.stat().st_size != whole:
            raise StorageError(
                f"{place}: came only in part ({partial.stat().st_size} of {whole} bytes): "
                "give the same command again"
            )
    return target


def put_file(source: Path, place: Place) -> None:
    """Copy a local file to a place, over what is there.

    Raises: StorageError if the file is not there, or the place cannot be written.
    """
    if not source.is_file():
        raise _nothing_there(place_from(source))
    if not place.scheme:
        with atomic_file(Path(place.path)) as partial:
            shutil.copyfile(source, partial)
        return
    with _store(place) as (store, path):
        store.put_file(str(source), path)


def read_bytes(place: Place) -> bytes:
    """A file's content.

    Raises: StorageError if it is not there.
    """
    if not place.scheme:
        path = Path(place.path)
        if not path.is_file():
            raise _nothing_there(place)
        with storage_errors(path):
            return path.read_bytes()
    with _store(place) as (store, path):
        return store.cat_file(path)


def write_bytes(place: Place, content: bytes) -> None:
    """Write a file whole or not at all, over what is there.

    Raises: StorageError if the place cannot be written.
    """
    if not place.scheme:
        with atomic_file(Path(place.path)) as partial:
            partial.write_bytes(content)
        return
    with _store(place) as (store, path):
        store.pipe_file(path, content)


def remove_folder(place: Place) -> None:
    """Remove a folder and all in it, if it is there.

    Raises: StorageError if the place cannot be written.
    """
    if not place.scheme:
        discard(Path(place.path))
        return
    with _store(place) as (store, path):
        if store.exists(path):
            store.rm(path, recursive=True)


def _bytes_there(store: Any, path: str) -> int:
    info = store.info(path)
    if info["type"] != "file":
        raise FileNotFoundError(path)
    return info["size"]


@contextmanager
def _store(place: Place) -> Iterator[tuple[Any, str]]:
    """The store of a place, and the place's path in it; its errors become ours.

    Listings are not kept: other machines write there at the same time.
    """
    import fsspec

    try:
        store_class = fsspec.get_filesystem_class(place.scheme)
    except ValueError as error:
        raise SettingsError(
            f"{place}: {place.scheme}:// is not known: a place is a path, or s3://, gs:// or the "
            "like"
        ) from error
    except ImportError as error:
        if place.scheme not in ("s3", "s3a"):
            raise SettingsError(f"{place}: {error}") from error  # fsspec names the package
        raise SettingsError(
            f'{place}: s3fs is not installed: pip install "soundreel[cluster]"'
        ) from error
    try:
        yield store_class(use_listings_cache=False), place.path
    except FileNotFoundError as error:
        raise _nothing_there(place) from error
    except Exception as error:
        package = type(error).__module__.split(".")[0]
        if not isinstance(error, OSError) and package not in _STORE_PACKAGES:
            raise  # ours already, or a bug
        raise StorageError(f"{place}: {_advice(error)}") from error


def _advice(error: Exception) -> str:
    kind = type(error).__name__
    if isinstance(error, PermissionError) or "Credential" in kind:
        return "no permission: check the store's credentials in the environment"
    if isinstance(error, TimeoutError | ConnectionError) or "Connect" in kind or "Timeout" in kind:
        return "the store does not answer: check the network and the endpoint (AWS_ENDPOINT_URL)"
    return f"the store refused: {error}"


def _nothing_there(place: Place) -> StorageError:
    bucket = ", and the bucket's" if place.scheme else ""
    return StorageError(f"{place}: nothing is there: check the name{bucket}")
