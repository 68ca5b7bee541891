"""A film that can be watched while it is made: parts are added to it as they are finished."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
from av.container import OutputContainer

from soundreel.errors import SettingsError, storage_errors
from soundreel.media.copied_pictures import CopiedPictures
from soundreel.media.encoding import container_options
from soundreel.media.film_format import FilmFormat
from soundreel.media.film_sound import SoundTrack, sound_plan
from soundreel.media.song_track import Song
from soundreel.media.storage import encoder_errors

# Fragments follow one another, each with its own index; the first names no length. A fragment ends
# after a second, not at the next key frame: when a part has been added, all of it is there but for
# less than two seconds.
_FRAGMENTED = {
    "movflags": "+empty_moov+delay_moov+default_base_moof",
    "frag_duration": "1000000",
    "flush_packets": "1",
}
_LIVE_WEBM = {"live": "1", "cluster_time_limit": "1000", "flush_packets": "1"}


class GrowingFilm:
    """A film in a file that players can open and play, as far as it has come, at any time.

    path: it is there from the first part on, and is written over if it was there before. MP4 and
        MOV are fragmented, WebM is written as for a live stream. It has the film's sound.
    film_format: as of the parts. GIFs and folders cannot grow.

    It is for watching only: `join_parts` writes the film itself, which starts faster and has its
    length and index in front. After an interruption, add the parts that are there once more.

    Raises: SettingsError for a GIF or a folder; MediaError for the song; StorageError.
    """

    def __init__(self, path: Path, film_format: FilmFormat, song: Song | None = None) -> None:
        if film_format.kind in ("gif", "png"):
            raise SettingsError(
                f"{path}: a film can be watched while it grows if it is .mp4, .webm or .mov"
            )
        self.path = path
        self._format = film_format
        self._plan = sound_plan(song, film_format.kind)
        self._container: OutputContainer | None = None
        self._pictures: CopiedPictures | None = None
        self._track: SoundTrack | None = None

    @property
    def seconds(self) -> Fraction:
        """How far the film has come."""
        return Fraction(0) if self._pictures is None else self._pictures.count / self._format.fps

    def add(self, part: Path) -> None:
        """Append the next part, in the film's order, with what is heard in its time.

        Raises: MediaError if the part is damaged; StorageError if the disk is full.
        """
        with storage_errors(self.path), encoder_errors(self.path):
            pictures = self._pictures or self._begin(part)
            for time_seconds in pictures.add(part):
                if self._track is not None:
                    self._track.write_until(time_seconds)

    def _begin(self, part: Path) -> CopiedPictures:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        kind = self._format.kind
        options = container_options(kind, self._format.fps, sound=self._plan.song is not None)
        options |= _LIVE_WEBM if kind == "webm" else _FRAGMENTED
        self._container = av.open(str(self.path), "w", format=kind, options=options)
        self._pictures = CopiedPictures(self._container, self._format, part)
        self._track = self._plan.track(self._container)
        return self._pictures

    def close(self) -> None:
        """End the film where it is, the sound too; the file stays. May be called twice."""
        with storage_errors(self.path), encoder_errors(self.path):
            container, self._container = self._container, None
            track, self._track = self._track, None
            if container is not None:
                with container:
                    if track is not None:
                        track.close()

    def discard(self) -> None:
        """Remove the file."""
        try:
            self.close()
        finally:
            with storage_errors(self.path):
                self.path.unlink(missing_ok=True)

    def __enter__(self) -> GrowingFilm:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
