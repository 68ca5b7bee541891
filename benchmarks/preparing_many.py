"""Preparing many clips with one worker and with two: how much quicker, and how much memory each.

Each round prepares the same clips (real ones where the test media are, else made here) three
times in a process of its own, interleaved: with one worker of one thread, as each of several
workers is; with one worker that may use every core for decoding, as `--workers 1` is; and with
two workers. Medians of wall time; the highest peak of memory of any worker.

    python benchmarks/preparing_many.py [ROUNDS]
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clip_to_measure import MEDIA, clip_720p

BAR_RATIO, BAR_GIGABYTES = 1.7, 0.3
_REAL = (
    "bbb_30s_vp8.webm",
    "bbb_credits_252p.mp4",
    "bbb_flight_360p.mp4",
    "bbb_forest_486p.mp4",
    "bbb_opening_720p.mp4",
    "ed_opening_two_audio.mp4",
    "sintel_bridge_480p.mp4",
    "sintel_trailer_480.mp4",
)
_TIMES_EACH = 2
WAYS = {"one worker, one thread": (1, True), "one worker": (1, False), "two workers": (2, False)}


def clips_in(folder: Path) -> list[Path]:
    """The clips to prepare, each a few times under names of its own."""
    there = [MEDIA / "videos" / name for name in _REAL if (MEDIA / "videos" / name).is_file()]
    if len(there) < len(_REAL):
        with clip_720p() as clip:
            there = [Path(shutil.copy(clip, folder / "made.mp4"))] * 4
    copies = []
    for turn in range(_TIMES_EACH):
        for place, path in enumerate(there):
            copy = folder / f"{turn}-{place}{path.suffix}"
            copy.symlink_to(path.resolve())
            copies.append(copy)
    return copies


def measure(clips: list[Path], out: Path, workers: int, one_thread: bool) -> dict[str, float]:
    """Wall seconds and the workers' peak bytes of one preparation, in a process of its own."""
    environment = dict(os.environ)
    if one_thread:
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    command = [sys.executable, __file__, "--one", str(workers), str(out), *map(str, clips)]
    run = subprocess.run(command, check=True, capture_output=True, env=environment)
    shutil.rmtree(out)
    return json.loads(run.stdout)


def one(workers: int, out: Path, clips: list[Path]) -> None:
    """What `measure` runs: prints its numbers as JSON."""
    from soundreel.dataset.build import prepare
    from soundreel.recipe import recipe_from

    recipe = recipe_from("default", every_seconds="1/2")
    began = time.perf_counter()
    prepare(clips, out, recipe, workers=workers)
    who = resource.RUSAGE_CHILDREN if workers > 1 else resource.RUSAGE_SELF
    peak = resource.getrusage(who).ru_maxrss * 1024 / 1e9
    print(json.dumps({"wall": time.perf_counter() - began, "gigabytes": peak}))


def main() -> None:
    """Print the table and the verdicts."""
    if sys.argv[1:2] == ["--one"]:
        one(int(sys.argv[2]), Path(sys.argv[3]), [Path(clip) for clip in sys.argv[4:]])
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        clips = clips_in(Path(folder))
        for _ in range(rounds):
            for way, (workers, one_thread) in WAYS.items():
                runs[way].append(measure(clips, Path(folder) / "set", workers, one_thread))
    wall = {way: statistics.median(run["wall"] for run in found) for way, found in runs.items()}
    print(f"{len(clips)} clips, {rounds} rounds")
    for way, found in runs.items():
        peak = max(run["gigabytes"] for run in found)
        ratio = wall[way] / wall["two workers"]
        print(f"{way:24} {wall[way]:6.1f} s  {ratio:4.2f} x two workers'  peak {peak:.2f} GB")
    ratio = wall["one worker, one thread"] / wall["two workers"]
    print(verdict("two workers against one of the same kind", ratio >= BAR_RATIO, ratio))
    most = max(run["gigabytes"] for run in runs["two workers"])
    print(verdict("memory a worker, GB", most <= BAR_GIGABYTES, most))


def verdict(what: str, reached: bool, value: float) -> str:
    """A line that says whether a bar is reached."""
    return f"{what}: {value:.2f}, {'reached' if reached else 'MISSED'}"


if __name__ == "__main__":
    main()
