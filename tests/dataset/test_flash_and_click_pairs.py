"""The pair at the flash has the click in the column where it must be: picture and sound of a clip
meet in the dataset as they do in the file, at every rate, codec and container."""

from fractions import Fraction

import numpy as np
import pytest

from flash_and_click import FPS_OF_THE_WORLD, steady_times, uneven_times, write_flash_and_click
from soundreel.dataset.build import prepare
from soundreel.dataset.loading import load_pairs
from soundreel.recipe import recipe_from
from soundreel.timeline import nearest_sample, samples_before

KINDS = [(".mp4", "libx264"), (".mkv", "libx264"), (".webm", "libvpx-vp9"), (".mp4", "libvpx-vp9")]
RATES = [*FPS_OF_THE_WORLD, None]
FLASH = 12
BEFORE = Fraction(1, 50)


@pytest.mark.parametrize(("suffix", "codec"), KINDS)
@pytest.mark.parametrize("fps", RATES, ids=lambda fps: f"{float(fps):.3f}" if fps else "variable")
def test_the_pair_at_the_flash_has_the_click_in_its_column(tmp_path, suffix, codec, fps):
    times = uneven_times(40) if fps is None else steady_times(fps, 40)
    flash_seconds = times[FLASH]
    clip = write_flash_and_click(
        tmp_path / f"clip{suffix}",
        times,
        video_codec=codec,
        flash_frame=FLASH,
        click_seconds=flash_seconds - BEFORE,
    )
    recipe = recipe_from(
        "default",
        picture_aspect="ignore",
        start_seconds=flash_seconds,
        every_seconds=Fraction(1, 100),
        stop_seconds=flash_seconds + Fraction(1, 5),
        picture_size=64,
    )
    pairs = load_pairs(prepare([clip.path], tmp_path / "set", recipe), None)
    white_N = np.array([frame[:, 40:].mean() for frame in pairs.frames_N3HW]) > 200
    held = times[FLASH + 1] - flash_seconds
    # WebM's stamps are whole milliseconds: the frame after may begin half of one early.
    shown = {k for k in range(20) if Fraction(k, 100) < held - Fraction(1, 1000)}
    assert {int(k) for k in np.flatnonzero(white_N)} == shown

    click = nearest_sample(flash_seconds - BEFORE, 44_100)
    for k in (0, 7, 19):
        end = samples_before(flash_seconds + Fraction(k, 100), 44_100)
        first = end - recipe.window_samples
        expected = (click - first - recipe.segment_samples / 2) / recipe.hop_samples
        loudness_W = pairs.sound_images([k])[0, 0, 100:200].mean(0).numpy()
        # Lossy codecs smear a click over a few milliseconds; a column is 5.6 ms.
        assert abs(int(loudness_W.argmax()) - expected) <= 1.5, f"pair {k}"
