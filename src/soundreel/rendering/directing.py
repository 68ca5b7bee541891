"""Directing: a shot list and the models it names become a shoot, all times turned into frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from soundreel.rendering.accents import accent_envelope
from soundreel.rendering.film import Span
from soundreel.rendering.shoot import Eye, Shoot, Stretch
from soundreel.rendering.shot_list import ShotList
from soundreel.rendering.smooth import DEFAULT_SECONDS, smoothing_kernel
from soundreel.sound.rhythm import OnsetEnvelope
from soundreel.timeline import frame_count, frame_time

#: At high frame rates the default smoothing is shorter, so that it needs no more frames.
_MOST_FRAMES = Fraction(9)


@dataclass(frozen=True)
class Role:
    """Whose turn it is from a frame on: an eye, how long it takes to come in, how accented."""

    eye: int
    first: int
    fade: int
    accent: float


def direct(
    shots: ShotList,
    eyes: Sequence[Eye],
    eye_of_shot: Mapping[int, int],
    span: Span,
    song_sha256: str,
    fps: Fraction,
    onset: OnsetEnvelope | None,
    beat_seconds: Sequence[float],
    one_in: int = 1,
) -> Shoot:
    """The shoot of a span of a song.

    eyes: the models; eye_of_shot: which of them sees each shot (a shot that is not named: 0).
    onset: of the whole song, where the film is smoothed between onsets.
    beat_seconds: of the song, where beats are accented.

    Raises: SettingsError if the list counts in bars that it does not know.
    """
    frames = span.frames(fps)
    roles = _roles(shots, eye_of_shot, span, fps, frames)
    stretches = _stretches(shots, eyes, roles, span, fps, frames, onset, one_in)
    accent_F = None
    if shots.film.accent != "none" and any(role.accent for role in roles):
        strength_F = np.zeros(frames, np.float32)
        for role, stop in zip(roles, [*(role.first for role in roles[1:]), frames], strict=True):
            strength_F[role.first : stop] = role.accent
        accent_F = strength_F * accent_envelope(frames, fps, beat_seconds, span.start_seconds)
    return Shoot(
        song=span.song,
        song_sha256=song_sha256,
        start_seconds=span.start_seconds,
        fps=fps,
        frames=frames,
        eyes=tuple(eyes),
        stretches=tuple(stretches),
        accent_F=accent_F,
        accent=shots.film.accent,
        one_in=one_in,
    )


def _roles(
    shots: ShotList, eye_of_shot: Mapping[int, int], span: Span, fps: Fraction, frames: int
) -> list[Role]:
    """The shots that are seen in the span, in frames; the first begins at frame 0."""
    roles: list[Role] = []
    for number, (shot, at_seconds) in enumerate(zip(shots.shot, shots.shot_seconds(), strict=True)):
        first = max(0, frame_count(at_seconds - span.start_seconds, fps))
        if first >= frames:
            break
        length = shots.film.crossfade if shot.crossfade is None else shot.crossfade
        fade_seconds = shots.seconds_of(length, at_seconds)
        strength = (
            shots.film.accent_strength if shot.accent_strength is None else shot.accent_strength
        )
        role = Role(eye_of_shot.get(number, 0), first, frame_count(fade_seconds, fps), strength)
        if roles and roles[-1].first == first:
            roles.pop()  # it would not be seen for a single frame
        roles.append(role)
    if not roles or roles[0].first > 0:
        roles.insert(0, Role(0, 0, 0, shots.film.accent_strength))
    return roles


def _stretches(
    shots: ShotList,
    eyes: Sequence[Eye],
    roles: Sequence[Role],
    span: Span,
    fps: Fraction,
    frames: int,
    onset: OnsetEnvelope | None,
    one_in: int,
) -> list[Stretch]:
    """Neighbouring roles of one eye are one stretch: there is nothing to fade between them."""
    changes = [
        role for place, role in enumerate(roles) if not place or role.eye != roles[place - 1].eye
    ]
    stops = [*(role.first for role in changes[1:]), frames]
    fades = [
        min(role.fade, stop - role.first) if place else 0
        for place, (role, stop) in enumerate(zip(changes, stops, strict=True))
    ]
    # Of what lies between two pictures of a draft nothing is left to be evened out.
    kind = shots.film.smooth if one_in == 1 else "none"
    given = shots.film.smooth_seconds
    seconds = min(DEFAULT_SECONDS, _MOST_FRAMES / fps) if given is None else given
    stretches = []
    for place, (role, stop, fade) in enumerate(zip(changes, stops, fades, strict=True)):
        seen_until = stop + (fades[place + 1] if place + 1 < len(changes) else 0)
        kernel = smoothing_kernel(
            kind,
            seen_until - role.first,
            fps,
            onset,
            seconds=seconds,
            start_seconds=span.start_seconds + frame_time(role.first, fps),
            cuts=_cuts_within(eyes[role.eye], role.first, seen_until),
        )
        stretches.append(Stretch(role.eye, role.first, stop, seen_until, fade, kernel))
    return stretches


def _cuts_within(eye: Eye, first: int, stop: int) -> list[int]:
    """Where an eye's track cuts within a stretch, in frames of the stretch."""
    cuts = () if eye.track is None else eye.track.cuts
    return [cut - first for cut in cuts if first < cut < stop]
