"""Before any test: which clips are of one work, and does any share a song or pictures?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from soundreel.asking.curves import ClipCurves
from soundreel.dataset.sameness import find_same, groups_of
from soundreel.dataset.split import works


@dataclass(frozen=True)
class Leak:
    """Two clips that share what they must not."""

    first: str
    second: str
    what: str
    shared_seconds: float

    @property
    def line(self) -> str:
        """For a person."""
        seconds = f" for {self.shared_seconds:.0f} s" if self.shared_seconds else ""
        return f"{self.first} and {self.second} have the {self.what}{seconds}"


def groups_from(clips: Sequence[ClipCurves], together: Sequence[str]) -> list[int]:
    """A number for each clip, the same for clips that one pattern of `together` fits."""
    return groups_of(len(clips), works(clips, together))


def leaks(clips: Sequence[ClipCurves], groups: Sequence[int]) -> list[Leak]:
    """Clips that share a song, or a file; or pictures, unless they are of one group.

    A shared song makes a swap that changes nothing, and lets a fit know its test clip; shared
    pictures do the latter where the clips are learnt from and tested on in turn.
    """
    found = find_same([clip.prints for clip in clips], [clip.sha256 for clip in clips])
    return [
        Leak(clips[match.first].id, clips[match.second].id, match.what, match.shared_seconds)
        for match in found
        if match.what != "same pictures" or groups[match.first] != groups[match.second]
    ]
