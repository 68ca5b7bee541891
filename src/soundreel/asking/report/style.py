"""One look for all figures of the report: sharp at every size, legible by day and by night.

A figure is drawn twice, for a wide page and for a phone, so that its letters are as large on
both. It is an SVG picture whose colours are names; a style sheet inside of it says what they are
on a light and on a dark screen. Letters stay letters. The same figure has the same bytes.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import numpy as np

from soundreel.asking.report.written import plain, readable, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Of the pictures for a wide page and for a phone, in CSS pixels.
WIDE, NARROW = 720, 350
#: Sizes of letters in CSS pixels.
HEADING, BODY, SMALL = 13.0, 12.5, 11.5

# As matplotlib is given them: the light screen's. Accents stay apart for the colour-blind.
INK, SOFT, LINE, NULL, SHADE = "#262422", "#5a5650", "#dfd9cf", "#b5aea2", "#ebe6dc"
AMBER, TEAL, BLUE, ROSE = "#b4570c", "#0e7069", "#3759ad", "#ad3559"
GROUND = "#fcfbf8"
#: What each is called in the SVG, and what it is on a dark screen.
_COLOURS = {
    INK: ("ink", "#ece7de"),
    SOFT: ("soft", "#bdb7ac"),
    LINE: ("line", "#423e39"),
    NULL: ("null", "#75706a"),
    SHADE: ("shade", "#322f2b"),
    AMBER: ("amber", "#f0b45a"),
    TEAL: ("teal", "#58c4b0"),
    BLUE: ("blue", "#86aef5"),
    ROSE: ("rose", "#f08fa3"),
    GROUND: ("ground", "#22201d"),
}
_FONT = 'ui-sans-serif,system-ui,-apple-system,"Segoe UI","Helvetica Neue",Arial,sans-serif'
_STYLE = (
    "svg{" + ";".join(f"--{name}:{light}" for light, (name, _) in _COLOURS.items()) + "}"
    "@media (prefers-color-scheme:dark){svg{"
    + ";".join(f"--{name}:{dark}" for name, dark in _COLOURS.values())
    + "}}"
    f"text{{font-family:{_FONT};font-variant-numeric:tabular-nums}}"
    "path,use{stroke-linejoin:round;stroke-linecap:butt}"
)
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "soundreel",
    "svg.image_inline": True,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "path.simplify": True,
}


@dataclass(frozen=True)
class Picture:
    """A picture of the page, as data URLs, with what it shows in words.

    url, width, height: for a wide page; narrow_*: for a phone. Sizes in CSS pixels.
    """

    url: str
    alt: str
    width: int
    height: int
    narrow_url: str
    narrow_width: int
    narrow_height: int


@dataclass(frozen=True)
class Sheet:
    """What a figure is drawn on. Places are pixels from the left and from the top."""

    figure: Figure
    width: int
    height: int
    narrow: bool

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes with a line below, small quiet ticks and no box."""
        axes = self.figure.add_axes(
            (
                left / self.width,
                1 - (top + height) / self.height,
                width / self.width,
                height / self.height,
            )
        )
        axes.patch.set_visible(False)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set(color=NULL, linewidth=1)
        axes.tick_params(colors=SOFT, labelsize=SMALL, length=0, pad=5)
        axes.set_axisbelow(True)
        return axes

    def text(self, left: float, top: float, said: str, **style: Any) -> None:
        """A line of text whose middle is `top` pixels below the upper edge."""
        given = {"fontsize": BODY, "color": INK, "va": "center", **style}
        self.figure.text(left / self.width, 1 - top / self.height, said, **given)

    def inside(self, centre: float, said: str, size: float = BODY) -> float:
        """Where to centre a text so that it does not leave the sheet, near `centre` pixels."""
        half = text_width(said, size) / 2 + 2
        return min(max(centre, half), self.width - half)


def picture(
    draw: Callable[[Sheet], None], alt: str, height: int, narrow_height: int | None = None
) -> Picture:
    """Draw a figure for a wide page and for a phone.

    height, narrow_height: in pixels; the same for both if one is given.
    """
    narrow_height = narrow_height or height
    return picture_of(
        _drawn(draw, WIDE, height, narrow=False),
        _drawn(draw, NARROW, narrow_height, narrow=True),
        alt,
        (height, narrow_height),
    )


def picture_of(wide: str, narrow: str, alt: str, heights: tuple[int, int]) -> Picture:
    """A picture of the insides of two SVG documents of WIDE and NARROW pixels.

    They may use the colours' names: `fill="var(--ink)"`.
    """
    return Picture(
        url=_data_url(wide, WIDE, heights[0]),
        alt=" ".join(readable(alt).split()),
        width=WIDE,
        height=heights[0],
        narrow_url=_data_url(narrow, NARROW, heights[1]),
        narrow_width=NARROW,
        narrow_height=heights[1],
    )


def text_width(said: str, size: float = BODY) -> float:
    """About how wide a text is, in pixels, in the widest of the fonts that it may be shown in."""
    return 0.6 * size * len(said)


def number_ticks(
    axes: Axes, which: Literal["x", "y"], count: int, *, with_sign: bool = False
) -> None:
    """At most so many ticks at round numbers, all written with as many digits."""
    from matplotlib.ticker import MaxNLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = sorted(axes.get_xlim() if which == "x" else axes.get_ylim())
    ticks = np.asarray(MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high))
    ticks = ticks[(ticks >= low - 1e-12) & (ticks <= high + 1e-12)]
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    digits = next((d for d in range(7) if abs(step * 10**d - round(step * 10**d)) < 1e-6), 6)
    write = signed if with_sign else plain
    axis.set_ticks(ticks.tolist(), [write(float(tick), digits) for tick in ticks])


def span_of(*parts: object, pad: float = 0.06) -> tuple[float, float]:
    """The range of all finite numbers in the parts, with some room; (-1, 1) of none."""
    flat = [np.asarray(part, dtype=np.float64).ravel() for part in parts if part is not None]
    values = np.concatenate(flat) if flat else np.empty(0)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return -1.0, 1.0
    low, high = float(values.min()), float(values.max())
    room = (high - low) * pad or max(abs(low), 1.0) * 0.1
    return low - room, high + room


def as_floats(values: Sequence[float] | np.ndarray, name: str, length: int | None) -> np.ndarray:
    """Numbers as float64. Raises: ValueError if there are not `length` (None: at least 1)."""
    values_N = np.asarray(values, dtype=np.float64)
    if values_N.ndim != 1 or len(values_N) == 0 or length not in (None, len(values_N)):
        raise ValueError(
            f"{name} of shape {values_N.shape}: give {length or 'one or more'} numbers"
        )
    return values_N


def _drawn(draw: Callable[[Sheet], None], width: int, height: int, *, narrow: bool) -> str:
    """The inside of the SVG document that a figure is."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        # Names may be in any script: a browser has letters for it where the font here has none.
        warnings.filterwarnings("ignore", "Glyph")
        figure = Figure((width / 72, height / 72), 72)
        figure.patch.set_visible(False)
        draw(Sheet(figure, width, height, narrow))
        out = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(out, metadata=nothing)
    return _smaller(out.getvalue())


def _smaller(svg: str) -> str:
    """The inside of matplotlib's document: named colours, and no digits that nobody sees."""
    inside = svg[svg.index("<defs>", svg.index("<svg")) : svg.rindex("</svg>")]
    inside = inside.replace('<style type="text/css">*{stroke-linejoin: round; stroke-linecap: butt}</style>', "")  # fmt: skip # noqa: E501
    inside = re.sub(r" font-family: [^;\"]*;?", "", inside)
    inside = re.sub(r' transform="rotate\(-0 [^"]*\)"', "", inside)
    inside = re.sub(
        r' (d|x|y|width|height)="([^"]*)"',
        lambda found: f' {found[1]}="{_rounded(found[2])}"',
        inside,
    )
    inside = re.sub(r"#[0-9a-f]{6}(?=[;\"])", lambda found: _named(found[0]), inside)
    return re.sub(r">\s*\n\s*<", "><", inside)


def _rounded(numbers: str) -> str:
    return re.sub(r"(\.\d\d)\d+", r"\1", " ".join(numbers.split()))


def _named(colour: str) -> str:
    return f"var(--{_COLOURS[colour][0]})" if colour in _COLOURS else colour


def _data_url(inside: str, width: int, height: int) -> str:
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f"<style>{_STYLE}</style>{inside}</svg>"
    )
    return "data:image/svg+xml," + quote(readable(svg), safe="=:/;,+()!*-._~@?$'")
