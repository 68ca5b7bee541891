"""Parts of a film become the film: packets are copied, and the song and the cover are added."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream
from PIL import Image

from soundreel.atomic import atomic_file
from soundreel.errors import MediaError
from soundreel.media.copied_pictures import CopiedPictures
from soundreel.media.encoding import container_options
from soundreel.media.film_format import FilmFormat
from soundreel.media.film_sound import Sound, SoundPlan, sound_plan
from soundreel.media.gif import write_gif
from soundreel.media.picture_folder import atomic_folder, link_pictures, picture_name
from soundreel.media.song_track import Song
from soundreel.media.storage import encoder_errors
from soundreel.progress import Listener, Step, silent

if TYPE_CHECKING:
    from av.container import OutputContainer

_COVER_QUALITY = 92


@dataclass(frozen=True)
class JoinedFilm:
    """What `join_parts` made."""

    path: Path
    frames: int
    sound: str
    """How the sound got there: `copied mp3`, `encoded aac`, ..., or `none`."""
    sound_reason: str
    """Why it was not copied; empty where it was, or where there is none."""


def join_parts(
    out: Path,
    film_format: FilmFormat,
    parts: Sequence[Path],
    frames: int,
    song: Song | None = None,
    metadata: Mapping[str, str] | None = None,
    cover: np.ndarray | None = None,
    progress: Listener = silent,
    sound: Sound = "auto",
) -> JoinedFilm:
    """Write the film of some parts; it appears under its name only when it is whole.

    out: a name of the format's kind. parts: in the film's order, of one format; they stay.
    frames: how many pictures all of them hold together.
    song: the sound, its first sample at film time 0. GIFs and folders are silent.
    metadata: words for the file: title, artist, comment, date. GIFs and folders take none.
    cover: a picture (height x width x 3, uint8 RGB) that file managers and music players show for
        the film; only MP4 has a place for it that they look at.
    sound: `auto` copies the song's stream where `song_copy` finds that it can; `encode` does not.

    Nothing but the sound is encoded (and a GIF, which needs the colours of all its pictures). The
    first picture is at time 0 and each one lasts 1 / fps; decoders show the pictures of the parts
    one by one. The same parts and song give the same bytes, and memory does not grow with either.

    Raises: MediaError for the song, or for parts that are damaged, of another film, or too few;
    SettingsError if a folder of that name is there; StorageError if the disk is full.
    """
    assert parts, f"{out}: a film needs a part"
    plan = sound_plan(song, film_format.kind, sound)
    if film_format.kind == "png":
        found = _join_folders(out, parts, frames, progress)
    else:
        with atomic_file(out) as partial, encoder_errors(out):
            if film_format.kind == "gif":
                found = write_gif(partial, parts, film_format.fps, progress)
            else:
                found = _join_encoded(
                    partial, film_format, parts, frames, plan, metadata or {}, cover, progress
                )
            _check_count(out, found, frames)
    return JoinedFilm(out, found, plan.done, plan.reason)


def _check_count(out: Path, found: int, frames: int) -> None:
    if found != frames:
        raise MediaError(
            f"{out}: its parts hold {found} pictures of {frames}: "
            "remove them and give the same command again"
        )


def _join_encoded(
    partial: Path,
    film_format: FilmFormat,
    parts: Sequence[Path],
    frames: int,
    plan: SoundPlan,
    metadata: Mapping[str, str],
    cover: np.ndarray | None,
    progress: Listener,
) -> int:
    kind, fps = film_format.kind, film_format.fps
    options = container_options(kind, fps, sound=plan.song is not None)
    with av.open(str(partial), "w", format=kind, options=options) as container:
        container.metadata.update(metadata)
        pictures = CopiedPictures(container, film_format, parts[0])
        track = plan.track(container)
        if cover is not None and kind == "mp4":
            _add_cover(container, cover)
        for part in parts:
            for time_seconds in pictures.add(part):
                if track is not None:
                    track.write_until(time_seconds)
            progress(Step("join", pictures.count, frames, "frames"))
        if track is not None:
            track.finish()
        return pictures.count


def _add_cover(container: OutputContainer, cover_HW3: np.ndarray) -> None:
    """Add a picture that is the film's cover, not a part of it."""
    height, width = cover_HW3.shape[:2]
    data = io.BytesIO()
    Image.fromarray(cover_HW3).save(data, "jpeg", quality=_COVER_QUALITY, optimize=True)
    stream = container.add_stream("mjpeg", rate=1)
    assert isinstance(stream, VideoStream)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
    stream.codec_context.time_base = Fraction(1)
    stream.disposition = Disposition.attached_pic
    packet = Packet(data.getvalue())
    packet.stream, packet.time_base = stream, Fraction(1)
    packet.pts = packet.dts = 0
    packet.is_keyframe = True
    container.mux(packet)


def _join_folders(out: Path, parts: Sequence[Path], frames: int, progress: Listener) -> int:
    pictures = [picture for part in parts for picture in sorted(part.iterdir())]
    _check_count(out, len(pictures), frames)
    if any(picture.name != picture_name(frame) for frame, picture in enumerate(pictures)):
        raise MediaError(
            f"{out}: its parts are not numbered from 0 to {frames - 1}: "
            "remove them and give the same command again"
        )
    with atomic_folder(out) as partial:
        link_pictures(pictures, partial)
        progress(Step("join", frames, frames, "frames"))
    return len(pictures)
