"""What a film is as a file: its kind, codec, size, rate, quality and speed, all in one value."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from soundreel.errors import SettingsError

Kind = Literal["mp4", "webm", "mov", "gif", "png"]
Codec = Literal["h264", "h265", "vp9", "prores", "gif", "png"]
Speed = Literal["normal", "draft"]

_KINDS: dict[str, Kind] = {
    ".mp4": "mp4",
    ".webm": "webm",
    ".mov": "mov",
    ".gif": "gif",
    ".png": "png",
    "": "png",
}
_CODECS: dict[Kind, tuple[Codec, ...]] = {  # the first one is what is taken where none is named
    "mp4": ("h264", "h265"),
    "webm": ("vp9",),
    "mov": ("prores",),
    "gif": ("gif",),
    "png": ("png",),
}
_SUFFIXES = ".mp4, .webm, .gif, .mov, or a folder (a name without a suffix, or ending in .png)"
#: Best (0) to worst, and what is visually lossless, of the codecs that have a quality to choose.
_CRF_RANGES = {"h264": (51, 18), "h265": (51, 20), "vp9": (63, 28)}
_MAX_SIDE = 8192
_LARGEST_TERM = 2**31 - 1  # FFmpeg's fractions are of 32 bits


@dataclass(frozen=True)
class FilmFormat:
    """Everything that says how pictures become a file; `film_format` makes it and checks it.

    Parts of films can be joined where their formats are equal.
    """

    kind: Kind
    codec: Codec
    width: int
    height: int
    fps: Fraction
    crf: int | None
    """Quality: 0 is best; None where the codec has none to choose."""
    speed: Speed
    """`draft` encodes 2 to 9 times faster into a larger or coarser file; not so GIF and PNG."""


def film_format(
    out: Path,
    width: int,
    height: int,
    fps: Fraction,
    codec: str | None = None,
    crf: int | None = None,
    draft: bool = False,
) -> FilmFormat:
    """The format of a film called `out`.

    out: the suffix says the kind: .mp4 (H.264; or H.265, marked so that Apple's players take it),
        .webm (VP9), .mov (ProRes 422 HQ, for editing), .gif, or, without a suffix or with .png, a
        folder of PNGs.
    width, height: in pixels, 1 to 8192; even for .mp4, .webm and .mov.
    fps: frames a second, 0.1 to 1000. A GIF shows no more than 50 a second.
    codec: `h264` or `h265` for .mp4; elsewhere only the kind's own.
    crf: quality of H.264 and H.265 (0 best, 51 worst) and VP9 (0 to 63); None: visually lossless.

    Raises: SettingsError for what cannot be written so.
    """
    suffix = out.suffix.lower()
    if suffix not in _KINDS:
        raise SettingsError(f"{out}: films are written as {_SUFFIXES}")
    kind = _KINDS[suffix]
    if not (1 <= width <= _MAX_SIDE and 1 <= height <= _MAX_SIDE):
        raise SettingsError(f"{out}: {width} x {height}: each side must be 1 to {_MAX_SIDE}")
    if kind in ("mp4", "webm", "mov") and (width % 2 or height % 2):
        raise SettingsError(
            f"{out}: {width} x {height}: {suffix} films need an even width and height: "
            f"try {width + width % 2} x {height + height % 2}"
        )
    if not Fraction(1, 10) <= fps <= 1000:
        raise SettingsError(f"{out}: {fps} frames a second: give 0.1 to 1000")
    if max(fps.numerator, fps.denominator) > _LARGEST_TERM:
        raise SettingsError(f"{out}: {fps} frames a second: give a simpler one, such as 30000/1001")
    chosen = _codec(out, kind, codec)
    return FilmFormat(
        kind, chosen, width, height, fps, _crf(out, chosen, crf), "draft" if draft else "normal"
    )


def _codec(out: Path, kind: Kind, codec: str | None) -> Codec:
    choices = _CODECS[kind]
    if codec is None:
        return choices[0]
    for choice in choices:
        if choice == codec:
            return choice
    words = " or ".join(choices)
    raise SettingsError(f"{out}: codec {codec!r} is not one of this kind of film: choose {words}")


def _crf(out: Path, codec: Codec, crf: int | None) -> int | None:
    if codec not in _CRF_RANGES:
        if crf is not None:
            raise SettingsError(
                f"{out}: crf {crf}: only .mp4 and .webm films have one: leave it out"
            )
        return None
    worst, usual = _CRF_RANGES[codec]
    if crf is None:
        return usual
    if not 0 <= crf <= worst:
        raise SettingsError(f"{out}: crf {crf}: give 0 (best) to 51 (.webm: 63)")
    return crf
