"""A model taken from the Hub: only files of known names, whole, and the weights that they name.

Nothing else of a repository is listed or fetched, however it calls its files: no pickle, no
script, nothing that would land elsewhere. The files lie in the Hub client's own cache
(`HF_HUB_CACHE`), a folder for each commit; each is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soundreel.errors import ModelError, SharingError
from soundreel.networks.bundle import describe_model
from soundreel.progress import Listener, Step, silent
from soundreel.sharing.address import HubAddress, hub_address, is_hub_address
from soundreel.sharing.hub import (
    HiddenError,
    HubUnreachableError,
    attempt,
    cache_folder,
    endpoint,
    hub,
    own_token,
    quiet,
)

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
SHEET, AUDIT = "sheet.png", "audit.json"
#: What goes with a model and is fetched where it is there, up to a size in bytes.
_ASIDE = {CARD: 2**20, SHEET: 2**26, AUDIT: 2**24}
_LARGEST_CONFIG_BYTES = 2**24
_COMMIT = re.compile(r"[0-9a-f]{40}")


def local_model(
    place: Path | str, progress: Listener = silent, *, token: str | None = None
) -> Path | str:
    """The place of a model on this machine: a Hub address is pulled, all else is as it was."""
    return pull(str(place), progress, token=token) if is_hub_address(place) else place


def pull(address: str, progress: Listener = silent, *, token: str | None = None) -> Path:
    """The folder of a model from the Hub, in the Hub client's cache.

    address: `hf://owner/name`, or `hf://owner/name@revision` (a branch, tag or commit).
    token: what to ask with. Without one the Hub is asked without, and nobody learns who asks;
      only where it does not show the model, with the token that is set or logged in with here
      (HF_TOKEN, `hf auth login`).

    What is there already is not fetched again. Where the Hub cannot be reached, a copy that was
    pulled before is taken, and `progress` hears of it.

    Raises: SharingError if the address is malformed, there is no such model or revision, it may
    not be seen, or the Hub cannot be reached and no copy is here; ModelError if the repository
    holds no Soundreel model, one of a newer version, or weights other than its config names.
    """
    place = hub_address(address)
    with quiet():
        try:
            return _seen(place, token, progress)
        except HubUnreachableError as error:
            folder = _cached(place, place.revision or "main")
            if folder is None:
                raise
            why = str(error).removeprefix(f"{place}: ").partition(":")[0]
            note = f"{why}: taking the copy of {folder.name[:8]} that is here"
            progress(Step("pull", 1, 1, "models", note))
            return folder


def _seen(place: HubAddress, token: str | None, progress: Listener) -> Path:
    """The newest model, as whoever it is shown to."""
    if token is not None:
        return Fetching(place, token, progress).newest()
    try:
        return Fetching(place, False, progress).newest()
    except HiddenError:
        own = own_token()
        if own is None:
            raise
        return Fetching(place, own, progress).newest()


@dataclass(frozen=True)
class Fetching:
    """Files of a repository on the Hub, asked for with a token (False: with none)."""

    place: HubAddress
    token: str | bool
    progress: Listener = silent

    def download(self, name: str, revision: str, anew: bool = False) -> Path:
        """A file of a revision, in the cache. Raises: SharingError; StorageError."""
        from huggingface_hub import hf_hub_download

        found = attempt(
            lambda: hf_hub_download(
                self.place.repository,
                name,
                revision=revision,
                token=self.token,
                endpoint=endpoint(),
                cache_dir=cache_folder(),
                force_download=anew,
                tqdm_class=_heard_by(self.progress, name),
                library_name="soundreel",
            ),
            str(self.place),
        )
        return Path(found)

    def newest(self) -> Path:
        """The model that the address stands for now. Raises: as `pull`."""
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.errors import EntryNotFoundError

        revision = self.place.revision or "main"
        url = hf_hub_url(self.place.repository, CONFIG, revision=revision, endpoint=endpoint())

        def look() -> Any:
            try:
                return get_hf_file_metadata(url, token=self.token, endpoint=endpoint())
            except EntryNotFoundError:
                return None

        config = attempt(look, str(self.place), broken_too=False)
        if config is None:
            raise ModelError(
                f"{self.place}: holds no Soundreel model (no {CONFIG}): give another address"
            )
        commit = config.commit_hash or ""
        if not _COMMIT.fullmatch(commit):
            raise SharingError(f"{self.place}: no Hub answers at {url}: check HF_ENDPOINT")
        if (config.size or 0) > _LARGEST_CONFIG_BYTES:
            raise ModelError(
                f"{self.place}: holds no Soundreel model ({CONFIG} has {config.size:,} bytes): "
                "give another address"
            )
        folder = _cached(self.place, commit)
        if folder is None or not _intact(folder, describe_model(folder).weights_sha256):
            folder = self._commit(commit)
        if _cached(self.place, revision) != folder:
            # Asked for by the revision's name, the client remembers which commit that is.
            self.download(CONFIG, revision)
        return folder

    def _commit(self, commit: str) -> Path:
        """The files of a commit, the weights last: where they are, all are."""
        folder = self.download(CONFIG, commit).parent
        try:
            described = describe_model(folder)
        except ModelError as error:
            said = str(error).removeprefix(f"{folder / CONFIG}: ").removeprefix(f"{folder}: ")
            raise ModelError(f"{self.place}: {said}") from error
        names = [*_ASIDE, WEIGHTS]
        api, repository = hub(self.token), self.place.repository
        paths = attempt(
            lambda: api.get_paths_info(repository, names, revision=commit), str(self.place)
        )
        bytes_of = {path.path: getattr(path, "size", None) for path in paths}
        if bytes_of.get(WEIGHTS) is None:
            raise ModelError(
                f"{self.place}: has no {WEIGHTS}: its owner has to push it with `soundreel push`"
            )
        for name, most in _ASIDE.items():
            size = bytes_of.get(name)
            if size is not None and size <= most:
                self.download(name, commit)
        for anew in (False, True):
            weights = self.download(WEIGHTS, commit, anew)
            if _intact(folder, described.weights_sha256):
                return folder
        weights.unlink()
        raise ModelError(
            f"{self.place}: {WEIGHTS} is not what {CONFIG} says it is (SHA-256 differs): its "
            "owner has to push it again"
        )


def _cached(place: HubAddress, revision: str) -> Path | None:
    """The folder of a model that was pulled before, if all of it is here."""
    from huggingface_hub import try_to_load_from_cache

    found = [
        try_to_load_from_cache(place.repository, name, cache_folder(), revision)
        for name in (CONFIG, WEIGHTS)
    ]
    paths = [Path(one) for one in found if isinstance(one, str)]
    return paths[0].parent if len(paths) == len(found) else None


def _heard_by(progress: Listener, name: str) -> Any:
    """A progress bar as the client wants one, which draws nothing and tells `progress`."""
    from huggingface_hub.utils import tqdm

    class Heard(tqdm):
        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **{**named, "disable": True})
            self._bytes, self._of = int(named.get("initial") or 0), named.get("total")

        def update(self, n: float | None = 1) -> None:
            self._bytes += int(n or 0)
            of = None if self._of is None else self._of / 1e6
            progress(Step(f"pull {name}", round(self._bytes / 1e6, 2), of, "MB"))

    return Heard


def _intact(folder: Path, weights_sha256: str) -> bool:
    with (folder / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == weights_sha256
