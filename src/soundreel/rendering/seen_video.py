"""What a video, or a still picture, shows a picture-to-sound model: its frames, fitted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from soundreel.dataset.letterbox import ANALYSIS_WIDTH, NO_BARS, letterbox
from soundreel.errors import MediaError, SettingsError
from soundreel.media.composed_film import PictureTrack, picture_track
from soundreel.media.fitting import floor_index
from soundreel.media.probe import MediaInfo, probe
from soundreel.media.video import Fit, frames_at, key_frames
from soundreel.recipe import Recipe
from soundreel.timeline import clock, frame_time

#: How long a still picture is heard where nobody says.
STILL_SECONDS = Fraction(10)
#: A video is read in stretches of so many frames, so that the lists of times do not grow with it.
_STRETCH_FRAMES = 36_000
_STILL_FPS = Fraction(25)
_STILL_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")


@dataclass(frozen=True)
class SeenVideo:
    """A span of a video as it is seen.

    track: its pictures as packets; None for a picture file. still_HW3: of a still picture, the
    whole picture as it is. fit: how a frame is made. size: width and height as shown, even.
    """

    path: Path
    title: str
    fit: Fit
    size: tuple[int, int]
    fps: Fraction
    start_seconds: Fraction
    seconds: Fraction
    track: PictureTrack | None
    still_HW3: np.ndarray | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is all of a video, from its first picture to its last."""
        return (
            self.still_HW3 is None
            and self.track is not None
            and self.start_seconds == 0
            and self.seconds == self.track.seconds
        )

    def frames(
        self, fps: Fraction, first: int, stop: int, fit: Fit | None = None
    ) -> Iterator[np.ndarray]:
        """The frames first to stop (exclusive), `fps` a second: H x W x 3 uint8.

        fit: None: its own. Where the video is damaged, or over, the last good picture stays.
        Memory does not grow with the video.

        Raises: MediaError if nothing of it can be decoded.
        """
        fit = fit or self.fit
        if self.still_HW3 is not None:
            yield from repeat(fitted(self.still_HW3, fit), stop - first)
            return
        last_HW3: np.ndarray | None = None
        n = first
        for begin in range(first, stop, _STRETCH_FRAMES):
            end = min(stop, begin + _STRETCH_FRAMES)
            times = [self.start_seconds + frame_time(k, fps) for k in range(begin, end)]
            try:
                for k, frame_HW3 in frames_at(self.path, times, fit):
                    while n < begin + k:  # lost, not over: there is a picture after it
                        yield frame_HW3 if last_HW3 is None else last_HW3
                        n += 1
                    last_HW3 = frame_HW3
                    yield frame_HW3
                    n += 1
            except MediaError:
                if last_HW3 is None:
                    raise
        if last_HW3 is None:
            raise MediaError(f"{self.path}: has no pictures that can be decoded: leave it out")
        yield from repeat(last_HW3, stop - n)


def seen_video(
    path: Path, recipe: Recipe, start_seconds: Fraction, stop_seconds: Fraction | None
) -> SeenVideo:
    """A video from start to stop (None, or past its end: to its end), seen as the recipe says.

    Black bars are cut off, the shape is cropped and the size made as those of a dataset's frames.
    A still picture, or a video of a single one, lasts until stop, 10 seconds by default.

    Raises: MediaError if it cannot be read or has no pictures; SettingsError if nothing is left.
    """
    still_HW3 = _picture_file(path)
    track, title = None, path.stem
    if still_HW3 is None:
        info = probe(path)
        if info.video is None:
            raise MediaError(f"{path}: has no pictures: give a video, or a still picture")
        track = picture_track(path)
        width, height, title = info.video.width, info.video.height, info.title or path.stem
        if track.count == 1:
            shown = Fit(height, width, "lanczos")
            still_HW3 = next((one for _, one in frames_at(path, [Fraction(0)], shown)), None)
        fit = _fit_of(recipe, _bars(path, info, recipe) if still_HW3 is None else NO_BARS)
    else:
        height, width = still_HW3.shape[:2]
        fit = _fit_of(recipe, NO_BARS)
    if still_HW3 is not None or track is None:
        stop = start_seconds + STILL_SECONDS if stop_seconds is None else stop_seconds
        lasts = f"is a still picture, heard from 0:00 to {clock(stop)}"
    else:
        stop = track.seconds if stop_seconds is None else min(stop_seconds, track.seconds)
        lasts = f"lasts {clock(track.seconds)}"
    if start_seconds >= stop:
        raise SettingsError(
            f"{path}: {lasts}, nothing is left between --start {clock(start_seconds)} and --stop "
            f"{clock(stop)}: choose another span"
        )
    size = (max(2, width - width % 2), max(2, height - height % 2))
    fps = _STILL_FPS if still_HW3 is not None or track is None else track.fps
    return SeenVideo(
        path, title, fit, size, fps, start_seconds, stop - start_seconds, track, still_HW3
    )


def fitted(picture_HW3: np.ndarray, fit: Fit) -> np.ndarray:
    """A picture as `fit` says, without its bars: H x W x 3 uint8."""
    height, width = picture_HW3.shape[:2]
    if fit.aspect is not None:
        wide, high = min(width, round(height * fit.aspect)), min(height, round(width / fit.aspect))
        left, top = (width - wide) // 2, (height - high) // 2
        picture_HW3 = picture_HW3[top : top + max(1, high), left : left + max(1, wide)]
    if fit.method == "floor-index":
        return floor_index(picture_HW3, fit.height, fit.width)
    # As `media.fitting`: areas are averaged where a side shrinks, and enlarged smoothly.
    smaller = picture_HW3.shape[0] >= fit.height and picture_HW3.shape[1] >= fit.width
    method = Image.Resampling.BOX if smaller else Image.Resampling.BILINEAR
    resized = Image.fromarray(picture_HW3).resize((fit.width, fit.height), method)
    return np.asarray(resized)


def _fit_of(
    recipe: Recipe,
    bars: tuple[Fraction | float, Fraction | float, Fraction | float, Fraction | float],
) -> Fit:
    aspect = recipe.picture_aspect if isinstance(recipe.picture_aspect, Fraction) else None
    return Fit(recipe.picture_size, recipe.picture_size, recipe.resize, aspect, bars)


def _bars(
    path: Path, info: MediaInfo, recipe: Recipe
) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """The black bars that are cut off, where the recipe cuts them off."""
    if recipe.selection.letterbox == "keep":
        return NO_BARS
    height = max(1, round(ANALYSIS_WIDTH / info.display_aspect))
    return letterbox(key_frames(path, Fit(min(height, 4 * ANALYSIS_WIDTH), ANALYSIS_WIDTH)))


def _picture_file(path: Path) -> np.ndarray | None:
    """The picture of a picture file, H x W x 3 uint8, upright; None if it is no such file."""
    try:
        with Image.open(path) as image:
            if image.format not in _STILL_FORMATS or getattr(image, "n_frames", 1) > 1:
                return None
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError as error:
        raise MediaError(f"{path}: is too large to read: make it smaller") from error
    except (OSError, ValueError, SyntaxError) as error:
        if path.is_file() and path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"):
            raise MediaError(f"{path}: cannot be read as a picture: save it anew") from error
        return None  # whoever opens it as a video says what is wrong
