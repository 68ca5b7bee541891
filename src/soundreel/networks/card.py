"""The model card: what a model is, in words, for whoever finds the folder."""

from __future__ import annotations

from typing import Any

_FROM_TO = {
    "sound-to-picture": ("the sound of the last moments", "a video frame"),
    "picture-to-sound": ("a video frame", "the sound of the last moments"),
}


def model_card(config: dict[str, Any], parameters: int) -> str:
    """README.md for a model folder: Markdown, headed by the Hub's YAML block.

    config: the model's config.json. parameters: how many numbers the weights file holds.
    """
    recipe, training = config["recipe"], config["training"]
    source, target = _FROM_TO[config["direction"]]
    window_ms = 1000 * recipe["window_samples"] / recipe["sample_rate_hz"]
    verb = (
        "soundreel render MODEL song.mp3 --out film.mp4"
        if config["direction"] == "sound-to-picture"
        else "soundreel sonify MODEL film.mp4 --out song.wav"
    )
    rows = [
        ("direction", f"{config['direction']}: from {source} to {target}"),
        ("network", f"{_network(config)}; {parameters:,} numbers"),
        (
            "sound",
            f"{recipe['channel']} at {recipe['sample_rate_hz']:,} Hz, a window of "
            f"{window_ms:.0f} ms as `{recipe['representation']}` picture",
        ),
        *((name.replace("_", " "), _plain(value)) for name, value in training.items()),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"""---
library_name: soundreel
pipeline_tag: image-to-image
tags:
- music-video
- {"pix2pix" if config["architecture"] == "unet" else config["architecture"]}
- {config["direction"]}
---

# A Soundreel model

It turns {source} into {target}, in the manner of the music videos it was trained on.

| | |
|---|---|
{table}

## Use

```
{verb}
```

`MODEL` is this folder. `config.json` holds every number that its windows, sound images and
frames were made with, so that rendering can only do what training did. Loading runs no code from
this folder: the weights are safetensors.

## Limits

It has learned what its videos have in common, from few of them. Held-out L1 beside the L1 of the
mean frame says how far its pictures of unseen clips follow the sound at all; `soundreel ask`
tests whether they do. The rights in the videos are their makers'; a film made with this model may
resemble them.
"""


def _network(config: dict[str, Any]) -> str:
    made = config["arguments"]
    if config["architecture"] == "reel":
        return (
            f"reel, {made['columns']} x {made['rows']}, width {made['width']}, "
            f"{made['clips']} looks and {made['references']:,} remembered frames"
        )
    if config["architecture"] == "score":
        return (
            f"score, {made['frames']} frames {made['step']} s apart to a sound image of "
            f"{made['sound_size']} x {made['sound_size']}, width {made['width']}, "
            f"{made['clips']} voices"
        )
    return f"U-Net, {made['size']} x {made['size']}, width {made['width']}, norm {made['norm']}"


def _plain(value: Any) -> str:
    text = f"{value:,.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
