"""What a model card says once the model is shared: pictures, the audit, and whose rights these are.

The card that training wrote, or that a person has since edited, stays as it is; what is added
stands between two marks, and is written anew by every push.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from soundreel.sharing.audit import Audit

_BEGIN, _END = "<!-- soundreel push: written anew by every push -->", "<!-- /soundreel push -->"
_OLD = re.compile(re.escape(_BEGIN) + ".*?" + re.escape(_END) + r"\n*", re.DOTALL)
_MOST_SOURCES = 20


def shared_card(
    card: str,
    config: dict[str, Any],
    address: str,
    files_url: str,
    has_sheet: bool,
    film: str | None,
    audit: Audit | None,
) -> str:
    """The README.md of a model on the Hub.

    card: that of the model folder. config: its config.json. address: `hf://owner/name`.
    files_url: where a browser finds the repository's files. film: its name there, if any.
    """
    parts = [
        _use(config, address),
        *([_SHEET] if has_sheet else []),
        *([_film(film, files_url)] if film else []),
        *([_audit(audit)] if audit else []),
        _rights(config, film is not None),
    ]
    block = "\n\n".join([_BEGIN, *parts, _END])
    head, heading, rest = _OLD.sub("", card).partition("\n## ")
    return f"{head.rstrip()}\n\n{block}\n{heading}{rest}"


_SHEET = """## What it makes

![What it makes, beside real frames](sheet.png)

The last sample sheet of its training. The real frames on it are its videos' makers'."""


def _use(config: dict[str, Any], address: str) -> str:
    verb = {
        "sound-to-picture": f"soundreel render {address} song.mp3 --out film.mp4",
        "picture-to-sound": f"soundreel sonify {address} film.mp4 --out song.wav",
    }[config["direction"]]
    return f"```\n{verb}\n```"


def _film(name: str, files_url: str) -> str:
    shown = (
        f"![A film made with it]({name})"
        if name.endswith(".gif")
        else f'<video controls src="{files_url}/{name}"></video>'
    )
    return f"## A film made with it\n\n{shown}\n\n[{name}]({name})"


def _audit(audit: Audit) -> str:
    rows = "\n".join(f"| {name} | {value} | {reading} |" for name, value, reading in audit.rows)
    table = f"\n\n| | | how to read it |\n|---|---|---|\n{rows}" if rows else ""
    page = ", [the whole report](audit.html)" if audit.report_file else ""
    return (
        f"## Audit: does it use the music?\n\n`soundreel ask` says **{_plain(audit.verdict)}**, "
        f"asked with {audit.songs} songs that it never heard.{table}\n\n"
        f"[All numbers](audit.json){page}."
    )


def _rights(config: dict[str, Any], has_film: bool) -> str:
    lines = [rights_note(config)]
    if has_film:
        lines.append("The rights in the film's song are its makers'.")
    sources = _sources(config)
    if sources:
        shown = "\n".join(f"- <{source}>" for source in sources[:_MOST_SOURCES])
        more = len(sources) - _MOST_SOURCES
        lines.append(f"The videos came from:\n\n{shown}")
        lines.extend([f"and {more} more."] if more > 0 else [])
    else:
        lines.append("Its config does not say where the videos came from; ask who shared it.")
    return "## Rights\n\n" + "\n\n".join(lines)


def rights_note(config: dict[str, Any]) -> str:
    """Whose a model's pictures are, in a sentence or two."""
    made = "films" if config.get("direction") == "sound-to-picture" else "sounds"
    return (
        "The rights in the videos that this model was trained on are their makers'; sharing the "
        f"model grants none in them. The {made} it makes may resemble those videos: whoever "
        "publishes one answers for it."
    )


def _sources(config: dict[str, Any]) -> Sequence[str]:
    """Public addresses of the training videos that a config names; a path here is nobody's."""
    training = config.get("training")
    named = training.get("sources") if isinstance(training, dict) else None
    return [
        source
        for source in (named if isinstance(named, list) else [])
        if isinstance(source, str) and re.fullmatch(r"https?://[^\s<>@|]{1,300}", source)
    ]


def _plain(text: str) -> str:
    return re.sub(r"[^\w .,:%+-]", " ", text)
