"""The verb that makes sound: sonify, of a video."""

from __future__ import annotations

from pathlib import Path

from soundreel.command_line.results import Json, plain, result
from soundreel.errors import SettingsError
from soundreel.progress import TerminalProgress
from soundreel.timeline import clock, exact_seconds


def sonify(
    model: str,
    video: Path,
    *,
    out: Path,
    start: str = "0",
    stop: str | None = None,
    seed: int = 0,
    look: str | None = None,
    loudness: str = "-14",
    as_json: Json = False,
) -> int:
    """Compose the sound of a video: a song, or the video with that song.

    The same command again goes on where it was stopped.

    Parameters
    ----------
    model
        A model trained with --direction picture-to-sound: a model folder, a run folder or
        hf://owner/name.
    video
        Any video (its own sound is not heard), or a still picture, which makes a drone.
    out
        The song: .wav or .flac; or a film: .mp4, .mov, .mkv or .webm. The sound has one channel.
    start
        Where in the video to begin: seconds or 1:30.
    stop
        Where to end; without it, at the video's end (of a still picture after 10 s).
    seed
        Another seed, another sound: the clip's harmony from another place, or other noise.
    look
        In whose voice, of a model with voices: auto (the training clip's that the film looks most
        like), average, a training clip, or "a:0.7,b:0.3".
    loudness
        Integrated loudness in LUFS, such as -14 or -23; keep: as loud as it was composed.

    """
    from soundreel.rendering.sonifying import sonify as run

    made = run(
        model,
        video,
        out,
        start_seconds=exact_seconds(start),
        stop_seconds=None if stop is None else exact_seconds(stop),
        seed=seed,
        look=look,
        loudness_lufs=loudness_lufs(loudness),
        progress=TerminalProgress(),
    )
    how = f"{made.loudness_lufs:.1f} LUFS, true peak {made.true_peak_dbtp:.1f} dBTP"
    if made.already_there:
        told = f"{made.path}: was there, {clock(made.seconds)}, {how}"
    else:
        picture = [] if made.picture == "none" else [f"picture {made.picture}"]
        voice = [f"voice {made.voice}"] if made.voice else []
        what = ", ".join([clock(made.seconds), *picture, f"sound {made.sound}", *voice])
        told = "\n".join([f"{made.path}: {what}, {how}", *made.notes])
    return result(as_json, told, **plain(made))


def loudness_lufs(text: str) -> float | None:
    """The loudness of --loudness: a number of LUFS, or "keep". Raises: SettingsError."""
    if text.strip().lower() == "keep":
        return None
    try:
        return float(text)
    except ValueError:
        raise SettingsError(
            f"--loudness {text!r} is not a loudness: write LUFS, such as -14, or keep"
        ) from None
