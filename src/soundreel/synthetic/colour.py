"""Colours as an eye orders them: palettes in OKLCH, whose hue turns without changing lightness.

Source: B. Ottosson, "A perceptual color space for image processing" (2020).
"""

from __future__ import annotations

import numpy as np

_LMS_FROM_RGB = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB_FROM_LMS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)

#: Six colours each, from shadow to highlight: shadow, deep, middle, accent, light, highlight.
PALETTES: dict[str, tuple[str, ...]] = {
    "sunset": ("#160a2b", "#42195c", "#b3366b", "#f26b4e", "#ffb45e", "#fff1c9"),
    "neon": ("#07061a", "#1f1470", "#6a1fb1", "#f72585", "#4cc9f0", "#e0fbff"),
    "teal-orange": ("#04141a", "#0b3a47", "#14808a", "#f28f3b", "#ffc46b", "#fff3dd"),
    "aurora": ("#020814", "#0a2b52", "#15616d", "#2ec4a6", "#9bf6c3", "#f1fff7"),
    "rose-gold": ("#1c0f13", "#4a1f2d", "#9b3a4d", "#e08e79", "#f7c9a9", "#fff4ea"),
    "cobalt-lemon": ("#050b24", "#102a83", "#2f5fe0", "#5aa9ff", "#ffe45e", "#fffbe0"),
    "ember": ("#0d0605", "#3a0f0a", "#8c1c13", "#e4572e", "#ffa62b", "#fff0c2"),
    "orchid": ("#100518", "#3c1361", "#7b2cbf", "#c77dff", "#ffa6e0", "#fff0fb"),
    "mint": ("#03100f", "#0c3b36", "#1c7c6c", "#5cd6a9", "#ffd6e8", "#fafff9"),
    "desert": ("#1d1420", "#53354a", "#a45c56", "#e0a372", "#f3d9a4", "#fffaf0"),
    "ice": ("#060d16", "#17324d", "#3f6f9f", "#7fb7d9", "#cfe8f2", "#ffffff"),
    "citrus": ("#0e0a14", "#3b1c4a", "#c2255c", "#ff922b", "#ffe066", "#fff8f0"),
}


def _linear(srgb: np.ndarray) -> np.ndarray:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _encoded(linear: np.ndarray) -> np.ndarray:
    curved = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, curved)


def oklab(srgb: np.ndarray) -> np.ndarray:
    """Display colours [..., 3] in [0, 1] to OKLab [..., 3] (lightness, green-red, blue-yellow)."""
    lms = np.cbrt(_linear(np.asarray(srgb, np.float64)) @ _LMS_FROM_RGB.T)
    return lms @ _LAB_FROM_LMS.T


def srgb_of(lab: np.ndarray) -> np.ndarray:
    """OKLab [..., 3] to display colours [..., 3]; what no screen can show falls outside [0, 1]."""
    lms = (lab @ np.linalg.inv(_LAB_FROM_LMS).T) ** 3
    return _encoded(lms @ np.linalg.inv(_LMS_FROM_RGB).T)


def palette(name: str) -> np.ndarray:
    """The six colours of a palette, display values in [0, 1], float64 [6, 3]."""
    return np.array(
        [[int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)] for code in PALETTES[name]]
    )


def turned(colours_K3: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Colours with their hue turned by each of N angles, lightness kept: float32 [N, K, 3].

    Where the screen cannot show the turned colour, its chroma is lowered until it can.
    """
    lab_K3 = oklab(colours_K3)
    angle_N1 = np.radians(np.asarray(degrees, np.float64))[:, None]
    a_NK = np.cos(angle_N1) * lab_K3[:, 1] - np.sin(angle_N1) * lab_K3[:, 2]
    b_NK = np.sin(angle_N1) * lab_K3[:, 1] + np.cos(angle_N1) * lab_K3[:, 2]
    light_NK = np.broadcast_to(lab_K3[:, 0], a_NK.shape)
    least, most = np.zeros_like(a_NK), np.ones_like(a_NK)
    for _ in range(14):
        middle = (least + most) / 2
        rgb = srgb_of(np.stack((light_NK, middle * a_NK, middle * b_NK), axis=-1))
        shows = ((rgb >= -1e-3) & (rgb <= 1 + 1e-3)).all(axis=-1)
        least, most = np.where(shows, middle, least), np.where(shows, most, middle)
    rgb = srgb_of(np.stack((light_NK, least * a_NK, least * b_NK), axis=-1))
    return np.clip(rgb, 0, 1).astype(np.float32)
