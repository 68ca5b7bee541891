"""The model in the box: small, whole, and ready to film any song."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from soundreel.box import boxed_model
from soundreel.networks.bundle import load_model
from soundreel.rendering.movie import render
from soundreel.synthetic.corpus import make_song


def test_it_is_small_and_says_what_it_is() -> None:
    box = boxed_model()
    assert sum(path.stat().st_size for path in box.iterdir()) <= 12_000_000
    config = json.loads((box / "config.json").read_text())
    assert config["architecture"] == "reel"
    assert "reel, 256 x 144" in (box / "README.md").read_text()
    model = load_model(box, "fp32", "cpu")
    assert len(model.looks) == config["arguments"]["clips"]
    assert model.habits is not None


def test_it_films_a_song_it_never_heard_in_colour_and_contrast(tmp_path: Path) -> None:
    song = make_song(tmp_path / "song.flac", 4_711, 8.0, "synthwave")
    film = render(
        boxed_model(),
        song,
        tmp_path / "film.mp4",
        start_seconds=Fraction(4),
        stop_seconds=Fraction(6),
        fps=Fraction(12),
        compute="torch-fp32",
    )
    with av.open(str(film.path)) as opened:
        frames = np.stack([f.to_ndarray(format="rgb24") for f in opened.decode(video=0)])
    assert frames.shape[1:] == (256, 456, 3)
    luma = frames.mean(-1) / 255
    assert luma.std((1, 2)).min() > 0.05  # no grey mush
    assert (frames.max(-1).astype(int) - frames.min(-1)).mean() > 20
    assert np.abs(np.diff(luma, axis=0)).mean() > 1e-3  # and it moves
