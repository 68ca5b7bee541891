"""The pictures of a clip (30 s to 90 s, 40 of them) against a bare decode and the notebook's way.

Two 720p clips: the one of `clip_to_measure`, and the same pictures encoded with x264's usual
B-frames (of which other pictures need only some). Each round runs every way in a process of its
own, imports not counted; medians of wall and processor time, and the highest peak of memory.

    python benchmarks/preparing_video.py [ROUNDS]
"""

from __future__ import annotations

import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from clip_to_measure import clip_720p

BAR_WITH_B_FRAMES, BAR_WITHOUT = 0.65, 1.1
START_SECONDS, STOP_SECONDS, PICTURES = 30, 90, 40


def ours(clip: Path) -> int:
    """`frames_at` with the default's area scaling."""
    return len(pictures(clip))


def pictures(clip: Path) -> list[bytes]:
    """The pictures of `ours`, to be compared with those of `ours_all`."""
    from soundreel.media.video import Fit, frames_at

    times = [START_SECONDS + Fraction(3, 2) * k for k in range(PICTURES)]
    return [picture.tobytes() for _, picture in frames_at(clip, times, Fit(256, 256))]


def ours_all(clip: Path) -> int:
    """The same without dropping any packet."""
    return len(all_decoded(clip))


def all_decoded(clip: Path) -> list[bytes]:
    """The pictures of `ours` with everything decoded, as a plain reader does."""
    from soundreel.media import video

    rules_for = video.rules_for
    video.rules_for = lambda stream: None
    try:
        return pictures(clip)
    finally:
        video.rules_for = rules_for


def bare_decode(clip: Path) -> int:
    """Every picture of the span decoded and thrown away: the ffmpeg program, else PyAV."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg:
        span = ["-ss", str(START_SECONDS), "-to", str(STOP_SECONDS)]
        command = [ffmpeg, "-v", "error", *span, "-i", str(clip), "-an", "-f", "null", "-"]
        subprocess.run(command, check=True)
        return PICTURES
    import av

    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        container.seek(int(START_SECONDS * 1_000_000))
        for frame in container.decode(stream):
            if frame.time is not None and frame.time >= STOP_SECONDS:
                break
    return PICTURES


def notebook(clip: Path) -> int:
    """The 2019 original's: all pictures into one array with OpenCV, then rows and columns of it."""
    import cv2
    import numpy as np

    film = cv2.VideoCapture(str(clip))
    fps = film.get(cv2.CAP_PROP_FPS)
    first, last = int(START_SECONDS * fps), int(STOP_SECONDS * fps)
    width, height = (
        int(film.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    pictures = np.empty((last - first, height, width, 3), np.uint8)
    for n in range(last):
        picture = film.read()[1]
        if n >= first:
            pictures[n - first] = picture
    rows = np.floor(np.linspace(0, height - 1, 256)).astype(int)
    columns = np.floor(np.linspace(0, width - 1, 256)).astype(int)
    return len([pictures[int(k * 1.5 * fps)][rows][:, columns] for k in range(PICTURES)])


WAYS: dict[str, Callable[[Path], int]] = {
    way.__name__: way for way in (bare_decode, ours, ours_all, notebook)
}


def measure(way: str, clip: Path) -> dict[str, float]:
    """Wall and processor seconds and peak bytes of one run, in a process of its own."""
    command = [sys.executable, __file__, "--one", way, str(clip)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def one(way: str, clip: Path) -> None:
    """What `measure` runs: prints its numbers as JSON."""
    import av  # noqa: F401 - imported before the clock starts, as the next two
    import numpy as np  # noqa: F401

    import soundreel.media.video  # noqa: F401

    if way == "notebook":
        import cv2  # noqa: F401
    wall, cpu = time.perf_counter(), processor_seconds()
    count = WAYS[way](clip)
    assert count == PICTURES, f"{way} gave {count} pictures"
    peaks = [resource.getrusage(who).ru_maxrss for who in _WHO]
    numbers = {
        "wall": time.perf_counter() - wall,
        "cpu": processor_seconds() - cpu,
        "gigabytes": max(peaks) * 1024 / 1e9,
    }
    print(json.dumps(numbers))


_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def processor_seconds() -> float:
    """Of this process and those it has waited for."""
    uses = [resource.getrusage(who) for who in _WHO]
    return sum(use.ru_utime + use.ru_stime for use in uses)


def write_with_b_frames(clip: Path, path: Path) -> None:
    """The clip's first 92 s with x264's usual three B-frames and a group of 5 s at most."""
    import av
    from av.video.stream import VideoStream

    from soundreel.media.video import Fit, frames_at

    fps = 24
    options = {"preset": "veryfast", "bf": "3", "g": str(5 * fps), "crf": "23"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        times = [Fraction(n, fps) for n in range(92 * fps)]
        for _, picture in frames_at(clip, times, Fit(720, 1280)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def table(name: str, clip: Path, rounds: int, bar: float) -> None:
    """Measure one clip and print its rows."""
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for n in range(rounds):
        for way in WAYS:
            if way != "notebook" or n == 0:  # it needs 4 GB and many seconds
                runs[way].append(measure(way, clip))
    wall = {way: statistics.median(run["wall"] for run in found) for way, found in runs.items()}
    print(f"\n{name}, {rounds} rounds (notebook: 1)")
    print(f"{'':12} {'wall s':>7} {'cpu s':>7} {'peak GB':>8} {'x bare decode':>14}")
    for way, found in runs.items():
        cpu = statistics.median(run["cpu"] for run in found)
        peak = max(run["gigabytes"] for run in found)
        ratio = wall[way] / wall["bare_decode"]
        print(f"{way:12} {wall[way]:7.2f} {cpu:7.2f} {peak:8.2f} {ratio:14.2f}")
    ratio = wall["ours"] / wall["bare_decode"]
    verdict = "reached" if ratio <= bar else "MISSED"
    print(f"bar: ours <= {bar} x bare decode: {ratio:.2f}, {verdict}")
    print(f"notebook / ours: {wall['notebook'] / wall['ours']:.1f} x")
    # Apart, as every other run: what is decoded here would count in the peaks of what comes next.
    command = [sys.executable, __file__, "--same", str(clip)]
    same = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    print(f"pixels, with packets dropped and with everything decoded: {same}")


def main() -> None:
    """Print both tables."""
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], Path(sys.argv[3]))
        return
    if sys.argv[1:2] == ["--same"]:
        clip = Path(sys.argv[2])
        print("the same" if pictures(clip) == all_decoded(clip) else "DIFFERENT")
        return
    if sys.argv[1:2] == ["--encode"]:
        write_with_b_frames(Path(sys.argv[2]), Path(sys.argv[3]))
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with clip_720p() as clip, tempfile.TemporaryDirectory() as folder:
        table("clip as it is", clip, rounds, BAR_WITHOUT)
        b_frames = Path(folder) / "b_frames.mp4"
        # In a process of its own: what is started later would count this one's peak as its own.
        subprocess.run([sys.executable, __file__, "--encode", clip, b_frames], check=True)
        table("with B-frames", b_frames, rounds, BAR_WITH_B_FRAMES)


if __name__ == "__main__":
    main()
