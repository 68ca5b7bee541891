"""False positives of the dataset test and of wrong ways of testing, and its power, on curves.

    python benchmarks/calibration.py [CORPORA]

CORPORA (60): null corpora of each switch. The wrong ways are tried on a quarter of them, and the
power is measured in as many of each size and coupling. Minutes on one core; a real calibration
takes 500.
"""

from __future__ import annotations

import sys
import time

from soundreel.asking.calibration import calibrate_features
from soundreel.asking.calibration_power import SIZES, power
from soundreel.progress import TerminalProgress


def main() -> None:
    """Print the tables."""
    corpora = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    progress = TerminalProgress()
    began = time.perf_counter()
    found = calibrate_features(corpora, wrong_corpora=max(1, corpora // 4), progress=progress)
    print(
        f"Rates of p <= .05 without dependence, {found.corpora} corpora of {found.videos} videos "
        f"of {found.samples} samples a switch ({found.wrong_corpora} for the wrong ways), "
        f"{time.perf_counter() - began:.0f} s:"
    )
    print(found.table)
    few = max(1, corpora // 4)
    began = time.perf_counter()
    # The protocol's largest size takes six times as long as the others together would.
    shorter = [size for size in SIZES if size.samples < 100]
    planted = power(few, progress=progress, sizes=shorter, couplings=(0.0, 0.1, 0.2))
    print(f"Power, {few} corpora each, {time.perf_counter() - began:.0f} s:")
    print(planted.table)


if __name__ == "__main__":
    main()
