"""Generators side by side on unseen songs of a dataset, at equal time of training.

    python benchmarks/generators.py --dataset DATASET --out OUT --size 64 --seconds 300
    python benchmarks/generators.py --dataset DATASET --out OUT --only reel,pix2pix,real \
        --settings 'pix2pix={"preset": "default", "width": 32}' --run long=runs/long

Rows (`--only`, by default all of them): `reel` and `pix2pix`, trained here where OUT has no such
run yet; `remix` and `nearest`, which show training frames (by shots, and frame by frame) of the
look whose songs sound nearest; `mean`, the mean training frame; `real`, the videos themselves.
`--run NAME=FOLDER` adds any run or model (or takes it in place of one that is trained here).

Equal time is time of the processor in training steps, all threads together (on a GPU: the clock).
All films are compared at the same moments and in the shape of the clips, the longer side `--size`:
OUT/results.json, OUT/results.md, and OUT/sheet.png.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as `threads.let_threads_rest` does
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from generators_filmed import (
    Scene,
    by_model,
    by_nearest_sound,
    by_remix,
    mean_frame,
    scenes_of,
)
from generators_measured import Measured, differences, measured
from generators_trained import trained
from soundreel.asking.shared_looks import frames_of
from soundreel.atomic import write_json, write_text
from soundreel.dataset.loading import Pairs, load_pairs
from soundreel.dataset.store import Dataset, open_dataset
from soundreel.errors import SoundreelError
from soundreel.networks.bundle import load_model
from soundreel.training.presets import training_preset
from soundreel.training.reel_step import picture_shape

TRAINED = ("reel", "pix2pix")
ROWS = (*TRAINED, "remix", "nearest", "mean", "real")
_TRAINING_SEARCHED = 20_000
_SHEET_CLIPS, _SHEET_MOMENTS, _SHEET_TILE = 6, 8, 192

Film = Callable[[Scene], np.ndarray]


def main() -> int:
    """Train, film, measure, and write the table."""
    chosen = arguments()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    dataset = open_dataset(chosen.dataset)
    training = load_pairs(dataset, "train")
    shape = picture_shape(training_preset("reel", size=chosen.size), dataset.recipe)
    fps = 1 / dataset.recipe.step_seconds(dataset.clips("train")[0].fps)
    scenes = scenes_of(dataset, training, shape, chosen.moments)
    searched = frames_of(training, list(training.clip_ids), shape, _TRAINING_SEARCHED)
    rows: dict[str, Measured] = {}
    films: dict[str, list[np.ndarray]] = {}
    told: dict[str, Any] = {}
    for name in chosen.names:
        began = time.perf_counter()
        try:
            film, told[name] = generator(name, chosen, dataset, training, shape)
            made = [film(scene) for scene in scenes]
        except SoundreelError as error:
            print(f"{name}: left out, {error}", file=sys.stderr, flush=True)
            continue
        rows[name] = measured(scenes, made, searched, fps, chosen.seed, is_real=name == "real")
        films[name] = [film[sheet_moments(len(film))] for film in made]
        print(f"{name}: done after {time.perf_counter() - began:.0f} s", flush=True)
    table = as_markdown(rows)
    write_json(
        chosen.out / "results.json",
        {
            "dataset": str(chosen.dataset),
            "clips": [scene.id for scene in scenes],
            "shape": shape,
            "seconds": chosen.seconds,
            "seed": chosen.seed,
            "generators": told,
            "rows": {name: asdict(row) for name, row in rows.items()},
            "differences": differences(rows, chosen.seed) if rows else {},
        },
    )
    write_text(chosen.out / "results.md", table)
    draw(chosen.out / "sheet.png", scenes, films)
    print(table)
    return 0


def arguments() -> argparse.Namespace:
    """What a person asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--moments", type=int, default=240, help="of each unseen song, in a row")
    parser.add_argument("--only", default="", help=f"of {','.join(ROWS)}, separated by commas")
    parser.add_argument("--run", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--settings", action="append", default=[], metavar="NAME=JSON")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--timed-steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    chosen.runs = dict(one.split("=", 1) for one in chosen.run)
    pairs = (one.split("=", 1) for one in chosen.settings)
    chosen.changes = {name: json.loads(text) for name, text in pairs}
    names = [one.strip() for one in chosen.only.split(",") if one.strip()] or list(ROWS)
    chosen.names = list(dict.fromkeys([*names, *chosen.runs]))
    unknown = [one for one in chosen.names if one not in ROWS and one not in chosen.runs]
    if unknown:
        parser.error(f"--only {unknown[0]}: choose of {', '.join(ROWS)}, or give its --run")
    return chosen


def generator(
    name: str,
    chosen: argparse.Namespace,
    dataset: Dataset,
    training: Pairs,
    shape: tuple[int, int],
) -> tuple[Film, dict[str, Any]]:
    """How a row films a scene, and what there is to say of it."""
    if name == "real":
        return lambda scene: scene.truth_THW3, {}
    if name == "mean":
        mean_HW3 = mean_frame(training, shape)
        return lambda scene: np.broadcast_to(mean_HW3, scene.truth_THW3.shape), {}
    if name == "nearest":
        return lambda scene: by_nearest_sound(scene, training, shape), {}
    if name == "remix":
        sources = [Path(row.source) for row in dataset.clips("train")]
        cache = chosen.out / "footage"
        return lambda scene: by_remix(scene, sources, shape, chosen.seed, cache), {}
    said: dict[str, Any] = {}
    place = chosen.runs.get(name)
    if place is None:
        run = trained(
            name,
            chosen.dataset,
            chosen.out,
            chosen.size,
            chosen.seconds,
            chosen.changes.get(name, {}),
            chosen.timed_steps,
        )
        place, said = run.run, {"ms_a_step": run.milliseconds, "preset": run.preset}
    model = load_model(place)
    parameters = sum(one.numel() for one in model.generator.parameters())
    said |= {"run": str(place), "parameters": parameters, **model.config["training"]}
    return lambda scene: by_model(model, scene, shape, chosen.seed), said


def as_markdown(rows: dict[str, Measured]) -> str:
    """The table."""
    heads = (
        *("generator", "correlation", "95 %", "SWD in look", "95 %", "flicker", "motion"),
        *("sharpness", "copies", "near", "useful", "95 %", "p", "cuts a min"),
    )
    lines = [_line(heads), _line(["---"] * len(heads))]
    for name, row in rows.items():
        cells = (
            name,
            f"{row.margin:.2f}",
            f"{row.margin_low:.2f} to {row.margin_high:.2f}",
            f"{row.realism:.0f}",
            f"{row.realism_low:.0f} to {row.realism_high:.0f}",
            _number(row.flicker),
            _number(row.motion),
            _number(row.sharpness),
            "" if row.copies is None else f"{100 * row.copies:.1f} %",
            _number(row.near),
            f"{row.useful:.2f}",
            f"{row.useful_low:.2f} to {row.useful_high:.2f}",
            f"{row.useful_p:.3f}",
            f"{row.cuts_a_minute:.1f}",
        )
        lines.append(_line(cells))
    if "real" in rows:
        lines += [
            "",
            "SWD of the real videos is to other films of their look; measured as the others are, "
            f"with their own frames among the real ones, it is {rows['real'].own:.0f}.",
        ]
    names = list(next(iter(rows.values())).by_descriptor) if rows else []
    lines += ["", _line(["generator", *names]), _line(["---"] * (len(names) + 1))]
    for name, row in rows.items():
        lines.append(_line([name, *(f"{value:.2f}" for value in row.by_descriptor.values())]))
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def sheet_moments(length: int) -> np.ndarray:
    """Places of the moments on the sheet."""
    return np.linspace(0, length - 1, min(_SHEET_MOMENTS, length)).round().astype(np.int64)


def draw(path: Path, scenes: Sequence[Scene], films: dict[str, list[np.ndarray]]) -> None:
    """A contact sheet: some clips, real frames above each generator's at the same moments."""
    names = ["real", *(name for name in films if name != "real")]
    shown = np.unique(np.linspace(0, len(scenes) - 1, min(_SHEET_CLIPS, len(scenes))).round())
    rows, columns = scenes[0].truth_THW3.shape[1:3]
    tile = _SHEET_TILE, max(1, round(_SHEET_TILE * rows / columns))
    left, head, gap = 180, 26, 10
    block = head + len(names) * tile[1] + gap
    sheet = Image.new("RGB", (left + _SHEET_MOMENTS * tile[0], len(shown) * block), (18, 18, 22))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, place in enumerate(shown.astype(int).tolist()):
        scene, top = scenes[place], number * block
        at = sheet_moments(len(scene.truth_THW3))
        pen.text((8, top + 5), scene.id, (236, 234, 228), font)
        for column, seconds in enumerate(scene.seconds[at]):
            pen.text(
                (left + column * tile[0] + 4, top + 5), f"{seconds:.1f} s", (142, 140, 138), font
            )
        for line, name in enumerate(names):
            y = top + head + line * tile[1]
            pen.text((8, y + tile[1] // 2 - 8), name, (236, 234, 228), font)
            pictures = scene.truth_THW3[at] if name == "real" else films[name][place]
            for column, picture in enumerate(pictures):
                image = Image.fromarray(np.ascontiguousarray(picture))
                sheet.paste(
                    image.resize(tile, Image.Resampling.BICUBIC), (left + column * tile[0], y)
                )
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


if __name__ == "__main__":
    sys.exit(main())
