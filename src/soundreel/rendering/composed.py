"""Sources made of other sources: several models side by side, or the true video beside one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from soundreel.rendering.beside import beside_frames
from soundreel.rendering.panels import Layout, labelled, side_by_side
from soundreel.rendering.shoot import Shoot, identified
from soundreel.rendering.staging import staged

_FRAMES_AHEAD = 4


@dataclass(frozen=True)
class SideBySide:
    """The pictures of several shoots of one song in one frame, a label under each."""

    shoots: tuple[Shoot, ...]
    labels: tuple[str, ...]
    layout: Layout

    def pictures(self, first: int, stop: int) -> Iterator[np.ndarray]:
        """Frames first to stop (exclusive), as large as the layout. Raises: MediaError."""
        empty_HW3 = labelled(self.layout, self.labels)
        streams = [shoot.pictures(first, stop) for shoot in self.shoots]
        yield from side_by_side(empty_HW3, self.layout.tiles, streams)

    def identity(self) -> dict[str, Any]:
        """All that decides the pictures, as JSON values."""
        shoots = [shoot.identity() for shoot in self.shoots]
        return {
            "shoots": shoots,
            "labels": list(self.labels),
            "layout": identified(self.layout),
        }


@dataclass(frozen=True)
class BesideOriginal:
    """A shoot's pictures beside what a video shows at the same times of the song."""

    shoot: Shoot
    name: str
    video: Path
    video_sha256: str
    layout: Layout

    def pictures(self, first: int, stop: int) -> Iterator[np.ndarray]:
        """Frames first to stop (exclusive), as large as the layout. Raises: MediaError."""
        with staged(self.shoot.pictures(first, stop), _FRAMES_AHEAD) as made:
            yield from beside_frames(
                self.layout,
                self.name,
                made,
                self.video,
                self.shoot.fps,
                self.shoot.start_seconds,
                first,
                stop,
            )

    def identity(self) -> dict[str, Any]:
        """All that decides the pictures, as JSON values."""
        return {
            "shoot": self.shoot.identity(),
            "name": self.name,
            "video": self.video_sha256,
            "layout": identified(self.layout),
        }
