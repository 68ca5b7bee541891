"""`sonify`: a video and a picture-to-sound model become a song, or a film with that song."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import soundreel
from soundreel.atomic import write_text
from soundreel.errors import MediaError, SettingsError
from soundreel.media.composed_film import (
    FILM_SUFFIXES,
    comment_of,
    takes_picture,
    write_composed_film,
)
from soundreel.media.loudness import Loudness, LoudnessMeter, limited, loudness_of
from soundreel.media.sound import stream_sound
from soundreel.media.sound_in_pieces import write_sound_in_pieces
from soundreel.media.video import Fit
from soundreel.media.writer import FilmWriter
from soundreel.networks.bundle import Model, describe_model, load_model, require_direction
from soundreel.progress import Listener, Step, silent
from soundreel.rendering.composed_parts import ComposedParts, composed_parts
from soundreel.rendering.composing import (
    ITERATIONS,
    WINDOWS_PER_SECOND,
    Watching,
    WindowGrid,
    composed_columns,
    frames_from,
    seeing_rate,
    sound_of,
    window_grid,
)
from soundreel.rendering.film import file_sha256
from soundreel.rendering.seen_video import SeenVideo, seen_video
from soundreel.rendering.shoot import identified
from soundreel.rendering.voicing import voicing
from soundreel.sharing.pull import local_model
from soundreel.timeline import frame_count, frame_shown_at, frame_time, sample_time

#: What music is played at by the large services, and the peaks that leave room for their codecs.
LOUDNESS_LUFS, CEILING_DBTP = -14.0, -1.0
#: A sound that is nearly silent is not blown up to noise.
MOST_GAIN_DB = 30.0
SOUND_SUFFIXES = (".wav", ".flac")
_PART_SECONDS = 8
#: Where the voice is written down, for whoever goes on; windows that it is chosen by.
_VOICE, _VOICE_WINDOWS = "voice.txt", 12
_NEAR_LU = 0.1
_ROUNDS = 6


@dataclass(frozen=True)
class Composed:
    """What `sonify` made."""

    path: Path
    seconds: Fraction
    sample_rate_hz: int
    picture: str
    """"copied h264", "encoded h264" and the like, or "none" for a song."""
    sound: str
    """"wav", "flac", "encoded aac" and the like."""
    loudness_before_lufs: float | None
    """As it was composed; None where the file was there already."""
    loudness_lufs: float
    """Integrated loudness (ITU-R BS.1770); -70: silent."""
    true_peak_dbtp: float
    gain_db: float | None
    """By how much it was made louder, apart from peaks that were turned down."""
    notes: tuple[str, ...] = ()
    """What a person should know of it, a line each."""
    voice: str = ""
    """Whose voice it is in: "auto -> 003-aurora"; empty for a model without voices."""
    already_there: bool = False
    """Whether an earlier call with the same model, video and wishes had made it."""


def sonify(
    model: Path | str | Model,
    video: Path,
    out: Path,
    *,
    start_seconds: Fraction = Fraction(0),
    stop_seconds: Fraction | None = None,
    seed: int = 0,
    look: str | None = None,
    loudness_lufs: float | None = LOUDNESS_LUFS,
    windows_per_second: Fraction | int = WINDOWS_PER_SECOND,
    iterations: int = ITERATIONS,
    progress: Listener = silent,
) -> Composed:
    """Write the sound that a model hears in a video, as a song or as a film with that sound.

    model: from picture to sound: a model folder, a run folder, `hf://owner/name`, or a model that
      is loaded already.
    video: any video (its own sound is not heard), or a still picture, which makes a drone of 10 s
      where no stop is given.
    out: .wav or .flac (16 bit), or .mp4, .mov, .mkv or .webm: a film whose picture is copied from
      the video where it is all of it and that kind of film holds it, else encoded anew.
    start, stop: the span of the video.
    seed: for models that draw noise, and where in its clip's harmony a voice begins (0: at its
      beginning); the same seed gives the same sound.
    look: of a model with voices: auto (the training clip that the film looks most like), average,
      a training clip, or "a:0.7,b:0.3".
    loudness_lufs: the integrated loudness it is brought to, by 30 dB at most; true peaks are kept
      below -1 dBTP. None: as loud as it was composed, but for such peaks.
    windows_per_second, iterations: see `composing.composed_sound`.

    The sound has one channel, as every recipe hears one (`left`, or the mean of all).

    It appears under its name only when it is whole. Until then stretches of it lie beside it: the
    same call again goes on with them, and ends with the same file. A file that was made of the
    same model, video and wishes is left as it is.

    Raises: ModelError (a model that goes the other way), MediaError (no pictures), SettingsError
    (span, kind of file, look), SharingError, StorageError.
    """
    _check_place(out, video)
    _check_level(loudness_lufs)
    if isinstance(model, Model):
        folder, recipe, direction = model.folder, model.recipe, model.direction
        weights = model.config.get("weights_sha256")
    else:
        described = describe_model(local_model(model, progress))
        folder, recipe, direction = described.folder, described.recipe, described.direction
        weights = described.weights_sha256
    require_direction(folder, direction, "picture-to-sound")
    seen = seen_video(video, recipe, start_seconds, stop_seconds)
    identity: dict[str, Any] = {
        "soundreel": soundreel.__version__,
        "weights": weights,
        "recipe": recipe.model_dump(mode="json"),
        "video": file_sha256(video),
        "from": str(start_seconds),
        "seconds": str(seen.seconds),
        "fit": identified(seen.fit),
        "seed": seed,
        "look": look,
        "windows": str(windows_per_second),
        "iterations": iterations,
        "blend": "median",
    }
    told = json.dumps([identity, loudness_lufs, out.suffix.lower()], sort_keys=True)
    comment = f"soundreel sonify {hashlib.sha256(told.encode()).hexdigest()}"
    if out.is_file() and comment_of(out) == comment:
        return _as_it_is(out, seen, recipe.sample_rate_hz)
    grid = window_grid(recipe, windows_per_second)
    part = grid.columns(Fraction(_PART_SECONDS))
    columns = grid.columns(seen.seconds)
    with composed_parts(out, columns, part, not grid.is_waveform, identity) as parts:
        if parts.there() < parts.count:
            composer = model if isinstance(model, Model) else load_model(folder)
            _compose(composer, seen, parts, grid, seed, look, progress)
        told_voice = parts.folder / _VOICE
        voice = told_voice.read_text(encoding="utf-8") if told_voice.exists() else ""
        raw = parts.folder / "sound.wav"
        if not raw.exists():
            _write_sound(raw, parts, grid, seen, seed, iterations, progress)
        level = parts.folder / "level.wav"
        levels = _levelled(raw, level, recipe.sample_rate_hz, loudness_lufs, progress)
        words = {"title": seen.title, "comment": comment}
        if out.suffix.lower() in SOUND_SUFFIXES:
            sound = stream_sound(level, recipe.sample_rate_hz, "mono")
            write_sound_in_pieces(out, sound, recipe.sample_rate_hz, metadata=words)
            picture, done = "none", out.suffix.lower().lstrip(".")
        else:
            picture, done = _write_film(out, seen, level, parts.folder, words, progress)
    return Composed(
        out,
        seen.seconds,
        recipe.sample_rate_hz,
        picture,
        done,
        levels.before.integrated_lufs,
        levels.after.integrated_lufs,
        levels.after.true_peak_dbtp,
        levels.gain_db,
        levels.notes,
        voice,
    )


def _check_place(out: Path, video: Path) -> None:
    suffix = out.suffix.lower()
    if suffix not in (*SOUND_SUFFIXES, *FILM_SUFFIXES):
        kinds = ", ".join((*SOUND_SUFFIXES, *FILM_SUFFIXES[:-1]))
        raise SettingsError(f"{out}: sonify writes {kinds} or {FILM_SUFFIXES[-1]}: choose one")
    if out.is_dir():
        raise SettingsError(f"{out}: is a folder: give the song or film another name")
    if out.exists() and video.exists() and out.samefile(video):
        raise SettingsError(f"{out}: is the video itself: choose another --out")


def _check_level(loudness_lufs: float | None) -> None:
    if loudness_lufs is not None and not -60 <= loudness_lufs <= -5:
        raise SettingsError(
            f"--loudness {loudness_lufs:g}: give -60 to -5 LUFS (services play at -14), or keep"
        )


def _compose(
    model: Model,
    seen: SeenVideo,
    parts: ComposedParts,
    grid: WindowGrid,
    seed: int,
    look: str | None,
    progress: Listener,
) -> None:
    """Make the stretches that are missing."""
    fps = seeing_rate(model, grid)
    chosen = voicing(model, look, lambda: _windows_spread(model, seen, fps), seed)
    write_text(parts.folder / _VOICE, chosen.name)
    part = parts.there()
    first = part * parts.part_columns
    begin = frames_from(model, grid, fps, first)
    stop = frame_count(seen.seconds, fps)
    begin = min(begin, stop - 1)
    watching = Watching(seen.frames(fps, begin, stop), fps, model.picture_shape, begin)
    pieces = composed_columns(
        model, watching, grid, seed, first=first, seconds=seen.seconds, cueing=chosen.cue
    )
    for done in parts.write(part, pieces):
        progress(_step("compose", done, grid, seen))


def _windows_spread(model: Model, seen: SeenVideo, fps: Fraction) -> Tensor:
    """Windows of frames, evenly spread over the film: B x F x 3 x H x W in [-1, 1]."""
    frames = frame_count(seen.seconds, fps)
    before_F = [frame_shown_at(before, fps) for before in model.seen_before_seconds]
    windows = []
    for place in range(_VOICE_WINDOWS):
        newest = frames * (2 * place + 1) // (2 * _VOICE_WINDOWS)
        first = max(0, newest - before_F[0])
        watching = Watching(seen.frames(fps, first, newest + 1), fps, model.picture_shape, first)
        shown = [watching.at(frame_time(max(first, newest - b), fps)) for b in before_F]
        windows.append(torch.stack([frame for frame in shown if frame is not None]))
    return torch.stack(windows)


def _write_sound(
    raw: Path,
    parts: ComposedParts,
    grid: WindowGrid,
    seen: SeenVideo,
    seed: int,
    iterations: int,
    progress: Listener,
) -> None:
    rate = grid.recipe.sample_rate_hz
    sound = sound_of(parts.read(), grid, lambda: seen.seconds, seed=seed, iterations=iterations)

    def told() -> Iterator[np.ndarray]:
        done = 0
        for sound_N in sound:
            yield sound_N
            done += len(sound_N)
            progress(_seconds_step("sound", sample_time(done, rate), seen))

    write_sound_in_pieces(raw, told(), rate, bits=32)


@dataclass(frozen=True)
class _Levels:
    before: Loudness
    after: Loudness
    gain_db: float
    notes: tuple[str, ...]


def _levelled(
    raw: Path, level: Path, rate: int, wanted_lufs: float | None, progress: Listener
) -> _Levels:
    """The sound brought to the wanted loudness, in a file of floats.

    Peaks that are turned down make it quieter: what that costs is added, in a few rounds.
    """
    before = loudness_of(stream_sound(raw, rate, "mono"), rate)
    notes: list[str] = []
    gain_db = 0.0
    if before.is_silent:
        notes.append("it is silent, or nearly so: its level was left as it is")
    elif wanted_lufs is not None:
        gain_db = wanted_lufs - before.integrated_lufs
    after = before
    for done in range(_ROUNDS):
        progress(Step("level", done, _ROUNDS, "rounds"))
        gain_db = min(gain_db, MOST_GAIN_DB)
        meter = LoudnessMeter(rate)
        write_sound_in_pieces(
            level,
            _heard(limited(stream_sound(raw, rate, "mono"), rate, gain_db, CEILING_DBTP), meter),
            rate,
            bits=32,
        )
        after = meter.finish()
        missing = 0.0 if wanted_lufs is None else wanted_lufs - after.integrated_lufs
        if before.is_silent or abs(missing) <= _NEAR_LU or gain_db == MOST_GAIN_DB:
            break
        if done < _ROUNDS - 1:
            gain_db += missing
    progress(Step("level", _ROUNDS, _ROUNDS, "rounds"))
    if gain_db == MOST_GAIN_DB:
        notes.append(
            f"it is nearly silent: {MOST_GAIN_DB:g} dB louder, the most, it is at "
            f"{after.integrated_lufs:.1f} LUFS"
        )
    return _Levels(before, after, gain_db, tuple(notes))


def _heard(pieces: Iterator[np.ndarray], meter: LoudnessMeter) -> Iterator[np.ndarray]:
    for sound_N in pieces:
        meter.add(sound_N)
        yield sound_N


def _write_film(
    out: Path,
    seen: SeenVideo,
    sound: Path,
    folder: Path,
    words: dict[str, str],
    progress: Listener,
) -> tuple[str, str]:
    """How the picture and how the sound came into the film."""
    if seen.is_whole and seen.track is not None and takes_picture(out.suffix, seen.track.codec):
        try:
            done = write_composed_film(out, seen.path, sound, words)
            return f"copied {seen.track.codec}", done
        except MediaError:
            pass  # a stream that no muxer takes as it is
    webm = out.suffix.lower() == ".webm"
    pictures = folder / ("pictures.webm" if webm else "pictures.mp4")
    if not pictures.exists():
        width, height = seen.size
        frames = frame_count(seen.seconds, seen.fps)
        with FilmWriter(pictures, width, height, seen.fps) as writer:
            for n, frame_HW3 in enumerate(
                seen.frames(seen.fps, 0, frames, Fit(height, width, "lanczos"))
            ):
                writer.write(frame_HW3)
                progress(Step("picture", n + 1, frames, "frames"))
    return f"encoded {'vp9' if webm else 'h264'}", write_composed_film(out, pictures, sound, words)


def _as_it_is(out: Path, seen: SeenVideo, rate: int) -> Composed:
    """A file that an earlier call made."""
    found = loudness_of(stream_sound(out, rate, "mono"), rate)
    is_song = out.suffix.lower() in SOUND_SUFFIXES
    return Composed(
        out,
        seen.seconds,
        rate,
        "none" if is_song else "there already",
        out.suffix.lower().lstrip(".") if is_song else "there already",
        None,
        found.integrated_lufs,
        found.true_peak_dbtp,
        None,
        already_there=True,
    )


def _step(task: str, columns: int, grid: WindowGrid, seen: SeenVideo) -> Step:
    done = sample_time(columns * grid.step, grid.recipe.sample_rate_hz)
    return _seconds_step(task, done, seen)


def _seconds_step(task: str, done_seconds: Fraction, seen: SeenVideo) -> Step:
    total = float(seen.seconds)
    return Step(task, round(min(float(done_seconds), total), 1), round(total, 1), "seconds")
