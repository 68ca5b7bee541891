"""Preparing one clip whole (frames, sound, sound images): ours against the notebook's method.

The clip is a real 720p one where the test media are there, else one made on the spot; the
recipe is the paper's (30 s to 90 s, a picture every 1.5 s). Each round runs both, each in a
process of its own, imports included; medians of wall time and peak memory.

    python benchmarks/preparing_clip.py [ROUNDS]
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clip_to_measure import clip_720p

BAR_RATIO, BAR_GIGABYTES = 6.0, 0.3


def ours(clip: Path, out: Path) -> None:
    """`soundreel prepare`: frames and sound on disk (sound images come when used)."""
    from soundreel.dataset.build import prepare
    from soundreel.recipe import recipe_from

    prepare([clip], out, recipe_from("paper"))


def with_images(clip: Path, out: Path) -> None:
    """The same and the 40 sound images, as training computes them (torch's own import included)."""
    import numpy as np

    from soundreel.dataset.build import prepare
    from soundreel.dataset.loading import load_pairs
    from soundreel.recipe import recipe_from

    pairs = load_pairs(prepare([clip], out, recipe_from("paper")), None)
    pairs.sound_images(np.arange(len(pairs)))


def notebook(clip: Path, out: Path) -> None:
    """The 2019 original's way: all frames in one array, samples copied one by one, scipy."""
    import av
    import cv2
    import numpy as np
    import scipy.signal

    film = cv2.VideoCapture(str(clip))
    fps = film.get(cv2.CAP_PROP_FPS)
    first, last = int(30 * fps), int(90 * fps)
    width, height = (
        int(film.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    frames = np.empty((last - first, height, width, 3), np.uint8)
    for n in range(last):
        _, frame = film.read()
        if n >= first:
            frames[n - first] = frame
    with av.open(str(clip)) as container:
        resampler = av.AudioResampler("s16p", "stereo", 44_100)
        blocks = [
            resampled.to_ndarray()[0]
            for frame in container.decode(audio=0)
            for resampled in resampler.resample(frame)
        ]
    left = np.concatenate(blocks)
    rows, columns = (np.floor(np.linspace(0, n - 1, 256)).astype(int) for n in (height, width))
    out.mkdir()
    for k in range(40):
        end = int((30 + 1.5 * k) * 44_100)
        window = np.zeros(65_536)
        for n in range(65_536):
            window[n] = left[end - 65_536 + n]
        density = scipy.signal.spectrogram(window, 44_100, nperseg=288, noverlap=33, nfft=510)[2]
        grey = np.clip(density, 0, 255).astype(np.uint8)
        picture = frames[int(1.5 * k * fps)][rows][:, columns]
        pair = np.concatenate([picture, np.repeat(grey[:, :256, None], 3, 2)], 1)
        cv2.imwrite(str(out / f"{k}.jpg"), pair)


def measure(method: str, clip: Path) -> tuple[float, float]:
    """Wall seconds and peak gigabytes of one method in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, __file__, method, str(clip), str(Path(folder) / "out")],
            check=True,
            capture_output=True,
            text=True,
        )
        return time.perf_counter() - began, json.loads(done.stdout)["gigabytes"]


METHODS = {"ours": ours, "+ images": with_images, "notebook": notebook}


def main(rounds: int) -> None:
    """Run the rounds and print the table."""
    with clip_720p() as clip:
        results = {method: [] for method in METHODS}
        for _ in range(rounds):
            for method, measured in results.items():
                measured.append(measure(method, clip))
    median = {
        method: [statistics.median(column) for column in zip(*measured, strict=True)]
        for method, measured in results.items()
    }
    ratio = median["notebook"][0] / median["ours"][0]
    print(f"{'method':10} {'wall s':>8} {'peak GB':>8}")
    for method, (seconds, gigabytes) in median.items():
        print(f"{method:10} {seconds:8.2f} {gigabytes:8.2f}")
    print(f"{ratio:.1f} x faster (bar: {BAR_RATIO} x), peak {median['ours'][1]:.2f} GB ", end="")
    print(f"(bar: {BAR_GIGABYTES} GB)")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        METHODS[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"gigabytes": peak / 1024**2}))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
