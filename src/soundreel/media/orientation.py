"""How a stored picture is turned and mirrored to be shown (the display matrix)."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


@dataclass(frozen=True)
class Orientation:
    """First mirrored left to right if `mirrored`, then turned clockwise by `degrees`."""

    degrees: int = 0
    """0, 90, 180 or 270."""
    mirrored: bool = False

    @property
    def transposed(self) -> bool:
        """Whether width and height change places."""
        return self.degrees in (90, 270)

    def apply(self, picture_HW3: np.ndarray) -> np.ndarray:
        """The picture as it is to be shown (a view)."""
        if self.mirrored:
            picture_HW3 = picture_HW3[:, ::-1]
        return np.rot90(picture_HW3, -(self.degrees // 90)) if self.degrees else picture_HW3


def orientation_of(frame: VideoFrame) -> Orientation:
    """A frame's orientation, its angle rounded to a quarter turn as players do.

    Source: FFmpeg, libavutil/display.h. Of the nine numbers the first two rows hold
    [a b u; c d v]: a stored point (x, y) is shown at (a x + c y, b x + d y), y downwards.
    """
    side_data = frame.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return Orientation()
    a, b, _, c, d = struct.unpack("=5i", bytes(side_data)[:20])
    determinant = a * d - b * c
    if determinant == 0:
        return Orientation()
    mirrored = determinant < 0
    if mirrored:  # undo the mirror (x -> -x, before the turn), so that a turn is left
        a, b = -a, -b
    # A turn clockwise by t (y downwards) shows (1, 0) at (cos t, sin t).
    degrees = round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360
    return Orientation(degrees, mirrored)
