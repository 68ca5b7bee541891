"""Where a folder of the Hub client's cache came from: its own name, a commit, tells nobody."""

from __future__ import annotations

from pathlib import Path

from soundreel.sharing.address import HubAddress

_PARTS = ("models", "snapshots")  # models--owner--name/snapshots/<commit>, as the client keeps it


def pulled_from(folder: Path) -> HubAddress | None:
    """The address that a folder of the Hub client's cache was pulled from; None for another."""
    kind, *names = folder.absolute().parent.parent.name.split("--")
    if (kind, folder.absolute().parent.name) != _PARTS or len(names) != 2:
        return None
    return HubAddress(*names)
