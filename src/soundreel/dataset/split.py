"""Which clips training sees, and which it never sees."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from soundreel.dataset.store import Split


def split_clips(sha256s: Sequence[str], held_out_fraction: float) -> list[Split]:
    """A split for each clip, by its content: the same clips split the same way in any order.

    Of n clips, held_out_fraction * n (rounded; at least one of two or more) are held out; of
    those every second one is for `test` and the others for `val`, the first for `val`. A
    fraction of 0 holds nothing out, and a single clip is trained on. Clips with the same
    content go the same way.
    """
    distinct = sorted(
        set(sha256s), key=lambda sha: hashlib.sha256(f"split {sha}".encode()).digest()
    )
    count = len(distinct)
    held_out = 0
    if held_out_fraction > 0 and count > 1:
        held_out = min(max(1, round(held_out_fraction * count)), count - 1)
    split_of: dict[str, Split] = dict.fromkeys(distinct, "train")
    for place, sha in enumerate(distinct[:held_out]):
        split_of[sha] = "test" if place % 2 else "val"
    return [split_of[sha] for sha in sha256s]
