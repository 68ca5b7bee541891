"""How often the detectors of dataset/ are wrong on real clips, against labels made by eye.

The clips are the test media (SOUNDREEL_MEDIA); the labels are below, one letter a frame, given by
looking at each. Thresholds were chosen on these frames, so the rows "fresh" count false alarms on
frames half a step later, which were not looked at when choosing, in clips that show none at all.

    python benchmarks/detectors.py
"""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from soundreel.dataset.letterbox import ANALYSIS_WIDTH, letterbox
from soundreel.dataset.people import WORKING_SIDE, people_judge
from soundreel.dataset.picture_faults import UNCHANGED, Frozen, change_between, is_black, is_title
from soundreel.dataset.picture_hash import NEAR_BITS, hamming, picture_hash
from soundreel.media.probe import probe
from soundreel.media.video import Fit, frames_at
from soundreel.media.writer import FilmWriter

MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", Path(__file__).parents[2] / "shared" / "media"))

# (seconds between frames, people, picture), a letter a frame from 0 s on.
# People: . nobody   1 2 so many faces   p faces, how many is a matter of taste
#         b a body whose face is tiny, hidden or half seen   n a body without a face
#         h a hand or a blurred part of a body: no face, and no saying whether it is a person
# Picture: . a scene   k black   t a text card.   In both: x undecided, not counted.
LABELS = {
    "sintel_trailer_480.mp4": (
        "1",
        "......bbbb..x111x1.xbbx1.x..1bb11xxxx.xxxx...........",
        "kx........ttx...x.k...x..................xxttttttttkk",
    ),
    "sintel_bridge_480p.mp4": ("1", "bbbb1........bbbbbbbbxb11..", "." * 27),
    "ed_opening_two_audio.mp4": (
        "3/2",
        "..bbb1222p22bbbb...b1bbbbbbbbbbbb11h2p12hppp1111",
        "." * 48,
    ),
    "case_no_audio_cosmos.mp4": (
        "1",
        "1hhhhh111.h111nnnnbbbbbbbbb.....hhbbbbb11hhhhhb111b",
        "." * 51,
    ),
    "case_many_streams_nasa.mp4": ("1/2", "b" * 11 + "x" + "b" * 15, "." * 27),
    "case_mjpeg_no_audio.mov": ("4", "n" * 12, "." * 12),
    "case_h263_amr_phone.3gp": ("1", "hhhhhxxxxx......", "." * 16),
    "case_theora_panda.ogv": ("1", "." * 14, "." * 14),
    "case_vp9_opus_bear.webm": ("1", "...", "..."),
    "case_vp9_no_audio.webm": ("1", "........xx", "." * 10),
    "case_rot180_vfr_mono.mp4": ("1", "...", "..."),
    "case_hevc_1080p.mp4": ("2", ".....", "....."),
    "case_sar_2x1.mp4": ("1", ".....", "....."),
    "case_vp9_alpha.webm": ("1", ".....", "....."),
    "case_no_duration.webm": ("1", ".....", "kkkkk"),
    "case_1fps_no_audio.mkv": ("15", ".....", "ttttt"),
    "bbb_opening_720p.mp4": ("3", "." * 32, "k......x.x" + "." * 22),
    "bbb_forest_486p.mp4": ("3", "." * 24, "." * 20 + "k..."),
    "bbb_flight_360p.mp4": ("3", "." * 24, "." * 24),
    "bbb_credits_252p.mp4": ("4", "." * 21, ".ktxxtx" + "t" * 14),
}
ED, BRIDGE, TRAILER = "ed_opening_two_audio.mp4", "sintel_bridge_480p.mp4", "sintel_trailer_480.mp4"
BARRED = {"sintel_bridge_480p.mp4": (59, 60), "sintel_trailer_mpeg1.mpg": (58, 58)}

STILLS = [(BRIDGE, "10"), (TRAILER, "23"), (ED, "33"), ("bbb_forest_486p.mp4", "46")]

# Who is in which shot: (clip, times of the photos, of other frames of that shot, of other shots).
ARTISTS = {
    "Sintel": (
        [(BRIDGE, "22.25 23 23.75")],
        [(BRIDGE, "22.5 22.75 23.25 23.5 24")],
        [(BRIDGE, "16 16.25 16.5"), (TRAILER, "14 14.25 14.5 14.75 15 23.5 27.5 31.25 31.5 31.75")],
    ),
    "Proog": (
        [(ED, "55.5 56.5")],
        [(ED, "55.75 56 56.25 56.75 57.25 57.5")],
        [(ED, "51 51.25 51.5 53.75 58.5 60.25 65.25 65.5")],
    ),
    "Emo": (
        [(ED, "9.5 12")],
        [(ED, "9 9.25 10 10.25 10.5 11 11.75 12.5")],
        [(ED, "14.5 16 16.25 68.5 69.75")],
    ),
}


def frames(name: str, times: list[Fraction], width: int | None = None) -> Iterator[np.ndarray]:
    """The clip's pictures at the times, in its shape, `width` wide (else at most 640 long)."""
    path = MEDIA / "videos" / name
    aspect = float(probe(path).display_aspect)
    width = width or round(min(WORKING_SIDE, WORKING_SIDE * aspect))
    for _, picture_HW3 in frames_at(path, times, Fit(round(width / aspect), width)):
        yield picture_HW3


def labelled(kind: int, half_later: bool = False) -> Iterator[tuple[str, str, np.ndarray]]:
    """(clip, letter, picture) of every labelled frame; or frames between them, where nothing is."""
    for name, row in LABELS.items():
        every, letters = Fraction(row[0]), row[kind]
        if half_later and set(letters) - {".", "k"}:
            continue
        shift = every / 2 if half_later else 0
        times = [every * k + shift for k in range(len(letters))]
        for letter, picture_HW3 in zip(letters, frames(name, times), strict=False):
            yield name, letter, picture_HW3


#: A frame's clip and letter, what a detector said, and how many seconds of one core it took.
Said = list[tuple[str, str, object, float]]


def judged(
    detector: Callable[[np.ndarray], object], pictures: Iterator[tuple[str, str, np.ndarray]]
) -> Said:
    """What the detector says of each picture."""
    said = []
    for name, letter, picture_HW3 in pictures:
        began = time.process_time()
        answer = detector(picture_HW3)
        said.append((name, letter, answer, time.process_time() - began))
    return said


def row(
    title: str, said: Said, present: str, absent: str, yes: Callable[[object], bool] = bool
) -> None:
    """Print one line: found of those present, wrong of those absent, milliseconds a picture."""
    here = [yes(answer) for _, letter, answer, _ in said if letter in present]
    elsewhere = [yes(answer) for _, letter, answer, _ in said if letter in absent]
    found = f"{sum(here)} of {len(here)}" if here else "-"
    wrong = f"{sum(elsewhere)} of {len(elsewhere)}"
    others = len(said) - len(here) - len(elsewhere)
    milliseconds = 1000 * float(np.median([spent for *_, spent in said]))
    print(f"{title:34} {found:>12} {wrong:>12} {others:>8} {milliseconds:8.1f}", flush=True)


def where_wrong(said: Said, absent: str) -> None:
    """Print in which clips the false alarms of a judge were."""
    wrong = Counter(name for name, letter, answer, _ in said if answer is None and letter in absent)
    print("  false alarms in", ", ".join(f"{name} {count}" for name, count in wrong.most_common()))


def goes_in(answer: object) -> bool:
    """Whether a judge lets the frame in."""
    return answer is None


def faults_and_people() -> None:
    """The table of everything that is judged picture by picture."""
    print(f"{'detector':34} {'found':>12} {'false alarm':>12} {'others':>8} {'ms':>8}")
    row("black", judged(is_black, labelled(2)), "k", ".t")
    row("title", judged(is_title, labelled(2)), "t", ".k")
    row("title, fresh", judged(is_title, labelled(2, half_later=True)), "", ".k")
    for only in ("people", "solo"):
        judge = people_judge(only)
        said, fresh = judged(judge, labelled(1)), judged(judge, labelled(1, half_later=True))
        if only == "people":
            row("people (a face or a body)", said, "12pbn", ".", goes_in)
            row("  of these, where a face shows", said, "12p", ".", goes_in)
            row("people, fresh", fresh, "", ".", goes_in)
            where_wrong(said + fresh, ".")
        else:
            row("a face at all", said, "12p", ".nh", lambda answer: answer != "no face")
            row("exactly one face", said, "1", ".nh2", goes_in)
            row("exactly one face, fresh", fresh, "", ".", goes_in)


def bars() -> None:
    """Which clips have bars, and by how many of their own rows these are off."""
    print("\nletterbox (16 pictures a clip)")
    wrong = []
    count = 0
    for path in sorted((MEDIA / "videos").iterdir()):
        info = probe(path)
        if info.video is None:
            continue
        count += 1
        seconds = info.duration_seconds or Fraction(4)
        times = [seconds * (2 * k + 1) / 32 for k in range(16)]
        found = letterbox(frames(path.name, times, ANALYSIS_WIDTH))
        if path.name in BARRED:
            rows = [float(share * info.video.height) for share in found[:2]]
            print(f"  {path.name}: cut {rows[0]:.1f} and {rows[1]:.1f} rows of "
                  f"{info.video.height}, drawn {BARRED[path.name]}; sides {found[2:]}")  # fmt: skip
        elif any(found):
            wrong.append(path.name)
    print(f"  bars where there are none: {len(wrong)} of {count - len(BARRED)} clips {wrong}")


def stills() -> None:
    """What encoders make of a still, how little films change, and what is called frozen."""
    print(f"\nfrozen (a change of at most {UNCHANGED:g} for 2 s), at 5 pictures a second")
    for width, crf in itertools.product((640, 320), (23, 33)):
        worst = max(_change_of_a_still(name, at, width, crf) for name, at in STILLS)
        print(f"  stills of {width} pixels at crf {crf} change by at most {worst:g}")
    for name in LABELS:
        seconds = probe(MEDIA / "videos" / name).duration_seconds or Fraction(4)
        times = [Fraction(k, 5) for k in range(int(5 * seconds))]
        frozen, last = Frozen(2), deque(maxlen=11)
        at, changes = [], []
        for time_seconds, picture_HW3 in zip(times, frames(name, times), strict=False):
            last.append(picture_HW3)
            if len(last) == 11:
                changes.append(change_between(last[0], picture_HW3))
            if frozen(time_seconds, picture_HW3):
                at.append(float(time_seconds))
        spans = f"first {at[0]} s, last {at[-1]} s" if at else ""
        least = " ".join(f"{change:g}" for change in sorted(changes)[:3])
        print(f"  {name}: frozen {len(at)} of {len(times)} {spans}; least changes {least}")


def _change_of_a_still(name: str, at: str, width: int, crf: int) -> float:
    """The largest change from the first picture of 11 s of a still with grain, through x264."""
    (picture_HW3,) = frames(name, [Fraction(at)], width)
    picture_HW3 = picture_HW3[: picture_HW3.shape[0] // 2 * 2]
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "still.mp4"
        with FilmWriter(film, width, len(picture_HW3), Fraction(25), crf=crf) as writer:
            for _ in range(11 * 25):
                grainy = picture_HW3 + rng.normal(0, 4, picture_HW3.shape)
                writer.write(np.clip(grainy, 0, 255).astype(np.uint8))
        times = [Fraction(k, 5) for k in range(55)]
        shown = [p for _, p in frames_at(film, times, Fit(len(picture_HW3), width))]
    return max(change_between(shown[0], picture) for picture in shown)


def moments(shots: list[tuple[str, str]]) -> Iterator[np.ndarray]:
    """The pictures of some shots."""
    for name, times in shots:
        yield from frames(name, [Fraction(t) for t in times.split()])


def artists() -> None:
    """The artist without a recognition model: same shot, other shots, other people."""
    print("\nartist by gradients (frames where a face is found)")
    for who, (photos, same, other) in ARTISTS.items():
        with tempfile.TemporaryDirectory() as folder:
            for n, picture_HW3 in enumerate(moments(photos)):
                Image.fromarray(picture_HW3).save(Path(folder) / f"{n}.png")
            judge = people_judge("artist", Path(folder))
        film = "ed_" if who == "Sintel" else "sintel"
        strangers = [
            shot
            for name, of in ARTISTS.items()
            if name != who
            for shot in itertools.chain(*of)
            if shot[0].startswith(film)
        ]
        strangers.append(("case_no_audio_cosmos.mp4", "11 12.25"))
        said = []
        for shots in (same, other, strangers):
            answers = [answer for p in moments(shots) if (answer := judge(p)) != "no face"]
            said.append(f"{answers.count(None)} of {len(answers)}")
        print(f"  {who}: same shot {said[0]}, other shots {said[1]}, other people {said[2]}")


def hashes() -> None:
    """Distances of frames encoded anew and changed, and of frames of different films."""
    print(f"\npicture hash, bits of 64 (near: {NEAR_BITS} or fewer)")
    found: dict[str, list[int | None]] = {}
    distances: dict[str, list[int]] = {}
    lost = 0
    for name in LABELS:
        every, letters = Fraction(LABELS[name][0]), LABELS[name][1]
        pictures = list(frames(name, [every * k for k in range(len(letters))]))
        height, width = (side - side % 2 for side in pictures[0].shape[:2])
        pictures = [np.ascontiguousarray(p[:height, :width]) for p in pictures]
        found[name] = [picture_hash(picture) for picture in pictures]
        lost += found[name].count(None)
        with tempfile.TemporaryDirectory() as folder:
            film = Path(folder) / "again.mp4"
            with FilmWriter(film, width, height, Fraction(25), crf=36) as writer:
                for picture in pictures:
                    writer.write(picture)
            times = [Fraction(k, 25) for k in range(len(pictures))]
            again = [picture for _, picture in frames_at(film, times, Fit(height, width))]
        for picture, encoded, before in zip(pictures, again, found[name], strict=True):
            if before is None:
                continue
            image = Image.fromarray(picture)
            changed = {
                "x264 at crf 36": encoded,
                "squashed to 256 x 256": np.asarray(image.resize((256, 256))),
                "scaled to 96 x 54": np.asarray(image.resize((96, 54))),
                "0.6 as bright": (picture * 0.6).astype(np.uint8),
                "40 brighter": np.clip(picture.astype(int) + 40, 0, 255).astype(np.uint8),
            }
            for how, other in changed.items():
                after = picture_hash(other)
                if after is not None:
                    distances.setdefault(how, []).append(hamming(before, after))
    for how, bits in distances.items():
        within = np.mean(np.array(bits) <= NEAR_BITS)
        most, usual = max(bits), np.percentile(bits, 99)
        print(
            f"  {how:24} {len(bits)} frames: median {np.median(bits):.0f}, 99% {usual:.0f}, "
            f"most {most}; near: {within:.1%}"
        )
    # Clips of one work share scenes, so only different works are compared.
    works = {name: name[:3] if name[:3] in ("bbb", "sin") else name for name in found}
    apart = [
        hamming(a, b)
        for one, other in itertools.combinations(found, 2)
        if works[one] != works[other]
        for a in found[one]
        for b in found[other]
        if a is not None and b is not None
    ]
    near = sum(bits <= NEAR_BITS for bits in apart)
    print(f"  different films          {len(apart)} pairs: least {min(apart)}, "
          f"median {np.median(apart):.0f}; near: {near}")  # fmt: skip
    print(f"  no hash                  {lost} frames (too plain)")


def main() -> None:
    """Print all tables."""
    if not (MEDIA / "videos").is_dir():
        print(f"no clips at {MEDIA / 'videos'}: set SOUNDREEL_MEDIA; nothing was measured")
        return
    faults_and_people()
    bars()
    stills()
    artists()
    hashes()


if __name__ == "__main__":
    main()
