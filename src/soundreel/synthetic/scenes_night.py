"""Scenes of the night: a city behind wet ground, a dancer on stage.

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
)

_TURN = 2 * np.pi


class City:
    """A skyline at night, its windows going on and off, mirrored in wet ground."""

    def __init__(self, grid: Grid, rng: np.random.Generator) -> None:
        self._grid = grid
        self._ground = float(rng.choice((0.45, 0.62, 0.8)))
        self._moon = (float(rng.uniform(-0.9, 0.9)), float(rng.uniform(-0.65, -0.25)))
        self._moon_radius = float(rng.choice((0.12, 0.2, 0.34)))
        close = float(rng.choice((0.75, 1.0, 1.35)))
        self._layers = [self._street(k, close, rng) for k in range(3)]
        self._sky = cloud(256, 2.0, rng)

    def _street(
        self, depth: int, close: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """One row of houses, three pictures wide: solid [H, 3W] and window thresholds [H, 3W]."""
        height, width = self._grid.height, self._grid.width
        scale = height / 216 * close * (0.55, 0.8, 1.25)[depth]
        base = int((self._ground + 1) / 2 * height)
        solid = np.zeros((height, 3 * width), np.float32)
        windows = np.full((height, 3 * width), 2.0, np.float32)
        column = 0
        tallest = (0.62, 0.50, 0.36)[depth] * (0.75 + 0.35 * close)
        while column < 3 * width:
            wide = max(4, int(rng.uniform(18, 46) * scale))
            top = base - int(base * tallest * rng.uniform(0.35, 1.0))
            stop = min(3 * width, column + wide)
            solid[max(0, top) : base, column:stop] = 1
            if rng.random() < 0.3:
                middle = min(3 * width - 1, column + wide // 2)
                solid[max(0, top - int(14 * scale)) : max(0, top), middle] = 1
            step = max(3, int(5.5 * scale))
            size = max(1, step // 2)
            for row in range(max(0, top) + step // 2, base - size, step):
                for x in range(column + step // 2, stop - size, step):
                    windows[row : row + size, x : x + size] = rng.random()
            column = stop + int(rng.integers(0, max(1, int(3 * scale)) + 1))
        return solid, windows

    def draw(self, moment: Moment) -> np.ndarray:
        grid, palette = self._grid, moment.palette_63
        x, y, p = grid.x_HW, grid.y_HW, moment.phase
        canvas = ramp(
            palette[[0, 1, 2, 3]], (0.0, 0.45, 0.8, 1.0), (y + 1) / (1.1 * (self._ground + 1))
        )
        drift_columns = int(6 * p) % 256
        haze = np.roll(self._sky, drift_columns, axis=1)
        tiled = np.tile(haze, (grid.height // 256 + 1, grid.width // 256 + 1))
        canvas *= 0.75 + 0.4 * tiled[: grid.height, : grid.width]
        radius = self._moon_radius * (0.9 + 0.2 * moment.light)
        glow(
            canvas,
            0.8 * halo(x, y, self._moon, 1.5 * radius) * (0.5 + 0.6 * moment.light),
            palette[4],
        )
        blend(
            canvas,
            edge(np.sqrt((x - self._moon[0]) ** 2 + (y - self._moon[1]) ** 2) - radius, 0.02),
            palette[5],
        )
        for depth, (solid, windows) in enumerate(self._layers):
            speed = (0.012, 0.03, 0.07)[depth] * grid.height
            place = (0.5 * grid.width + speed * p) % (2 * grid.width - 1)
            first, share = int(place), np.float32(place % 1)
            mask = solid[:, first : first + grid.width] * (1 - share)
            mask = mask + share * solid[:, first + 1 : first + 1 + grid.width]
            tone = (0.55, 0.30, 0.08)[depth]
            wall = palette[1] * tone + palette[0] * (1 - tone) + 0.10 * tone * palette[3]
            blend(canvas, mask, wall)
            share_lit = 0.12 + 0.55 * moment.light + 0.25 * moment.pulse
            lit = np.clip((share_lit - windows) * 6, 0, 1)
            lamp = lit[:, first : first + grid.width] * (1 - share)
            lamp = lamp + share * lit[:, first + 1 : first + 1 + grid.width]
            glow(canvas, lamp * (0.45, 0.7, 0.95)[depth], palette[4] if depth != 1 else palette[3])
        first = int((self._ground + 1) / 2 * grid.height)
        rows = np.arange(grid.height - first)
        wave = np.sin(rows * 0.9 + 6 * p) * (0.3 + rows / 20)
        source = np.clip(first - 1 - rows * 1.6 + wave, 0, grid.height - 1).astype(np.int32)
        shift = 2 * np.sin(rows * 0.55 - 4 * p)
        mirrored = canvas[:, source]
        for k in range(0, len(rows), 2):
            mirrored[:, k : k + 2] = np.roll(mirrored[:, k : k + 2], int(shift[k]), axis=2)
        canvas[:, first:] = 0.55 * mirrored + 0.25 * palette[0][:, None, None]
        return canvas


def _confetti(grid: Grid, size: int, rng: np.random.Generator) -> np.ndarray:
    """Scattered scraps of paper of this many pixels, float32 [H, W] in [0, 1]."""
    pieces = np.zeros(grid.x_HW.shape, np.float32)
    for _ in range(90 // size):
        row, column = rng.integers(0, grid.height), rng.integers(0, grid.width)
        pieces[row : row + size, column : column + size + 1] = rng.uniform(0.2, 0.9)
    return pieces


class Dancer:
    """A dancer against a great lamp, her shadow on a shining floor."""

    def __init__(self, grid: Grid, rng: np.random.Generator) -> None:
        self._grid = grid
        self._size = float(rng.choice((0.62, 0.85, 1.25)))
        self._x = float(rng.uniform(-0.45, 0.45))
        self._floor = 0.78 if self._size < 1 else 1.05
        self._lamp_radius = float(rng.uniform(0.45, 0.7))
        self._beams = rng.uniform(-1.2, 1.2, 4).tolist()
        self._start = rng.uniform(0, _TURN, 8).tolist()
        self._smoke = cloud(256, 2.0, rng)
        self._confetti = [_confetti(grid, size, rng) for size in (1, 2)]

    def _limbs(self, p: float) -> list[tuple[float, float, float, float, float, float]]:
        """Capsules (x0, y0, x1, y1, radius0, radius1) of the body, feet at y = 0, some 1.5 tall."""
        s = self._start
        bounce = 0.035 * math.sin(4 * p)
        lean = 0.16 * math.sin(p + s[0])
        hip = np.array((0.10 * math.sin(2 * p + s[1]), -0.74 + bounce))
        chest = hip + np.array((0.5 * lean, -0.34))
        neck = chest + np.array((0.35 * lean, -0.15))
        head = neck + np.array((0.25 * lean, -0.13))
        limbs = [
            (*hip, *chest, 0.085, 0.10),
            (*chest, *neck, 0.10, 0.04),
            (*neck, *head, 0.035, 0.085),
        ]
        for side, k in ((-1, 2), (1, 4)):
            knee_out = 0.5 * min(1.0, max(-0.2, math.sin(p + s[k]) * side))
            foot = np.array(
                (side * (0.16 + 0.20 * knee_out), -0.10 * max(0.0, math.sin(2 * p + s[k])))
            )
            joint = (hip + foot) / 2 + (side * (0.07 + 0.12 * knee_out), 0.02)
            limbs.append((*(hip + np.array((side * 0.055, 0.03))), *joint, 0.078, 0.052))
            limbs.append((*joint, *foot, 0.052, 0.030))
            raised = 0.25 + 1.25 * math.sin(1.0 * p + s[k + 1]) + 0.35 * math.sin(2 * p + s[k])
            shoulder = chest + np.array((side * 0.10, -0.09))
            elbow = shoulder + 0.25 * np.array((side * math.cos(raised), -math.sin(raised)))
            bend = raised + 0.9 * math.sin(1.5 * p + s[k]) + 0.3
            hand = elbow + 0.25 * np.array((side * math.cos(bend), -math.sin(bend)))
            limbs.append((*shoulder, *elbow, 0.048, 0.036))
            limbs.append((*elbow, *hand, 0.036, 0.022))
        return [tuple(float(v) for v in limb) for limb in limbs]  # type: ignore[misc]

    def _body(self, p: float, area: tuple[slice, slice]) -> np.ndarray:
        """Distance to the dancer in her own size (below 0 inside): float32, the area's shape."""
        x = (self._grid.x_HW[area] - np.float32(self._x)) / np.float32(self._size)
        y = (self._grid.y_HW[area] - np.float32(self._floor)) / np.float32(self._size)
        total = np.full(x.shape, 1e-9, np.float32)
        for x0, y0, x1, y1, r0, r1 in self._limbs(p):
            ex, ey = x1 - x0, y1 - y0
            px, py = x - np.float32(x0), y - np.float32(y0)
            square = ex * ex + ey * ey + 1e-6
            h = np.clip(px * np.float32(ex / square) + py * np.float32(ey / square), 0, 1)
            dx, dy = px - h * np.float32(ex), py - h * np.float32(ey)
            away = np.sqrt(dx * dx + dy * dy) - (np.float32(r0) + h * np.float32(r1 - r0))
            # Smooth minimum of all capsules (log-sum-exp): joints flow into each other.
            total += np.exp(-60 * np.clip(away, -0.2, 1.0))
        return -np.log(total) / 60

    def draw(self, moment: Moment) -> np.ndarray:
        grid, palette = self._grid, moment.palette_63
        x, y, p = grid.x_HW, grid.y_HW, moment.phase
        canvas = ramp(
            palette[[0, 1, 2, 1]], (0.0, 0.4, 0.8, 1.0), (y[:, :1] + 1) / (self._floor + 1)
        )
        canvas = np.repeat(canvas, grid.width, axis=2)
        top = -1.15
        for k, aim in enumerate(self._beams):
            tilt = 0.45 * math.sin(1.1 * p + self._start[k]) + 0.25 * aim
            centre = aim + (y[:, :1] - top) * np.float32(tilt)
            width = 0.03 + 0.14 * (y[:, :1] - top)
            off = (x - centre) / width
            beam = np.exp(-np.minimum(off * off, 40)) * np.exp(-0.55 * (y[:, :1] - top))
            glow(canvas, beam * (0.25 + 0.4 * moment.light), palette[3 if k % 2 else 4])
        radius = self._lamp_radius * (0.75 + 0.4 * moment.light + 0.08 * moment.pulse)
        centre = (0.5 * self._x, self._floor - 1.0 * self._size)
        glow(canvas, 0.8 * halo(x, y, centre, 1.1 * radius), palette[3])
        lamp = edge(np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2) - radius, 0.03)
        rise = np.clip((y - np.float32(centre[1]) + radius) / (2 * radius), 0, 1)
        blend(canvas, 0.92 * lamp, ramp(palette[[5, 4, 3]], (0.0, 0.5, 1.0), rise[:, :1]))
        shift = int(14 * p) % 256
        smoke = np.tile(
            np.roll(self._smoke, shift, axis=1), (grid.height // 256 + 1, grid.width // 256 + 1)
        )
        low = np.clip((y[:, :1] + 0.3) * 0.8, 0, 1)
        glow(canvas, 0.35 * low * smoke[: grid.height, : grid.width], palette[2])
        for pace, pieces in zip((26, 55), self._confetti, strict=True):
            fallen = int(pace * p * grid.height / 216) % grid.height
            glow(canvas, np.roll(pieces, fallen, axis=0) * (0.3 + 0.5 * moment.light), palette[4])
        area = box(grid, (self._x, self._floor - 0.85 * self._size), 1.1 * self._size)
        if area is not None:
            away = self._body(1.4 * p, area)
            inner = canvas[(slice(None), *area)]
            blend(inner, edge(away, 2.6 / (grid.height / 2 * self._size)), 0.5 * palette[0])
            rim = np.exp(-np.minimum(np.abs(away) * 110, 40))
            glow(inner, rim * (0.12 + 0.18 * moment.light), palette[4])
        first = min(grid.height, int((self._floor + 1) / 2 * grid.height))
        rows = np.arange(grid.height - first)
        if len(rows):
            source = np.clip(
                first - 1 - rows * 2.2 + np.sin(rows * 1.3 + 5 * p), 0, grid.height - 1
            )
            floor = 0.42 * canvas[:, source.astype(np.int32)]
            canvas[:, first:] = floor + 0.22 * palette[1][:, None, None]
        return canvas
