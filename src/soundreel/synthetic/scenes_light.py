"""Scenes of light and form: orbs, silk, rings, kaleidoscope, ink, facets, petals.

A scene is made for one shot (its layout is drawn from `rng`) and draws any moment of it.
"""

from __future__ import annotations

import math

import numpy as np

from soundreel.synthetic.canvas import (
    Grid,
    Moment,
    blend,
    box,
    cloud,
    edge,
    glow,
    halo,
    ramp,
    sample,
)

_TURN = 2 * np.pi


class Camera:
    """A slow push in, a sway, and a small leap forward with every pulse."""

    def __init__(
        self, rng: np.random.Generator, zooms: tuple[float, ...] = (0.7, 1.0, 1.35)
    ) -> None:
        self.zoom = float(rng.choice(zooms))
        self._offset = rng.uniform(-0.35, 0.35, 2)
        self._roll = rng.uniform(-0.25, 0.25)
        self._spin = rng.choice((-1, 1)) * 0.03
        self._push = rng.choice((-0.02, 0.025))

    def view(self, grid: Grid, moment: Moment) -> tuple[np.ndarray, np.ndarray]:
        """The coordinates that the camera sees at each pixel: x_HW, y_HW."""
        scale = self.zoom * np.exp(-self._push * moment.shot_seconds) * (1 - 0.07 * moment.pulse)
        angle = self._roll + self._spin * moment.phase
        a, b = np.float32(scale * math.cos(angle)), np.float32(scale * math.sin(angle))
        shift_x = np.float32(self._offset[0] + 0.05 * math.sin(0.4 * moment.phase))
        shift_y = np.float32(0.6 * self._offset[1] + 0.04 * math.cos(0.31 * moment.phase))
        return (
            a * grid.x_HW - b * grid.y_HW + shift_x,
            b * grid.x_HW + a * grid.y_HW + shift_y,
        )


class Orbs:
    """Lamps out of focus, in three depths, drifting past each other."""

    def __init__(self, grid: Grid, rng: np.random.Generator) -> None:
        self._grid = grid
        count = int(rng.integers(34, 52))
        self._depth = np.sort(rng.uniform(0.3, 1.0, count)).tolist()
        close = float(rng.choice((0.75, 1.0, 1.5)))
        depth = np.array(self._depth)
        self._radius = close * (0.05 + 0.26 * depth**2.5 * rng.uniform(0.6, 1.3, count))
        self._place = rng.uniform(-1, 1, (count, 2)) * (grid.aspect + 0.4, 1.15)
        self._heading = rng.uniform(0, _TURN) + rng.normal(0, 0.5, count)
        self._colour = rng.choice((2, 3, 3, 4, 4, 5), count)
        self._lamp = rng.uniform(-0.7, 0.7, 2).tolist()
        self._haze = cloud(256, 2.2, rng)

    def draw(self, moment: Moment) -> np.ndarray:
        grid, palette = self._grid, moment.palette_63
        p = np.float32(0.02 * moment.phase)
        haze = sample(self._haze, 0.22 * grid.x_HW + p, 0.22 * grid.y_HW - 0.5 * p)
        lamp = halo(grid.x_HW, grid.y_HW, (self._lamp[0], self._lamp[1]), 0.6)
        tone = 0.75 * haze + 0.55 * lamp - 0.25 + 0.1 * moment.light
        canvas = ramp(palette[[0, 0, 1, 2]], (0.0, 0.2, 0.6, 1.0), tone)
        span_x, span_y = grid.aspect + 0.5, 1.4
        for k, depth in enumerate(self._depth):
            step = 0.22 * depth**1.5 * moment.phase
            x = self._place[k, 0] + step * math.cos(self._heading[k])
            y = self._place[k, 1] + 0.6 * step * math.sin(self._heading[k])
            x = (x + span_x) % (2 * span_x) - span_x
            y = (y + span_y) % (2 * span_y) - span_y
            swell = 1 + 0.12 * math.sin(1.7 * moment.phase + k) + 0.25 * moment.pulse
            radius = float(self._radius[k] * swell * (0.8 + 0.4 * moment.light))
            area = box(grid, (x, y), 1.35 * radius)
            if area is None:
                continue
            dx, dy = grid.x_HW[area] - np.float32(x), grid.y_HW[area] - np.float32(y)
            away = np.sqrt(dx * dx + dy * dy) / np.float32(radius)
            body = edge(away - 1, 0.10 + 0.5 * abs(depth - 0.65))
            lit = body * (0.30 + 0.35 * away**3) + 0.25 * np.exp(-5 * away * away)
            strength = (0.75 if depth > 0.55 else 1.0) * (0.7 + 0.6 * moment.light)
            glow(canvas[(slice(None), *area)], lit * np.float32(strength), palette[self._colour[k]])
        return canvas


class Silk:
    """Sheets of light that fold over each other."""

    def __init__(self, grid: Grid, rng: np.random.Generator) -> None:
        self._grid, self._camera = grid, Camera(rng, (0.6, 0.85, 1.15))
        count = int(rng.integers(6, 9))
        self._slow = rng.uniform(0.5, 1.1, count)
        self._fast = rng.uniform(1.3, 2.6, count)
        self._start = rng.uniform(0, _TURN, (count, 2))
        self._level = np.linspace(-0.75, 0.65, count) + rng.normal(0, 0.08, count)
        self._speed = rng.uniform(0.35, 0.9, count) * rng.choice((-1, 1), count)

    def draw(self, moment: Moment) -> np.ndarray:
        palette = moment.palette_63
        x, y = self._camera.view(self._grid, moment)
        canvas = ramp(palette[[1, 0, 0]], (0.0, 0.5, 1.0), 0.5 + 0.4 * y)
        swing = 0.20 + 0.22 * moment.light
        count = len(self._level)
        threads = np.zeros_like(x)
        for k in range(count):
            turn = moment.phase * self._speed[k]
            fold = np.sin(np.float32(self._slow[k]) * x + np.float32(turn + self._start[k, 0]))
            fine = np.sin(
                np.float32(self._fast[k]) * x - np.float32(0.7 * turn - self._start[k, 1])
            )
            below = y - (self._level[k] + swing * fold + 0.3 * swing * fine).astype(np.float32)
            sheet = np.exp(np.where(below > 0, -4.2 * below, np.maximum(70 * below, -20)))
            shade = 0.45 + 0.35 * fine * fold + 0.3 * moment.pulse
            colour = palette[2 + (k % 3)] * (0.75 + 0.25 * k / count)
            glow(canvas, sheet * np.clip(shade, 0.08, 1), colour)
            threads += (0.5 + 0.5 * fold) * 0.004 / (np.abs(below) + 0.004)
        glow(canvas, np.minimum(threads, 1), palette[5])
        return canvas


class Rings:
    """A tunnel of neon rings that one flies through."""

    def __init__(self, grid: Grid, rng: np.random.Generator) -> None:
        self._grid, self._camera = grid, Camera(rng, (0.8, 1.1, 1.5))
        self._sides = int(rng.choice((0, 0, 3, 4, 6)))
        self._density = float(rng.uniform(1.3, 2.0))
        self._twist = float(rng.uniform(-0.8, 0.8))
        self._spokes = int(rng.choice((0, 6, 12, 16)))

    def draw(self, moment: Moment) -> np.ndarray:
        palette = moment.palette_63
        x, y = self._camera.view(self._grid, moment)
        radius = np.sqrt(x * x + y * y) + np.float32(1e-3)
        angle = np.arctan2(y, x)
        if self._sides:
            part = np.float32(_TURN / self._sides)
            turned = (
                angle + np.float32(0.12 * moment.phase) + np.float32(self._twist) * radius * 0.3
            )
            folded = turned - part * np.floor(turned / part) - part / 2
            radius = radius * np.cos(folded) / np.float32(np.cos(part / 2))
        depth = np.log(radius) * np.float32(self._density) - np.float32(0.55 * moment.phase)
        ring = np.floor(depth)
        within = depth - ring
        kind = ring - 3 * np.floor(ring / 3)
        away = np.clip(radius * 0.9, 0, 1)
        canvas = ramp(palette[[1, 0, 1]], (0.0, 0.35, 1.0), away * (0.4 + 0.6 * within))
        tube = 0.055 / (np.abs(within - 0.5) ** 1.5 + 0.055) - 0.1
        tube = np.clip(tube, 0, 1) * (0.25 + 0.75 * np.sqrt(away)) * (0.75 + 0.6 * moment.light)
        for index, colour in enumerate((3, 4, 2)):
            glow(canvas, tube * (kind == index), palette[colour])
        glow(canvas, tube**4 * 0.8, palette[5])
        if self._spokes:
            beam = np.cos(self._spokes * (angle + np.float32(self._twist) * depth * 0.2))
            glow(canvas, np.clip(beam - 0.86, 0, 1) * 3.0 * away * (0.4 + moment.pulse), palette[4])
        glow(
            canvas,
            (0.5 + 0.5 * moment.light) * halo(x, y, (0, 0), 0.10 + 0.06 * moment.pulse),
            palette[5],
        )
        return canvas


class Kaleidoscope:
    """Folded mirrors around a point."""

    def __init__(self, grid: Grid, rng: np.random.Generator) -> None:
        self._grid, self._camera = grid, Camera(rng, (0.7, 1.0, 1.5))
        self._folds = int(rng.choice((5, 6, 8, 10)))
        self._wave = rng.uniform(2.0, 4.5, 3)
        self._start = rng.uniform(0, _TURN, 3)

    def draw(self, moment: Moment) -> np.ndarray:
        palette = moment.palette_63
        x, y = self._camera.view(self._grid, moment)
        radius = np.sqrt(x * x + y * y)
        part = np.float32(_TURN / self._folds)
        angle = np.arctan2(y, x) + np.float32(0.10 * moment.phase)
        folded = np.abs(angle - part * np.floor(angle / part) - part / 2)
        u, v = radius * np.cos(folded), radius * np.sin(folded)
        p = 0.5 * moment.phase
        u = u + np.float32(0.22) * np.sin(
            np.float32(self._wave[0]) * v + np.float32(p + self._start[0])
        )
        v = v + np.float32(0.22) * np.sin(
            np.float32(self._wave[1]) * u - np.float32(0.8 * p - self._start[1])
        )
        field = np.sin(np.float32(self._wave[2]) * (u + v) - np.float32(1.1 * p)) * np.cos(
            np.float32(self._wave[0]) * (u - v) + np.float32(self._start[2])
        )
        tone = 0.5 + 0.42 * field - 0.22 * radius + 0.2 * (moment.light - 0.5)
        canvas = ramp(palette, (0.0, 0.22, 0.42, 0.62, 0.82, 1.0), tone)
        lead = 0.03 / (np.abs(field - 0.25) + 0.03)
        glow(canvas, lead * 0.8, palette[4])
        seam = 0.02 / (v * v * 4 + 0.02)
        glow(
            canvas, np.clip(seam, 0, 1) * (0.15 + 0.5 * moment.pulse) * np.exp(-radius), palette[5]
        )
        canvas *= 0.55 + 0.45 * np.exp(-0.8 * radius * radius)
        return canvas


class Ink:
    """Colours let loose in water."""

    def __init__(self, grid: Grid, rng: np.random.Generator) -> None:
        self._grid, self._camera = grid, Camera(rng, (0.55, 0.8, 1.1))
        self._cloud = cloud(512, 2.1, rng)
        self._fine = cloud(512, 1.7, rng)
        self._at = rng.random(4)

    def draw(self, moment: Moment) -> np.ndarray:
        palette = moment.palette_63
        x, y = self._camera.view(self._grid, moment)
        p = 0.04 * moment.phase
        u, v = x * np.float32(0.16), y * np.float32(0.16)
        first = sample(
            self._cloud, u + np.float32(self._at[0] + p), v + np.float32(self._at[1] - 0.6 * p)
        )
        second = sample(
            self._cloud, v - np.float32(p - self._at[2]), u + np.float32(self._at[3] + 0.4 * p)
        )
        u2, v2 = u + 0.35 * first, v + 0.35 * second
        ink = sample(self._cloud, u2 - np.float32(0.8 * p), v2 + np.float32(1.1 * p))
        vein = sample(self._fine, u2 * 2 + np.float32(p), v2 * 2)
        tone = 1.15 * ink - 0.08 + 0.16 * (vein - 0.5) + 0.25 * (moment.light - 0.5)
        canvas = ramp(palette, (0.0, 0.25, 0.45, 0.65, 0.85, 1.0), tone)
        fold = np.abs(ink - first)
        glow(canvas, 0.5 * np.exp(-14 * fold) * (0.4 + moment.pulse), palette[4])
        canvas *= 0.70 + 0.45 * second
        return canvas


class Facets:
    """A crystal wall whose faces catch the light one after the other."""

    def __init__(self, grid: Grid, rng: np.random.Generator) -> None:
        self._grid = grid
        count = int(rng.choice((45, 80, 130)))
        self._seed = rng.uniform(-1, 1, (count, 2)) * (grid.aspect + 0.2, 1.2)
        self._tilt = rng.normal(0, 1, (count, 2))
        self._rate = rng.uniform(0.6, 1.3, count)
        self._start = rng.uniform(0, _TURN, count)
        nearest = np.full(grid.x_HW.shape, np.inf, np.float32)
        second = nearest.copy()
        self._face = np.zeros(grid.x_HW.shape, np.int16)
        for k, (sx, sy) in enumerate(self._seed.astype(np.float32)):
            away = np.sqrt((grid.x_HW - sx) ** 2 + (grid.y_HW - sy) ** 2)
            closer = away < nearest
            second = np.where(closer, nearest, np.minimum(second, away))
            nearest = np.where(closer, away, nearest)
            self._face[closer] = k
        gap = second - nearest
        self._crack = np.exp(-gap * (0.45 * grid.height / 2))
        tilt = self._tilt[self._face].astype(np.float32)
        offset_x = grid.x_HW - self._seed[self._face, 0].astype(np.float32)
        offset_y = grid.y_HW - self._seed[self._face, 1].astype(np.float32)
        self._slope = 0.35 * (tilt[..., 0] * offset_x + tilt[..., 1] * offset_y)

    def draw(self, moment: Moment) -> np.ndarray:
        palette = moment.palette_63
        p = moment.phase
        lamp = 0.9 * np.array((math.cos(0.37 * p), 0.7 * math.sin(0.29 * p)))
        away = np.sqrt(((self._seed - lamp) ** 2).sum(axis=1))
        glint = np.sin(1.3 * p * self._rate + self._start)
        tone = 0.72 - 0.33 * away + 0.20 * glint + 0.2 * (moment.light - 0.5)
        tone += 0.35 * moment.pulse * (glint > 0.6)
        field = tone.astype(np.float32)[self._face] + self._slope
        canvas = ramp(palette, (0.0, 0.2, 0.42, 0.65, 0.85, 1.0), field)
        glow(canvas, self._crack * 0.35, palette[4])
        return canvas


class Petals:
    """Paper flowers, cut and stacked, each layer throwing its shadow on the one below."""

    def __init__(self, grid: Grid, rng: np.random.Generator) -> None:
        self._grid, self._camera = grid, Camera(rng, (0.75, 1.05, 1.5))
        self._layers = int(rng.integers(7, 10))
        self._petals = int(rng.choice((5, 6, 7, 9)))
        self._start = rng.uniform(0, _TURN, self._layers)
        self._spin = rng.uniform(0.15, 0.5, self._layers) * rng.choice((-1, 1), self._layers)
        self._cut = rng.uniform(0.10, 0.24, self._layers)

    def draw(self, moment: Moment) -> np.ndarray:
        palette = moment.palette_63
        x, y = self._camera.view(self._grid, moment)
        radius = np.sqrt(x * x + y * y)
        angle = np.arctan2(y, x)
        canvas = ramp(palette[[1, 0]], (0.0, 1.0), 0.45 * radius)
        swell = 0.82 + 0.3 * moment.light + 0.12 * moment.pulse
        for k in range(self._layers):
            share = 1 - k / self._layers
            size = 1.25 * share**1.15 * swell
            turn = np.float32(self._start[k] + self._spin[k] * moment.phase)
            rim = np.cos(self._petals * angle + self._petals * turn / 2)
            border = size * (1 + np.float32(self._cut[k]) * rim)
            outside = radius - border
            canvas *= 1 - 0.55 * np.exp(-np.maximum(outside, 0) * 14)
            colour = palette[(1, 2, 3, 4, 2, 3, 4, 5, 3, 5)[k]]
            inside = np.clip(radius / np.maximum(border, 1e-3), 0, 1)
            mask = edge(outside, 0.014)
            shade = (0.62 + 0.38 * inside) * (0.92 + 0.08 * rim)
            blend(canvas, mask, shade * colour[:, None, None])
        glow(canvas, 0.5 * halo(x, y, (0, 0), 0.12 + 0.1 * moment.pulse), palette[5])
        return canvas
