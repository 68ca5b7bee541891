"""A run's own page: how far it is, how good, and what it makes; one file that asks nobody."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image

from soundreel.atomic import write_text
from soundreel.timeline import clock
from soundreel.training.folder import RunFolder
from soundreel.training.presets import Training

Row = Mapping[str, Any]

#: While training, a browser fetches the page again so often.
_REFRESH_SECONDS = 20
_ROWS_SHOWN = 12
_SHEET_WIDTH = 1200
#: Of the page's megabyte: base64 makes a third more of it, and the curve needs the rest.
_SHEET_BYTES = 350_000
_QUALITIES = (88, 76, 62)
#: The pace is that of the last rows: a machine may have become slower, or faster.
_PACE_ROWS = 5


@dataclass(frozen=True)
class _Column:
    """A column of the table: its heading, what it means, and how its numbers are written."""

    name: str
    heading: str
    meaning: str
    form: str = "{:.3f}"


_COLUMNS = (
    _Column("step", "step", "steps of training so far", "{:,}"),
    _Column("epoch", "epoch", "how often every pair was seen", "{:,.4g}"),
    _Column("l1", "L1", "mean difference of the pictures from the truth, 0 to 2"),
    _Column("l1_loss", "in training", "L1 of the training pairs since the row before"),
    _Column("ms_ssim", "MS-SSIM", "structural likeness to the truth; 1 is the same picture"),
    _Column("sharpness", "sharpness", "fine detail, as a share of the truth's", "{:.2f}"),
    _Column(
        "sensitivity", "variety", "variance over the inputs, as a share of the truth's", "{:.2f}"
    ),
    _Column("follow_brightness", "light", "how much brightness follows its own song", "{:+.2f}"),
    _Column("follow_hue", "hue", "how much hue follows its own song", "{:+.2f}"),
    _Column("follow_motion", "motion", "how much motion follows its own song", "{:+.2f}"),
    _Column(
        "discriminator_loss", "discriminator", "its loss; 1.39 where it is undecided", "{:.2f}"
    ),
    _Column("adversarial_loss", "generator", "its adversarial loss", "{:.2f}"),
    _Column("samples_per_second", "pairs a second", "pairs learnt from a second", "{:,.1f}"),
)


def write_page(
    run_folder: Path,
    rows: Sequence[Row],
    settings: Training,
    preset: str,
    state: str,
    total_steps: int,
    warnings: Sequence[str],
) -> None:
    """Write `index.html` into a run folder.

    rows: those of metrics.jsonl so far, none at the beginning.
    state: "training", or how it ended, in words. While it is "training" the page has itself
    fetched again by the browser, and says how long it will take.
    warnings: sentences shown on top.

    The folder's curve.png and its last sample sheet are taken into the page, where they are
    there. The page holds all it shows, opens no connection and stays below 1 MB.

    Raises: StorageError.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("soundreel", "training"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    run = RunFolder(run_folder)
    sheets = sorted(run.samples.glob("step-*.png"))
    last = rows[-1] if rows else None
    done = int(last["step"]) if last else 0
    training = state == "training"
    text = environment.get_template("page.html.j2").render(
        name=run_folder.resolve().name,
        style=files("soundreel.training").joinpath("page.css").read_text(encoding="utf-8"),
        refresh_seconds=_REFRESH_SECONDS if training else None,
        state=state,
        training=training,
        written=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S"),
        preset=preset,
        done=done,
        total=total_steps,
        share=min(100.0, 100 * done / total_steps),
        last=last,
        spent=clock(last["seconds"]) if last else None,
        left=_time_left(rows, total_steps) if training else None,
        warnings=warnings,
        curve=_curve(run.curve),
        sheet=_sheet(sheets[-1]) if sheets else None,
        columns=_COLUMNS,
        table=[
            [_written(row, column) for column in _COLUMNS] for row in rows[: -_ROWS_SHOWN - 1 : -1]
        ],
        rows_in_all=len(rows),
        settings=settings.model_dump(mode="json"),
    )
    write_text(run_folder / "index.html", text)


def _time_left(rows: Sequence[Row], total_steps: int) -> str | None:
    """How long the rest takes at the pace of the last rows; None where that is not known yet."""
    if not rows:
        return None
    last = rows[-1]
    before = rows[-1 - _PACE_ROWS] if len(rows) > _PACE_ROWS else {"step": 0, "seconds": 0.0}
    steps, seconds = last["step"] - before["step"], last["seconds"] - before["seconds"]
    if steps <= 0 or seconds <= 0:
        return None
    left = (total_steps - last["step"]) * seconds / steps
    return clock(left) if left > 0 else None


def _written(row: Row, column: _Column) -> str:
    value = row.get(column.name)
    return "-" if value is None else column.form.format(value)


def _curve(path: Path) -> str | None:
    return _data_url("png", path.read_bytes()) if path.exists() else None


def _sheet(path: Path) -> dict[str, Any]:
    """A sample sheet as a JPEG that is not too wide and not too large."""
    with Image.open(path) as opened:
        sheet = opened.convert("RGB")
    width = min(_SHEET_WIDTH, sheet.width)
    while True:
        height = max(1, sheet.height * width // sheet.width)
        smaller = sheet.resize((width, height), Image.Resampling.LANCZOS)
        for quality in _QUALITIES:
            file = io.BytesIO()
            smaller.save(file, "JPEG", quality=quality, optimize=True)
            if file.tell() <= _SHEET_BYTES:
                url = _data_url("jpeg", file.getvalue())
                return {"url": url, "name": path.name, "width": width, "height": height}
        width = width * 3 // 4


def _data_url(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
