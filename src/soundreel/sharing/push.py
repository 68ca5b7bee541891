"""A model given to others: its folder, and what lets them judge it, as one commit on the Hub."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soundreel import __version__
from soundreel.errors import ModelError, SharingError
from soundreel.networks.bundle import describe_model
from soundreel.networks.model_folder import resolve_model_folder
from soundreel.progress import Listener, Step, silent
from soundreel.sharing.address import HubAddress, repository_address
from soundreel.sharing.audit import Audit, read_audit
from soundreel.sharing.hub import HiddenError, attempt, hub, own_token, page, quiet
from soundreel.sharing.no_paths import without_paths
from soundreel.sharing.pull import AUDIT, CARD, CONFIG, SHEET, WEIGHTS, Fetching
from soundreel.sharing.shared_card import shared_card

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_REPORT = "audit.html"
_FILMS = {".mp4": "film.mp4", ".webm": "film.webm", ".gif": "film.gif"}
_LARGEST_FILM_BYTES = 100 * 2**20
_LARGEST_ASIDE_BYTES = 2**26


@dataclass(frozen=True)
class Pushed:
    """A model that lies on the Hub.

    address: `hf://owner/name`. page: where a browser shows it. commit: its revision there.
    files: what the repository holds of it. changed: whether anything was new.
    """

    address: str
    page: str
    commit: str
    files: tuple[str, ...]
    changed: bool

    @property
    def summary(self) -> str:
        """A line for a person."""
        said = "pushed" if self.changed else "nothing new to push to"
        return f"{said} {self.address} ({', '.join(self.files)}): {self.page}"


def push(
    run: Path | str,
    name: str,
    *,
    private: bool = False,
    film: Path | None = None,
    audit: Path | None = None,
    sheet: bool = True,
    token: str | None = None,
    progress: Listener = silent,
) -> Pushed:
    """Push a model to the Hub, where `hf://owner/name` then stands for it.

    run: a run folder (its best model, or its model so far) or a model folder.
    name: `owner/name`; the repository is made if it is not there.
    private: only its owner may see it; an existing public repository is then refused.
    film: a short film made with it (.mp4, .webm or .gif, at most 100 MB).
    audit: the report of `soundreel ask DATASET --model RUN`, page or JSON file.
    sheet: whether the run's last sample sheet goes with it; it shows real frames.
    token: with the right to write; by default the one of HF_TOKEN or `hf auth login`.

    The repository then holds what this push names, and of an earlier push nothing else; what has
    not changed is not sent again. All appears at once, as one commit. Only model.safetensors,
    config.json, the card and what is named above leave this machine.

    Raises: ModelError if there is no whole model; SharingError if a film or report does not fit,
    there is no token or it may not write, the repository holds something else or is public
    against `private`, or the Hub cannot be reached.
    """
    place = repository_address(name)
    folder = resolve_model_folder(run)
    weights_sha256 = describe_model(folder).weights_sha256
    _require_whole(folder, weights_sha256)
    report = None if audit is None else read_audit(Path(audit), weights_sha256)
    files = _files(folder, place, film, report, _last_sheet(folder) if sheet else None)
    with quiet():
        token = own_token() if token is None else token
        if not token:
            raise SharingError(
                f"{place}: a push needs a token with the right to write: make one at "
                f"{page('settings/tokens')}, then `hf auth login` or set HF_TOKEN"
            )
        try:
            # As a whole, when something failed: what has arrived by then is known by its hash,
            # and a commit that was made but never confirmed is found to have nothing new.
            return attempt(lambda: _committed(place, files, private, token, progress), str(place))
        except HiddenError as error:
            raise SharingError(
                f"{place}: may not be written with this token: check the owner's name, and that "
                "the token is valid and has the right to write there"
            ) from error


def _files(
    folder: Path, place: HubAddress, film: Path | None, audit: Audit | None, sheet: Path | None
) -> dict[str, Path | bytes]:
    """What to push, by its name there, the largest last."""
    config = json.loads((folder / CONFIG).read_bytes())
    film_name = None if film is None else _film_name(Path(film))
    card = shared_card(
        (folder / CARD).read_text(encoding="utf-8") if (folder / CARD).is_file() else "",
        config,
        str(place),
        f"{page(place.repository)}/resolve/main",
        sheet is not None,
        film_name,
        audit,
    )
    files: dict[str, Path | bytes] = {CARD: card.encode(), CONFIG: _told(folder / CONFIG)}
    if audit is not None:
        files[AUDIT] = _told(audit.numbers_file)
        if audit.report_file is not None:
            files[_REPORT] = audit.report_file
    if sheet is not None:
        files[SHEET] = sheet
    for given in files.values():
        if isinstance(given, Path) and given.stat().st_size > _LARGEST_ASIDE_BYTES:
            raise SharingError(f"{given}: is too large to go with a model: give a smaller one")
    if film is not None and film_name is not None:
        files[film_name] = Path(film)
    return {**files, WEIGHTS: folder / WEIGHTS}


def _committed(
    place: HubAddress,
    files: dict[str, Path | bytes],
    private: bool,
    token: str,
    progress: Listener,
) -> Pushed:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    api, repository = hub(token), place.repository
    api.create_repo(repository, private=private or None, exist_ok=True)
    before = api.model_info(repository, expand=["private", "sha"])
    if private and not before.private:
        raise SharingError(
            f"{place}: is there already and public: push to another name, or make it private on "
            f"{page(f'{repository}/settings')}"
        )
    managed = [CONFIG, WEIGHTS, SHEET, AUDIT, _REPORT, *_FILMS.values()]
    there = {path.path for path in api.get_paths_info(repository, managed, revision=before.sha)}
    if there & {CONFIG, WEIGHTS}:
        _require_ours(place, before.sha or "main", token, CONFIG in there)
    additions = [
        CommitOperationAdd(name, given if isinstance(given, bytes) else str(given))
        for name, given in files.items()
    ]
    _upload(api, repository, additions, progress)
    stale = [CommitOperationDelete(name) for name in managed if name in there - files.keys()]
    commit = api.create_commit(
        repository,
        [*additions, *stale],
        commit_message=f"Push with Soundreel {__version__}",
        parent_commit=before.sha,
    )
    return Pushed(
        str(place), page(repository), commit.oid, tuple(files), changed=commit.oid != before.sha
    )


def _upload(api: HfApi, repository: str, additions: list[Any], progress: Listener) -> None:
    """Send the files one by one, so that `progress` hears of each."""
    total = sum(one.upload_info.size for one in additions) / 1e6
    sent = 0.0
    for one in additions:
        progress(Step("push", sent, total, "MB", one.path_in_repo))
        api.preupload_lfs_files(repository, [one], free_memory=False)
        sent = min(total, sent + one.upload_info.size / 1e6)
    progress(Step("push", total, total, "MB"))


def _require_ours(place: HubAddress, revision: str, token: str, has_config: bool) -> None:
    """Raises: SharingError if a repository holds the files of another program's model."""
    if has_config:
        path = Fetching(place, token).download(CONFIG, revision)
        try:
            config = json.loads(path.read_bytes())
        except ValueError:
            config = None
        if isinstance(config, dict) and config.get("format") == "soundreel-model":
            return
    raise SharingError(
        f"{place}: is there already and holds another program's model: choose another name"
    )


def _require_whole(folder: Path, weights_sha256: str) -> None:
    path = folder / WEIGHTS
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror}): give a whole model"
        ) from error
    if found != weights_sha256:
        raise ModelError(
            f"{path}: is not what {CONFIG} says it is (SHA-256 differs): give a whole model"
        )


def _told(path: Path) -> Path | bytes:
    """A JSON file, or what is sent in its place where it names files or folders here."""
    value = json.loads(path.read_bytes())
    cleaned = without_paths(value)
    if cleaned == value:
        return path
    return (json.dumps(cleaned, indent=2, ensure_ascii=False) + "\n").encode()


def _film_name(film: Path) -> str:
    name = _FILMS.get(film.suffix.lower())
    if name is None:
        raise SharingError(f"{film}: a page shows {', '.join(_FILMS)}: give a film of such a kind")
    if not film.is_file():
        raise SharingError(f"{film}: there is no such film: give one that `soundreel render` made")
    if film.stat().st_size > _LARGEST_FILM_BYTES:
        raise SharingError(
            f"{film}: has {film.stat().st_size / 2**20:.0f} MB, at most "
            f"{_LARGEST_FILM_BYTES // 2**20} fit: render a shorter one with --stop"
        )
    return name


def _last_sheet(folder: Path) -> Path | None:
    """The newest sample sheet of the run that a model folder lies in; or the folder's own."""
    if folder.name.strip(".").removesuffix(".previous") in ("model", "best"):
        sheets = sorted((folder.parent / "samples").glob("*.png"))
        if sheets:
            return sheets[-1]
    return folder / SHEET if (folder / SHEET).is_file() else None
