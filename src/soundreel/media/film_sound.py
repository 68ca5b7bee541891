"""How a film gets its sound: the song's own stream where that can be, else encoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from soundreel.media.film_format import Kind
from soundreel.media.song_copy import CopiedTrack, CopyPlan, copy_plan
from soundreel.media.song_track import Song, SoundTrack, encoded_song

if TYPE_CHECKING:
    from av.container import OutputContainer

#: `auto`: copied where that can be; `encode`: always encoded.
Sound = Literal["auto", "encode"]

_SILENT_KINDS = ("gif", "png")
_ENCODED = {"mp4": "encoded aac", "webm": "encoded opus", "mov": "encoded pcm"}


@dataclass(frozen=True)
class SoundPlan:
    """What a film's sound will be."""

    song: Song | None
    kind: Kind
    copy: CopyPlan | None
    done: str
    """`copied mp3`, `encoded aac`, ...; `none` for a silent film."""
    reason: str
    """Why a song is not copied; empty where it is, or where there is no song."""

    def track(self, container: OutputContainer) -> SoundTrack | None:
        """Add the sound's stream to a container; None for a silent film."""
        if self.song is None:
            return None
        if self.copy is not None:
            return CopiedTrack(container, self.copy)
        return encoded_song(container, self.kind, self.song)


def sound_plan(song: Song | None, kind: Kind, sound: Sound = "auto") -> SoundPlan:
    """Decide how a song gets into a kind of film. Raises: MediaError if it cannot be read."""
    if song is None or kind in _SILENT_KINDS:
        return SoundPlan(None, kind, None, "none", "")
    plan = copy_plan(song, kind) if sound == "auto" else "encoding was asked for"
    if isinstance(plan, CopyPlan):
        return SoundPlan(song, kind, plan, f"copied {plan.codec}", "")
    return SoundPlan(song, kind, None, _ENCODED[kind], plan)
