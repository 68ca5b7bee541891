"""What a run had learnt at several epochs, as one picture: clips it trained on, clips it never saw.

    python benchmarks/epochs_side_by_side.py RUN DATASET --epochs 95,180,200,400 --out sheet.png

Also prints, for each epoch, how far the pictures are from the truth on both kinds of clips, and
how near they come to the nearest frame that was trained on: a copy is at 0.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from soundreel.dataset.loading import Pairs, load_pairs
from soundreel.dataset.store import open_dataset
from soundreel.evidence.quality import ms_ssim, sharpness_ratio
from soundreel.networks.bundle import Model, load_model
from soundreel.networks.model_folder import resolve_snapshot
from soundreel.networks.resample import fit_to
from soundreel.training.held_out import spread
from soundreel.training.sheet import as_picture, as_sound_picture, draw_sheet

_ROWS = 3
_MEASURED = 120
_SMALL = 32  # pixels a side, for finding the nearest frame


def pictures(model: Model, pairs: Pairs, places: np.ndarray) -> torch.Tensor:
    """What the model makes of the sound of these pairs."""
    parts = [places[first : first + 16] for first in range(0, len(places), 16)]
    return torch.cat([model.pictures(pairs.sound_images(p), list(range(len(p)))) for p in parts])


def main() -> None:
    """Write the sheet and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--epochs", default="95,180,200,400")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    dataset = open_dataset(chosen.dataset)
    kinds = {"trained on": load_pairs(dataset, "train"), "never seen": load_pairs(dataset, "val")}
    epochs = [float(epoch) for epoch in chosen.epochs.split(",")]
    models = {epoch: load_model(resolve_snapshot(chosen.run, epoch), "fp32") for epoch in epochs}
    size = next(iter(models.values())).picture_shape[0]
    trained_on = kinds["trained on"]
    known = fit_to(trained_on.pictures(range(len(trained_on))), _SMALL).flatten(1)

    print("epoch  clips         L1     MS-SSIM  sharpness  nearest frame trained on")
    for epoch, model in models.items():
        for kind, pairs in kinds.items():
            places = spread(len(pairs), _MEASURED)
            truth = fit_to(pairs.pictures(places), size)
            y = pictures(model, pairs, places)
            apart = torch.cdist(fit_to(y, _SMALL).flatten(1), known, p=1) / known.shape[1]
            print(
                f"{epoch:5g}  {kind:12} {float((y - truth).abs().mean()):.3f}   "
                f"{ms_ssim(y, truth):.3f}    {sharpness_ratio(y, truth):.2f}       "
                f"{float(apart.min(1).values.mean()):.3f}"
            )

    heard, truths, labels = [], [], []
    made: dict[float, list[np.ndarray]] = {epoch: [] for epoch in epochs}
    for kind, pairs in kinds.items():
        places = spread(len(pairs), _ROWS)
        heard += [as_sound_picture(x, False) for x in pairs.sound_images(places)]
        truths += [as_picture(frame) for frame in fit_to(pairs.pictures(places), size)]
        for place in places:
            clip = pairs.clip_ids[int(pairs.clip_N[place])]
            labels.append(f"{kind}: {clip}  {pairs.time_seconds_N[place]:.1f} s")
        for epoch, model in models.items():
            made[epoch] += [as_picture(y) for y in pictures(model, pairs, places)]
    draw_sheet(
        chosen.out,
        "what a run had learnt",
        "above: clips it trained on; below: clips it never saw",
        [
            ("sound", heard),
            *((f"epoch {epoch:g}", made[epoch]) for epoch in epochs),
            ("truth", truths),
        ],
        labels,
        tile=min(size, 192),
    )


if __name__ == "__main__":
    main()
