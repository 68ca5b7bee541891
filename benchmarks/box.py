"""Make the model in the box: clips made here, a dataset, a `reel`, its audit, the folder to ship.

    python benchmarks/box.py --out box            # again: goes on where it stopped
    python benchmarks/box.py --out box --steps 6000 --ship src/soundreel/box

Weights are kept as float16 and fewer training frames are remembered than in the run, so that the
folder is small. The audit is `soundreel ask --model` on the clips that were held out.
"""

from __future__ import annotations

import argparse
import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from soundreel.asking.verb import ask
from soundreel.atomic import write_text
from soundreel.dataset.build import prepare
from soundreel.networks.bundle import load_model, save_model
from soundreel.networks.reel import Reel
from soundreel.parallel import available_cores
from soundreel.progress import TerminalProgress
from soundreel.recipe import recipe_from
from soundreel.sharing.audit import read_audit
from soundreel.synthetic.corpus import make_corpus
from soundreel.training.run import train

GENRES = ("synthwave", "ambient", "hip-hop", "drum-and-bass")
CLIPS, CLIP_SECONDS, SEED = 24, 32.0, 2026
#: Frames a second that it learns from.
EVERY_SECONDS = Fraction(1, 12)
REFERENCES = 2_048
MOST_BYTES = 12_000_000


def main() -> None:
    """Make all of it, or what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="where clips, dataset and run go")
    parser.add_argument("--steps", type=int, default=6_000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--seconds", type=float, default=CLIP_SECONDS)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument(
        "--ship", type=Path, help="the model folder to write, e.g. into the package"
    )
    given = parser.parse_args()
    progress = TerminalProgress()
    workers = available_cores()
    films = make_corpus(
        given.out / "clips",
        given.clips,
        given.seconds,
        seed=SEED,
        genres=GENRES,
        workers=workers,
        progress=progress,
    )
    recipe = recipe_from(
        "default",
        every_seconds=EVERY_SECONDS,
        picture_size=given.size,
        held_out_fraction=0.2,
    )
    dataset = prepare(films, given.out / "dataset", recipe, workers=workers, progress=progress)
    if given.threads:
        torch.set_num_threads(given.threads)
    run = train(
        dataset.folder,
        given.out / "run",
        "reel",
        changes={"size": given.size, "steps": given.steps, "reel": {"references": REFERENCES}},
        progress=progress,
    )
    print(run.summary)
    if given.ship is not None:
        ship(run.model, given.ship)
        report = given.out / "audit.html"
        ask(dataset.folder, out=report, model=given.ship, progress=progress)
        with_audit(given.ship, report)
        print(f"audit: {report}")


def ship(model_folder: Path, out: Path) -> None:
    """Write a model folder with float16 weights. Raises: SystemExit if it is too large."""
    model = load_model(model_folder, "fp32", "cpu")
    assert isinstance(model.generator, Reel)
    learnt: dict[str, Any] = {
        key: model.config[key] for key in ("looks", "cuts") if key in model.config
    }
    shutil.rmtree(out, ignore_errors=True)
    save_model(
        out,
        model.generator,
        model.config["arguments"],
        model.recipe,
        model.direction,
        model.config["training"],
        learnt=learnt,
        half=True,
    )
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(json.dumps({"box": str(out), "bytes": size}))
    if size > MOST_BYTES:
        raise SystemExit(f"{out}: {size:,} bytes are more than {MOST_BYTES:,}")


def with_audit(box: Path, report: Path) -> None:
    """Put the audit's numbers beside the weights and on the card."""
    config = json.loads((box / "config.json").read_bytes())
    audit = read_audit(report, config["weights_sha256"])
    shutil.copyfile(audit.numbers_file, box / "audit.json")
    rows = "".join(f"| {name} | {value} | {reading} |\n" for name, value, reading in audit.rows)
    card = (box / "README.md").read_text(encoding="utf-8")
    told = (
        f"## Audit\n\nAsked with {audit.songs} songs that it never heard (`soundreel ask "
        f"--model`): **{audit.verdict}**. All numbers are in audit.json.\n\n"
        f"| | | |\n|---|---|---|\n{rows}\n"
        "It learnt from music videos that were composed and drawn by this program "
        "(`benchmarks/box.py`): nobody's rights are in it.\n\n"
    )
    write_text(box / "README.md", card.replace("## Limits", told + "## Limits", 1))


if __name__ == "__main__":
    main()
