"""Scenes under an open sky: a neon sun, northern lights, dunes.

A scene is made for one shot (its layout is drawn from `rng`) and draws any moment of it.
"""

from __future__ import annotations

import math

import numpy as np

from soundreel.synthetic.canvas import (
    Grid,
    Moment,
    along,
    band,
    blend,
    cloud,
    edge,
    glow,
    halo,
    profile,
    ramp,
    sample,
)


def _stars(grid: Grid, count: int, lowest: float, rng: np.random.Generator) -> np.ndarray:
    """A sky of stars above `lowest` (y): float32 [H, W] in [0, 1]."""
    sky = np.zeros(grid.x_HW.shape, np.float32)
    rows = max(2, int((lowest + 1) / 2 * grid.height))
    row, column = rng.integers(0, rows, count), rng.integers(0, grid.width - 1, count)
    strength = rng.uniform(0.15, 1.0, count).astype(np.float32) ** 2
    for dy, dx, share in ((0, 0, 1.0), (0, 1, 0.45), (1, 0, 0.45)):
        np.maximum.at(sky, (np.minimum(row + dy, grid.height - 1), column + dx), share * strength)
    return sky


class NeonSun:
    """A striped sun over mountains, and a grid of light running towards us."""

    def __init__(self, grid: Grid, rng: np.random.Generator) -> None:
        self._grid = grid
        self._horizon = float(rng.choice((-0.05, 0.15, 0.35)))
        self._sun_x = float(rng.uniform(-0.5, 0.5))
        self._sun_radius = float(rng.choice((0.42, 0.55, 0.72)))
        self._line = profile(1.35, rng)
        self._peaks = float(rng.uniform(0.10, 0.2))
        self._stars = _stars(grid, 140, self._horizon, rng)
        self._density = float(rng.choice((2.2, 3.0)))

    def draw(self, moment: Moment) -> np.ndarray:
        grid, palette = self._grid, moment.palette_63
        horizon, x, y = self._horizon, grid.x_HW, grid.y_HW
        sky = np.clip((y + 1) / (horizon + 1), 0, 1)
        canvas = ramp(palette[[0, 0, 1, 2, 3]], (0.0, 0.25, 0.6, 0.88, 1.0), sky[:, :1])
        canvas = np.repeat(canvas, grid.width, axis=2)
        glow(
            canvas, self._stars * (1 - sky) * (0.7 + 0.3 * math.sin(2.1 * moment.phase)), palette[5]
        )
        radius = self._sun_radius * (0.82 + 0.36 * moment.light) * (1 + 0.05 * moment.pulse)
        centre = (self._sun_x, horizon - 0.55 * radius)
        glow(
            canvas,
            0.75 * halo(x, y, centre, 1.25 * radius),
            palette[3] * (0.5 + 0.5 * moment.light),
        )
        dx, dy = x - np.float32(centre[0]), y - np.float32(centre[1])
        sun = edge(np.sqrt(dx * dx + dy * dy) - radius, 0.016)
        down = np.clip((dy[:, :1] + radius) / (2 * radius), 0, 1)
        stripes = down * 9 + 0.25 * moment.phase
        slit = (stripes - np.floor(stripes)) < 0.62 * np.clip(down - 0.35, 0, 1)
        sun = sun * np.where(slit, np.float32(0.1), np.float32(1))
        blend(canvas, sun, ramp(palette[[5, 4, 3, 2]], (0.0, 0.3, 0.7, 1.0), down))
        for layer, (height, colour, slow) in enumerate(((1.0, 1, 0.010), (0.55, 0, 0.022))):
            position = x[0] * 0.09 + slow * moment.phase + 0.37 * layer
            ridge = horizon - self._peaks * height * (1.1 + 0.7 * along(self._line, position))
            ridge = np.minimum(ridge, horizon)
            rows = band(grid, float(ridge.min()) - 0.05, horizon)
            haze = 0.45 * np.clip(1 - (horizon - y[rows]) * 3.5, 0, 1)
            body = palette[colour][:, None, None] * (1 - haze) + haze * palette[2][:, None, None]
            blend(canvas[:, rows], edge(ridge - y[rows], 0.012), body)
        self._draw_floor(canvas[:, band(grid, horizon, 1)], dx, moment)
        return canvas

    def _draw_floor(self, canvas: np.ndarray, dx_HW: np.ndarray, moment: Moment) -> None:
        """The running grid on the ground, and the sun's light on it; `canvas` is the rows below."""
        grid, palette = self._grid, moment.palette_63
        rows = slice(grid.height - canvas.shape[1], grid.height)
        x, down, dx = grid.x_HW[rows], grid.y_HW[rows, :1] - self._horizon, dx_HW[rows]
        depth = 0.28 / np.maximum(down, 0.004)
        near = np.clip(down / (1 - self._horizon), 0, 1)
        across = x * (depth * self._density)
        ahead = depth * 2.2 + 0.9 * moment.phase
        width = 0.010 * depth * self._density + 0.012
        u = np.abs(across - np.floor(across) - 0.5)
        v = np.abs(ahead - np.floor(ahead) - 0.5)
        line = width / (np.abs(0.5 - u) + width) + 2 * width / (np.abs(0.5 - v) + 2 * width)
        canvas[:] = ramp(palette[[2, 1, 0]], (0.0, 0.3, 1.0), near)
        lit = np.clip(line - 0.15, 0, 1) ** 1.5 * np.clip(near * 5, 0, 1)
        glow(canvas, lit * (0.55 + 0.45 * moment.light + 0.3 * moment.pulse), palette[4])
        reach = 0.35 + 0.9 * near
        shine = np.exp(-3 * np.minimum((dx / reach) ** 2, 9)) * (1 - near)
        glow(canvas, shine * (0.35 + 0.5 * moment.light), palette[3])


class Aurora:
    """Curtains of northern light over mountains and a still lake."""

    def __init__(self, grid: Grid, rng: np.random.Generator) -> None:
        self._grid = grid
        self._shore = float(rng.choice((0.35, 0.5, 0.72)))
        self._stars = _stars(grid, 260, self._shore, rng)
        self._waves = [profile(1.6, rng) for _ in range(3)]
        self._rays = [profile(0.75, rng) for _ in range(3)]
        self._ridge = profile(1.3, rng)
        self._peak = float(rng.uniform(0.10, 0.28))
        self._close = float(rng.choice((0.7, 1.0, 1.5)))
        self._level = rng.uniform(-0.35, 0.15, 3).tolist()

    def draw(self, moment: Moment) -> np.ndarray:
        grid, palette = self._grid, moment.palette_63
        x, y, p = grid.x_HW, grid.y_HW, moment.phase
        canvas = ramp(
            palette[[0, 0, 1]], (0.0, 0.4, 1.0), (0.5 + 0.5 * y[:, :1]) / (0.5 + 0.5 * self._shore)
        )
        canvas = np.repeat(canvas, grid.width, axis=2)
        glow(canvas, self._stars * 0.9, palette[5])
        across = x[0] / grid.aspect
        for k, colours in enumerate(((2, 3), (3, 4), (3, 2))):
            sway = along(
                self._waves[k], 0.13 * across / self._close + 0.012 * p * (1 + 0.4 * k) + 0.3 * k
            )
            base = self._level[k] + 0.20 * sway * self._close
            ray = along(self._rays[k], 0.11 * across / self._close + 0.02 * sway - 0.010 * p)
            ray = np.clip(0.55 + 0.35 * ray, 0.05, 1.3)
            above = base - y
            tall = (0.28 + 0.35 * moment.light) * (0.7 + 0.5 * ray) * self._close
            curtain = np.where(
                above > 0, np.exp(-np.maximum(above, 0) / tall), np.exp(np.minimum(above, 0) * 16)
            )
            strength = curtain * ray * (0.35 + 0.75 * moment.light + 0.35 * moment.pulse)
            upper = np.clip(above / (1.3 * tall), 0, 1)
            glow(canvas, np.clip(strength * (1 - upper), 0, 1), palette[colours[1]])
            glow(canvas, np.clip(0.8 * strength * upper, 0, 1), palette[colours[0]])
            glow(canvas, np.clip(0.45 * strength, 0, 1) * np.exp(-np.abs(above) * 11), palette[5])
        far = self._shore - self._peak * (0.9 + 0.55 * along(self._ridge, 0.16 * across + 0.25))
        near = self._shore - 0.5 * self._peak * (0.8 + 0.7 * along(self._ridge, 0.3 * across + 0.7))
        blend(
            canvas,
            edge(np.minimum(far, self._shore) - y, 0.012),
            0.55 * palette[1] + 0.45 * palette[0],
        )
        blend(canvas, edge(np.minimum(near, self._shore) - y, 0.012), 0.75 * palette[0])
        first = min(grid.height - 1, int((self._shore + 1) / 2 * grid.height))
        rows = np.arange(grid.height - first)
        ripple = np.sin(rows * 1.1 - 5 * p) * (0.4 + rows / 14)
        source = np.clip(first - 1 - rows * 1.25 + ripple, 0, grid.height - 1).astype(np.int32)
        canvas[:, first:] = 0.62 * canvas[:, source] + 0.04 * palette[2][:, None, None]
        return canvas


class Dunes:
    """Ridge behind ridge in the haze, under a low sun."""

    def __init__(self, grid: Grid, rng: np.random.Generator) -> None:
        self._grid = grid
        self._count = int(rng.integers(5, 8))
        self._lines = [
            profile(1.7 if rng.random() < 0.6 else 1.35, rng) for _ in range(self._count)
        ]
        self._close = float(rng.choice((0.6, 1.0, 1.5)))
        self._top = float(rng.uniform(-0.25, 0.1))
        self._sun = (float(rng.uniform(-1.0, 1.0)), float(self._top - rng.uniform(0.05, 0.4)))
        self._radius = float(rng.choice((0.11, 0.18, 0.3)))
        self._clouds = cloud(512, 1.9, rng)

    def _ridge(self, k: int, x_W: np.ndarray, phase: float) -> tuple[np.ndarray, np.ndarray]:
        """Height (y) of ridge k along the picture, and how much its slope faces the sun (0..1)."""
        share = k / (self._count - 1)
        level = self._top + (1.15 - self._top) * share**1.25
        width = (0.14 - 0.07 * share) / self._close
        position = x_W * width + 0.09 * phase * (0.25 + 1.6 * share**2) + 0.31 * k
        swell = 0.10 * self._close * (0.6 + 0.9 * share)
        slope = along(self._lines[k], position + 0.012) - along(self._lines[k], position - 0.012)
        side = np.clip((self._sun[0] - x_W) * 1.5, -1, 1)
        facing = np.clip(0.5 - 1.6 * slope * side, 0, 1)
        return (level + swell * along(self._lines[k], position)).astype(np.float32), facing

    def draw(self, moment: Moment) -> np.ndarray:
        grid, palette = self._grid, moment.palette_63
        x, y, p = grid.x_HW, grid.y_HW, moment.phase
        canvas = ramp(
            palette[[1, 2, 3, 4]], (0.0, 0.35, 0.75, 1.0), (y[:, :1] + 1) / (self._top + 1.25)
        )
        canvas = np.repeat(canvas, grid.width, axis=2)
        radius = self._radius * (0.85 + 0.3 * moment.light + 0.12 * moment.pulse)
        sun_light = halo(x, y, self._sun, 2.2 * radius)
        sky = canvas[:, band(grid, -1, self._top + 0.3)]
        height, slow = sky.shape[1], np.float32(0.03 * p)
        drifting = sample(self._clouds, 0.10 * x[:height] + slow, 0.34 * y[:height])
        glow(sky, np.clip(1.5 * drifting - 0.6, 0, 1) * 0.6, palette[4])
        glow(canvas, sun_light * (0.45 + 0.5 * moment.light), palette[4])
        dx, dy = x - self._sun[0], y - self._sun[1]
        blend(canvas, edge(np.sqrt(dx * dx + dy * dy) - radius, 0.02), palette[5])
        ridges = [self._ridge(k, x[0], p) for k in range(self._count)]
        for k, (ridge, facing) in enumerate(ridges):
            # Only what the next ridge leaves to be seen.
            lowest = 1.0 if k == self._count - 1 else float(ridges[k + 1][0].max()) + 0.05
            rows = band(grid, float(ridge.min()) - 0.05, lowest)
            share = k / (self._count - 1)
            below = y[rows] - ridge
            deep = np.maximum(below, 0)
            body = ramp(palette[[3, 2, 1, 0]], (0.0, 0.35, 0.75, 1.0), np.array([share]))[:, 0]
            crest = np.exp(-9 * deep) * (0.15 + 0.5 * facing) * np.float32(1 - 0.4 * share)
            crest *= 0.4 + 0.6 * moment.light
            shade = 0.72 + 0.28 * np.exp(-1.3 * deep)
            # Ripples in the sand, finer far away; they run along as the ridge does.
            run = 9 * x[0] + 60 * p * np.float32(0.09 * (0.25 + 1.6 * share**2))
            ripple = np.sin(run + (70 - 35 * share) * below)
            shade = shade * (1 + np.float32(0.05 + 0.16 * share) * ripple)
            cover = body[:, None, None] * shade + crest * (palette[4] - body)[:, None, None]
            blend(canvas[:, rows], edge(-below, 0.012), cover)
        glow(canvas, 0.30 * sun_light * moment.light, palette[3])
        return canvas
