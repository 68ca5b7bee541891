"""Keep a calibration with the program, to be shown in reports.

soundreel ask --calibrate 500 --out calibration.html
python benchmarks/keep_calibration.py calibration.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import soundreel.asking
from soundreel.asking.calibrated import FILE, summary_of
from soundreel.atomic import write_json


def main(numbers_file: Path) -> None:
    """Write the summary of a calibration's numbers into the package."""
    summary = summary_of(json.loads(numbers_file.read_text(encoding="utf-8")))
    place = Path(soundreel.asking.__file__).with_name(FILE)
    write_json(place, summary)
    print(f"{place}: {summary['corpora']} corpora of each kind, passes: {summary['passes']}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
