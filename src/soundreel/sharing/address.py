"""Where a model lies on the Hub: `hf://owner/name`, and `@revision` for one that is not newest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from soundreel.errors import SharingError

_SCHEME = re.compile(r"hf:/{1,2}(?!/)")  # a `Path` of an address has lost one of its slashes
_PART = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?", re.ASCII)
_REVISION = re.compile(r"(?!.*(\.\.|//))\w(?:[\w./-]{0,198}\w)?", re.ASCII)


@dataclass(frozen=True)
class HubAddress:
    """A model on the Hub.

    revision: a branch, a tag or a commit; None for the newest of the main branch.
    """

    owner: str
    name: str
    revision: str | None = None

    @property
    def repository(self) -> str:
        """The Hub's own name for it, `owner/name`."""
        return f"{self.owner}/{self.name}"

    def __str__(self) -> str:
        return f"hf://{self.repository}" + (f"@{self.revision}" if self.revision else "")


def is_hub_address(place: Path | str) -> bool:
    """Whether a person means a model on the Hub (`hf://...`), and not a folder here."""
    return _SCHEME.match(str(place)) is not None


def hub_address(place: Path | str) -> HubAddress:
    """The parts of `hf://owner/name` or `hf://owner/name@revision`.

    Raises: SharingError if it is not of that form, or no name that the Hub would take.
    """
    repository, at, revision = _SCHEME.sub("", str(place), count=1).partition("@")
    owner, _, name = repository.partition("/")
    well_formed = (
        is_hub_address(place)
        and _PART.fullmatch(owner)
        and _PART.fullmatch(name)
        and (not at or _REVISION.fullmatch(revision))
    )
    if not well_formed:
        raise SharingError(
            f"{place}: not the address of a model: write hf://owner/name, or "
            "hf://owner/name@revision for an older one"
        )
    return HubAddress(owner, name, revision or None)


def repository_address(name: str) -> HubAddress:
    """The address to push to, of `owner/name` or `hf://owner/name`.

    Raises: SharingError if it is neither, or names a revision.
    """
    address = hub_address(name if is_hub_address(name) else f"hf://{name}")
    if address.revision is not None:
        raise SharingError(f"{name}: a push makes a new revision: leave @{address.revision} out")
    return address
