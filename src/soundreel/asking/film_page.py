"""The report on films: are picture and sound in step, and against which chance."""

from __future__ import annotations

import json
from collections.abc import Sequence

from soundreel.asking.film_lines import LINES, FilmLine, FilmTests
from soundreel.asking.film_question import FilmAnswer, FilmVerdict
from soundreel.asking.report.page import Captioned, Report, Section, Table
from soundreel.asking.report.row_figures import sync_plot
from soundreel.asking.report.time_figures import cut_lags, lag_plot
from soundreel.asking.report.words import Tone
from soundreel.asking.report.written import counted, p_value, plain, share, signed

#: What is shown large, and its colour. Not to have seen it is no proof that it is not so.
FILM_HEADLINES: dict[FilmVerdict, tuple[str, Tone]] = {
    "in step with its sound": ("In step with its sound", "yes"),
    "not seen to be in step": ("Not seen to be in step", "open"),
}

#: What no verdict on films shows.
FILM_LIMITS = (
    "It sees when something happens, not what: movement, flashes and cuts against onsets and "
    "beats. Colours that follow a melody, or a story that follows the words, are another matter.",
    "It does not show what causes what, nor whether the film is good to look at.",
    "A song whose beat never changes looks the same when it is moved by a whole beat. A single "
    "film of such a song may be in step and not be seen to be; several of them are.",
    "Films whose passages are lively and quiet where their songs are may pass for being a little "
    "in step. The curves are made even over some seconds against this, but not perfectly.",
    "One test in twenty says yes where there is nothing, even if all is done well.",
)
FILM_GLOSSARY = (
    (
        "AV-Align",
        "Peaks of the sound and peaks of the picture that come within one picture of each other, "
        "over all peaks there are. Its raw value depends on the number of pictures a second and "
        "of peaks; only what is above chance means something.",
    ),
    (
        "beat alignment",
        "How near peaks of the picture lie to the nearest beat of the song: 1 is on it.",
    ),
    (
        "shifted songs",
        "What comes out when each film keeps its song, moved in time. Mood stays, timing goes.",
    ),
    (
        "swapped songs",
        "What comes out when the films exchange their songs. It decides only where there are "
        "films enough that one order among all is rare.",
    ),
    (
        "p corrected",
        "How often luck alone does as well, made stricter for there being several tests (Holm).",
    ),
)


def film_report(answer: FilmAnswer, title: str, written: str) -> Report:
    """The whole report on films; `written`: when, in words."""
    headline, tone = FILM_HEADLINES[answer.verdict]
    return Report(
        title=title,
        verdict=headline,
        tone=tone,
        opening=_opening(answer),
        numbers=_numbers(answer),
        sections=(_tests(answer), _films(answer)),
        limits=FILM_LIMITS,
        manifest_sha256=answer.digest,
        manifest_json=json.dumps(answer.manifest, indent=2, ensure_ascii=False),
        written=written,
        glossary=FILM_GLOSSARY,
    )


def film_json(answer: FilmAnswer) -> dict[str, object]:
    """All numbers of an answer, as JSON has them."""
    return {
        "format": "soundreel-evidence",
        "version": 1,
        "kind": "film",
        "verdict": answer.verdict,
        "manifest_sha256": answer.digest,
        "alpha": answer.question.alpha,
        "fps": float(answer.fps),
        "swaps_decide": answer.swaps_decide,
        "films": [
            {
                "id": film.id,
                "title": film.title,
                "seconds": film.seconds,
                "cuts": film.cuts,
                "tempo_bpm": film.tempo_bpm or None,
                "av_align": film.av_align,
                "av_align_by_chance": film.av_align_by_chance,
            }
            for film in answer.films
        ],
        "left_out": [[left.id, left.why] for left in answer.left_out],
        "lines": [
            {
                "name": line.name,
                "unit": line.unit,
                "value": line.value,
                "swap_mean": line.swap_mean,
                "shift_mean": line.shift_mean,
                "effect": line.effect,
                "ci_95": None if line.low is None else [line.low, line.high],
                "p_swap": line.p_swap,
                "p_shift": line.p_shift,
                "p_value": line.p_value,
                "p_holm": line.p_holm,
                "not_run": line.why or None,
            }
            for line in answer.tests.lines
        ],
    }


def _opening(answer: FilmAnswer) -> tuple[str, ...]:
    alpha, count = answer.question.alpha, len(answer.films)
    these = "this film" if count == 1 else f"these {counted(count, 'film', 'films')}"
    tested = [line for line in answer.tests.lines if line.p_holm is not None]
    found = [line.name for line in tested if (line.p_holm or 0.0) <= alpha]
    if found:
        first = (
            f"In {these} the picture changes when something is heard, more than luck explains: by "
            f"{_listed(found)}."
        )
    elif tested:
        first = (
            f"Of {these} it is not seen that the picture changes when something is heard. That is "
            "no proof that it does not."
        )
    else:
        first = f"Of {these} nothing could be tested: " + "; ".join(
            f"{line.name}: {line.why}" for line in answer.tests.lines
        )
    how = (
        "Each value is compared with what the same films give with their songs moved in time"
        + (" and with each other's songs" if answer.swaps_decide else "")
        + f", at {_rate(answer)} pictures a second, and corrected for there being several."
    )
    return (first, how, *_few(answer, len(tested)))


def _few(answer: FilmAnswer, tested: int) -> tuple[str, ...]:
    """What one film, or a few, can tell."""
    if answer.swaps_decide:
        return ()
    if len(answer.films) > 1:
        return (
            "There are too few films for swapped songs to say much (every order of them is as "
            "likely as the right one), so only shifted songs decide.",
        )
    seconds = max(film.seconds for film in answer.films)
    needed = tested * 4 / (float(answer.fps) * answer.question.alpha)
    short = (
        f" This one is {seconds:.1f} s long; {counted(tested, 'test', 'tests')} would need "
        f"about {needed:.0f} s for luck to be ruled out even by perfect synchrony."
        if seconds < needed
        else ""
    )
    return (
        "It is a single film: there is no other song to compare with, only its own at other "
        "times, and what holds for it may hold for no other." + short,
    )


def _numbers(answer: FilmAnswer) -> tuple[tuple[str, str, str], ...]:
    numbers = []
    for line in answer.tests.lines:
        if line.effect is not None and line.p_holm is not None:
            said = f"above chance; p corrected {p_value(line.p_holm)}"
            numbers.append((line.name, signed(line.effect), said))
    numbers.append(("Looked at", counted(len(answer.films), "film", "films"), "with their sound"))
    return tuple(numbers)


def _tests(answer: FilmAnswer) -> Section:
    return Section(
        "How well picture and sound meet",
        (
            "What is seen: movement (optical flow) and changes of light, and cuts. What is heard: "
            "onsets of notes and drums, and beats. All of these tests were planned beforehand.",
        ),
        tuple(_pictures(answer.tests, float(answer.fps))),
        (_lines(answer.tests.lines),),
        "confirmatory",
    )


def _pictures(tests: FilmTests, fps: float) -> list[Captioned]:
    pictures = []
    run = [line for line in tests.lines if line.effect is not None]
    if run:
        pictures.append(
            Captioned(
                sync_plot(
                    [line.name for line in run],
                    [line.value or 0.0 for line in run],
                    [line.chance or 0.0 for line in run],
                    [line.effect or 0.0 for line in run],
                    [line.low or 0.0 for line in run],
                    [line.high or 0.0 for line in run],
                    fps,
                ),
                "Raw values with what chance gives, and below what is left with its 95 % interval.",
            )
        )
    if tests.lags is not None:
        lags = tests.lags
        pictures.append(
            Captioned(
                lag_plot(
                    lags.seconds_L,
                    lags.correlation_L,
                    -lags.band,
                    lags.band,
                    lags.low_L,
                    lags.high_L,
                ),
                "Changes of the picture against onsets in the sound: to the right the picture "
                "comes after the sound. Above the band is more than chance at any lag.",
            )
        )
    if tests.cuts is not None:
        cuts = tests.cuts
        pictures.append(
            Captioned(
                cut_lags(
                    cuts.lag_edges, cuts.lag_counts_L, cuts.lag_null_low_L, cuts.lag_null_high_L
                ),
                f"{counted(cuts.cuts, 'cut', 'cuts')}, each less the beat nearest to it. "
                f"{share(cuts.hit_rate)} lie within {1000 * cuts.tolerance_seconds:.0f} ms of a "
                "beat.",
            )
        )
    return pictures


def _lines(lines: Sequence[FilmLine]) -> Table:
    header = ("test", "value", "songs shifted", "songs swapped", "p", "p corrected", "unit")
    rows = []
    for line in lines:
        if line.p_value is None:
            rows.append((line.name, None, None, None, None, None, f"not run: {line.why}"))
            continue
        rows.append(
            (
                line.name,
                _number(line.value),
                _number(line.shift_mean),
                _number(line.swap_mean),
                p_value(line.p_value),
                None if line.p_holm is None else p_value(line.p_holm),
                LINES[line.name],
            )
        )
    return Table(header, tuple(rows))


def _films(answer: FilmAnswer) -> Section:
    rows = tuple(
        (
            film.title,
            f"{film.seconds:.1f} s",
            f"{film.cuts}",
            f"{film.tempo_bpm:.0f}" if film.tempo_bpm else None,
            _number(film.av_align),
            _number(film.av_align_by_chance),
        )
        for film in answer.films
    )
    header = ("film", "length", "cuts", "beats a minute", "AV-Align", "by chance")
    note = "AV-Align of single films is raw; by chance: with the own song at other times."
    tables = [Table(header, rows, note)]
    if answer.left_out:
        left = tuple((left.id, left.why) for left in answer.left_out)
        tables.append(Table(("left out", "why"), left))
    said = f"All films were compared at {_rate(answer)} pictures a second."
    return Section("What was looked at", (said,), (), tuple(tables), details=True)


def _number(value: float | None) -> str | None:
    return None if value is None else plain(value, 3)


def _rate(answer: FilmAnswer) -> str:
    return f"{float(answer.fps):.4g}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
