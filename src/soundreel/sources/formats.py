"""Which of a video's formats to fetch: one with picture and sound, or one of each.

Only formats that yt-dlp fetches by itself, over the guarded connections: no ffmpeg program, no
RTMP, nothing encrypted. What is fetched in two files is joined by `soundreel.media.joining`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Format = Mapping[str, Any]

#: Protocols whose downloaders are written in Python and use yt-dlp's own connections.
_PROTOCOLS = {"http", "https", "m3u8", "m3u8_native", "http_dash_segments"}
#: Those that come in pieces: their files need a new container to be quick to seek in.
_IN_PIECES = {"m3u8", "m3u8_native", "http_dash_segments"}


def sort_order(height: int) -> list[str]:
    """yt-dlp's `format_sort`: the best up to `height`, else the smallest above it.

    `res` is the smaller side, so an upright film of 480 x 854 counts as 480 like a wide one. H.264
    and AAC come before newer codecs: every player shows them, and they decode in less time.
    """
    return [f"res:{height}", "vcodec:h264", "acodec:aac"]


def choose(formats: Sequence[Format]) -> list[Format]:
    """The formats to fetch, of a list sorted from worst to best: one, or picture and sound.

    A picture whose sound is not known to be missing stands alone. Empty if there is no picture
    that can be fetched.
    """
    usable = [one for one in formats if _is_usable(one)]
    films = [one for one in usable if one.get("vcodec") != "none"]
    if not films:
        return []
    film = films[-1]
    if film.get("acodec") != "none":
        return [film]
    same_size = [one for one in films if one.get("acodec") != "none" and _size(one) == _size(film)]
    if same_size:
        return [same_size[-1]]
    sounds = sounds_of(usable)
    if sounds:
        return [film, sounds[-1]]
    with_sound = [one for one in films if one.get("acodec") != "none"]
    return with_sound[-1:] or [film]


def sounds_of(formats: Sequence[Format]) -> list[Format]:
    """The formats of a list that are sound alone, worst to best."""
    return [
        one
        for one in formats
        if _is_usable(one) and one.get("vcodec") == "none" and one.get("acodec") != "none"
    ]


def in_pieces(one: Format) -> bool:
    """Whether a format is fetched in segments (HLS, DASH)."""
    return one.get("protocol") in _IN_PIECES


def _is_usable(one: Format) -> bool:
    return (
        one.get("protocol") in _PROTOCOLS
        and not one.get("has_drm")
        and not (one.get("vcodec") == "none" and one.get("acodec") == "none")
    )


def _size(one: Format) -> tuple[Any, Any]:
    return one.get("width"), one.get("height")
