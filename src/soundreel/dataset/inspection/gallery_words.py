"""What the gallery says in words: a recipe for people, and names without a person's folders."""

from __future__ import annotations

from fractions import Fraction
from pathlib import PurePath

from soundreel.dataset.store import ClipRow, Sameness
from soundreel.recipe import Recipe
from soundreel.timeline import clock

_REPRESENTATIONS = {
    "psd": "the paper's power density, clipped to 0..255",
    "waveform": "its samples row by row",
    "log": "its spectrum in decibels",
    "mel": "its spectrum in decibels, in mel bands",
}
_MINUS = "\N{MINUS SIGN}"
_BY = "\N{MULTIPLICATION SIGN}"
_ONLY = {
    "people": "Only pictures with people.",
    "solo": "Only pictures with exactly one face.",
    "artist": "Only pictures with the artist of the photos.",
}


def recipe_in_words(recipe: Recipe) -> list[tuple[str, str]]:
    """What windows, sound images, frames and moments are: (word, sentence) for people."""
    return [
        ("Moments", _moments(recipe)),
        ("Sound image", _sound_image(recipe)),
        ("Frame", _frame(recipe)),
        ("Left out", _left_out(recipe)),
        ("Held out", _held_out(recipe)),
    ]


def source_name(row: ClipRow) -> str:
    """What the source is called, without the folders of the person's disk."""
    return PurePath(row.source.replace("\\", "/")).name or row.source


def without_folders(text: str, row: ClipRow) -> str:
    """A line about a clip's source with its name only: the page may be shown to others."""
    text = text.replace(row.source, source_name(row))
    folder = str(PurePath(row.source).parent)
    return text if folder in (".", "/") else text.replace(f"{folder}/", "")


def link_of(row: ClipRow) -> str:
    """The page that a clip was fetched from; "" unless it is one that a browser may open."""
    url = (row.origin and row.origin.url) or row.source
    return url if url.lower().startswith(("http://", "https://")) else ""


def origin_of(row: ClipRow) -> list[str]:
    """Who made the clip available, under which licence and when, as far as it is known."""
    if row.origin is None:
        return []
    licence = f"licence: {row.origin.licence}" if row.origin.licence else ""
    return [part for part in (row.origin.uploader, licence, row.origin.date) if part]


def facts_of(row: ClipRow) -> list[str]:
    """Length, frame rate and size of the source, and what was cut off."""
    facts = []
    if row.seconds is not None:
        facts.append(clock(row.seconds))
    if row.size:
        facts.append(row.size.replace("x", f" {_BY} "))
    if row.fps:
        facts.append(f"{_number(row.fps)} fps")
    cut = [
        f"{side} {float(share):.0%}"
        for side, share in zip(("top", "bottom", "left", "right"), row.crop, strict=True)
        if share
    ]
    if cut:
        facts.append(f"bars cut off: {', '.join(cut)}")
    return facts


def sameness_in_words(sameness: Sameness) -> tuple[str, str]:
    """What stands before and after the other clip's title: "same song as", "42 s shared"."""
    shared = f"{sameness.shared_seconds:.0f} s shared" if sameness.shared_seconds else ""
    return f"{sameness.what} as", shared


def _moments(recipe: Recipe) -> str:
    if recipe.every_seconds == "frame":
        every = "Every picture of the clip"
    else:
        every = f"One every {_number(recipe.every_seconds)} s"
    stop = "the clip's end" if recipe.stop_seconds is None else clock(recipe.stop_seconds)
    return f"{every}, from {clock(recipe.start_seconds)} to {stop}."


def _sound_image(recipe: Recipe) -> str:
    size = recipe.sound_image_size
    if recipe.sound_images == "stored":
        return (
            f"Stored with the pairs, made elsewhere; {size} {_BY} {size}. Their sound is not here."
        )
    window_seconds = Fraction(recipe.window_samples, recipe.sample_rate_hz)
    channel = "mean of all channels" if recipe.channel == "mono" else "left channel"
    levels = ""
    if recipe.representation in ("log", "mel"):
        levels = f" from {recipe.floor_db:g} to {recipe.ceiling_db:g} dB".replace("-", _MINUS)
    return (
        f"The last {float(window_seconds):.2f} s of sound before the moment "
        f"({recipe.sample_rate_hz:,} Hz, {channel}) as {_REPRESENTATIONS[recipe.representation]}"
        f"{levels}; {size} {_BY} {size}, low frequencies at the bottom, time to the right."
    )


def _frame(recipe: Recipe) -> str:
    size = recipe.picture_size
    if isinstance(recipe.picture_aspect, Fraction):
        ratio = recipe.picture_aspect
        shape = (
            f"cropped to {ratio.numerator}:{ratio.denominator}, then stored as {size} {_BY} {size}"
        )
    else:
        shape = f"squeezed into {size} {_BY} {size}, whatever its shape"
    bars = " Standing black bars are cut off." if recipe.selection.letterbox == "crop" else ""
    return f"The picture on the screen at the moment, {shape}.{bars}"


def _left_out(recipe: Recipe) -> str:
    faults = recipe.selection.leave_out
    left_out = f"{_listed(faults).capitalize()}." if faults else "Nothing for what it is."
    only = recipe.selection.only
    return f"{left_out} {_ONLY[only]}" if only else left_out


def _held_out(recipe: Recipe) -> str:
    if recipe.held_out_fraction == 0:
        return "No clip: training sees them all."
    return f"{recipe.held_out_fraction:.0%} of the clips, which training never sees."


def _listed(words: tuple[str, ...]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


def _number(value: Fraction) -> str:
    """A fraction as people write it: 23.976, 1.5, 25."""
    return f"{float(value):.3f}".rstrip("0").rstrip(".")
