"""What an edit says of itself: a line in the film's file, and a list of all that was taken."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import soundreel
from soundreel.atomic import write_json
from soundreel.editing.choosing import Choice
from soundreel.editing.footage import Clip, LeftOut
from soundreel.rendering.film import Span

#: A player shows a line or two of a comment: of more titles the list tells.
_MOST_LETTERS = 400


def edit_note(choices: Sequence[Choice], clips: Sequence[Clip]) -> str:
    """What the film is, and of which clips, the one shown longest first."""
    titles = [title for title, _ in _shares(choices, clips)]
    told: list[str] = []
    for title in titles:
        if told and sum(map(len, told)) + len(title) > _MOST_LETTERS:
            break
        told.append(title)
    more = f" and {len(titles) - len(told)} more" if len(told) < len(titles) else ""
    return (
        f"an edit of existing footage made with Soundreel {soundreel.__version__}, "
        f"from: {'; '.join(told)}{more}"
    )


def edit_list_path(out: Path) -> Path:
    """Where a film's edit list lies: film.edit.json beside film.mp4."""
    return out.with_name(f"{out.stem}.edit.json")


def write_edit_list(
    out: Path,
    note: str,
    span: Span,
    choices: Sequence[Choice],
    clips: Sequence[Clip],
    left_out: Sequence[LeftOut],
    seed: int,
) -> Path:
    """Write the list of a film's pieces beside it; the path. Raises: StorageError.

    Each clip with its file, how long it is shown and, where it was fetched, who made it and under
    which licence; each piece with its times in the film, the song and the clip, in seconds.
    """
    shown = sorted({one.clip for one in choices})
    place = edit_list_path(out)
    write_json(
        place,
        {
            "film": out.name,
            "note": note,
            "song": {"file": str(span.song), "title": span.title, "artist": span.artist},
            "seed": seed,
            "clips": [
                {
                    "id": clips[number].id,
                    "title": clips[number].title,
                    "file": str(clips[number].path),
                    "sha256": clips[number].sha256,
                    "shown_seconds": _plain(_shown(choices, number)),
                    **_origin(clips[number]),
                }
                for number in shown
            ],
            "pieces": [_row(one, span, clips[one.clip]) for one in choices],
            "left_out": [{"id": one.id, "why": one.why} for one in left_out],
        },
    )
    return place


def _row(choice: Choice, span: Span, clip: Clip) -> dict[str, object]:
    stretch = choice.stretch
    shown = min(stretch.seconds, choice.turn_seconds or stretch.seconds)
    row: dict[str, object] = {
        "film": [
            _plain(stretch.from_seconds - span.start_seconds),
            _plain(stretch.to_seconds - span.start_seconds),
        ],
        "song": [_plain(stretch.from_seconds), _plain(stretch.to_seconds)],
        "clip": clip.id,
        "source": [_plain(choice.from_seconds), _plain(choice.from_seconds + shown)],
    }
    if choice.turn_seconds is not None:
        row["played"] = "to and fro"
    return row


def _origin(clip: Clip) -> dict[str, str]:
    told = {} if clip.origin is None else clip.origin.model_dump(mode="json")
    return {name: word for name, word in told.items() if word}


def _shares(choices: Sequence[Choice], clips: Sequence[Clip]) -> list[tuple[str, float]]:
    """Each title with the seconds it is shown for, the longest first."""
    seconds: dict[str, float] = {}
    for one in choices:
        title = clips[one.clip].title
        seconds[title] = seconds.get(title, 0.0) + float(one.stretch.seconds)
    return sorted(seconds.items(), key=lambda pair: -pair[1])


def _shown(choices: Sequence[Choice], number: int) -> float:
    return sum(float(one.stretch.seconds) for one in choices if one.clip == number)


def _plain(seconds: Fraction | float) -> float:
    return round(float(seconds), 4)
