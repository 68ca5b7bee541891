"""Streaming from shards: every pair once an epoch, to the bit what the dataset folder holds,
resumed anywhere, in bounded memory, and what is damaged is named."""

import gc
import io
import json
import shutil
import tarfile
import threading
import time
import weakref
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, pairwise
from pathlib import Path

import fsspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.atomic import write_json
from soundreel.dataset import streaming
from soundreel.dataset.exchange.export import export
from soundreel.dataset.exchange.shard_folder import write_shard_lists
from soundreel.dataset.exchange.shards import write_clip_shards
from soundreel.dataset.exchange.side_by_side import import_pairs
from soundreel.dataset.loading import Pairs, load_pairs
from soundreel.dataset.store import (
    ClipRow,
    Dataset,
    Split,
    frame_name,
    open_dataset,
    write_frame,
    write_rows,
)
from soundreel.dataset.streaming import StreamedPairs, is_shard_place, load_shards, open_stream
from soundreel.errors import DatasetError, SettingsError
from soundreel.media.sound import write_sound
from store_on_this_machine import store_with
from textured_clips import RATE_HZ, small_recipe

#: Clips by the places of their frames, each with frames up to 2.5 s and sound up to 2 s: whole,
#: with frames deleted in the middle (few, and more than a window's worth), short, and late.
CLIPS = {
    "whole": range(50),
    "some deleted": [*range(7), *range(9, 40)],
    "many deleted": [*range(5), *range(31, 50)],
    "one": [12],
    "two at the end": [48, 49],
    "held out": range(20),
    "held out too": range(40),
}
PAIRS = 50 + 38 + 24 + 1 + 2
ONE_CLIP = 1  # bytes in a block: each clip is a block of its own


def made(folder: Path, **changes) -> Dataset:
    """A dataset of these clips, of noise."""
    recipe = small_recipe(picture_size=16, **changes)
    rows = []
    for number, (name, places) in enumerate(CLIPS.items()):
        rng = np.random.default_rng(number)
        clip = folder / "clips" / name
        (clip / "frames").mkdir(parents=True)
        row = ClipRow(
            id=name,
            title=name,
            source=f"{name}.mp4",
            bytes=0,
            sha256="",
            split="val" if name.startswith("held out") else "train",
            pairs=len(places),
            places=50,
        )
        for k in places:
            time_seconds = k * recipe.step_seconds(None)
            frame_HWC = rng.integers(0, 256, (16, 16, 3), np.uint8)
            write_frame(clip / "frames" / frame_name(k, time_seconds), frame_HWC, 90)
        sound = rng.uniform(-0.5, 0.5, 2 * RATE_HZ).astype(np.float32)
        write_sound(clip / "sound.flac", sound, RATE_HZ)
        rows.append(row)
    write_json(folder / "recipe.json", recipe.model_dump(mode="json"))
    write_rows(folder, rows)
    return open_dataset(folder)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    return made(tmp_path_factory.mktemp("made") / "dataset")


@pytest.fixture(scope="module")
def shards(dataset, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "shards"
    export(dataset.folder, "shards", out)
    return out


@pytest.fixture
def own_shards(shards, tmp_path) -> Path:
    """A copy to break."""
    return shutil.copytree(shards, tmp_path / "own")


@contextmanager
def opened(where, split: Split = "train", seed=0, block_bytes=2**31) -> Iterator[StreamedPairs]:
    stream = open_stream(where, split, seed, block_bytes)
    try:
        yield stream
    finally:
        stream.close()


def named(pairs: Pairs) -> list[tuple[str, float]]:
    """What tells a pair from all others: its clip and its time."""
    clips = [str(pairs.clip_ids[clip]) for clip in pairs.clip_N]
    return list(zip(clips, pairs.time_seconds_N.tolist(), strict=True))


def in_order(stream: StreamedPairs, epoch: int, batch: int = 8) -> list[tuple[str, float]]:
    count = len(stream)
    return [
        name
        for first in range(0, count, batch)
        for name in named(stream.take(epoch, range(first, min(first + batch, count))))
    ]


def same_to_the_bit(taken: Pairs, folder: Pairs) -> None:
    """Each taken pair is the folder's pair of that clip and time."""
    place_of = {name: n for n, name in enumerate(named(folder))}
    places = [place_of[name] for name in named(taken)]
    every = range(len(taken))
    assert (taken.pictures(every) == folder.pictures(places)).all()
    assert (taken.sound_images(every) == folder.sound_images(places)).all()
    one_by_one = [taken.sound_images([n])[0] for n in every]
    assert all((one_by_one[n] == folder.sound_images([places[n]])[0]).all() for n in every)


GRIDS = {
    "shared windows": {},
    "windows apart": {"every_seconds": "3/25"},
    "windows far apart": {"every_seconds": "1/4"},
    "waveform": {"representation": "waveform", "window_samples": 64 * 64},
}


@pytest.mark.parametrize("changes", GRIDS.values(), ids=GRIDS)
def test_a_pair_is_to_the_bit_what_the_dataset_folder_holds(changes, tmp_path):
    dataset = made(tmp_path / "dataset", **changes)
    export(dataset.folder, "shards", tmp_path / "shards")
    folder = load_pairs(dataset, "train")
    window = dataset.recipe.window_samples
    assert (folder.end_sample_N < window).any(), "some windows begin before their sound"
    assert (folder.end_sample_N - window > 2 * RATE_HZ).any(), "and some after its end"
    with opened(tmp_path / "shards") as stream:
        assert len(stream) == len(folder) == PAIRS
        assert list(stream.clip_ids) == list(folder.clip_ids)
        seen = []
        for first in range(0, PAIRS, 16):
            batch = stream.take(3, range(first, min(first + 16, PAIRS)))
            same_to_the_bit(batch, folder)
            seen += named(batch)
        assert sorted(seen) == sorted(named(folder))
        taken = stream.take(3, range(PAIRS))
        for sounds_of in stream._clips:
            held = [
                sound.nbytes
                for sound, clip in zip(taken.sounds, taken.clip_ids, strict=True)
                if clip == sounds_of.id
            ]
            assert sum(held) <= sounds_of.most_bytes - sounds_of.pairs * 3 * 16 * 16


def test_stored_sound_images_are_streamed_as_they_are(dataset, tmp_path):
    export(dataset.folder, "pairs", tmp_path / "pairs")
    stored = import_pairs(tmp_path / "pairs", tmp_path / "stored")
    export(stored.folder, "shards", tmp_path / "shards")
    folder = load_pairs(stored, "train")
    with opened(tmp_path / "shards") as stream:
        taken = stream.take(0, range(len(stream)))
        assert taken.sound_images_NSS is not None
        assert len(taken) == PAIRS
        same_to_the_bit(taken, folder)
        same_to_the_bit(stream.sample(60), folder)
    held_out = load_shards(tmp_path / "shards", "val", 30)
    same_to_the_bit(held_out, load_pairs(stored, "val"))


def test_a_clip_of_several_tars_is_one(dataset, tmp_path):
    tars = [
        tar
        for row in dataset.clips()
        for tar in write_clip_shards(
            dataset.clip_folder(row.id), row, dataset.recipe, tmp_path / "shards", part_bytes=1000
        )
    ]
    assert "whole-001.tar" in {tar.name for tar in tars}
    write_shard_lists(tmp_path, dataset.rows, dataset.recipe, [tar.name for tar in tars])
    with opened(tmp_path) as stream:
        same_to_the_bit(stream.take(0, range(PAIRS)), load_pairs(dataset, "train"))


def test_a_window_moved_a_little_hears_what_was_there(dataset, shards):
    """Stretches that touch are one piece of sound: here two, of 50 pairs, and 2 s of noise."""
    folder = load_pairs(dataset, "train")
    with opened(shards, block_bytes=ONE_CLIP) as stream:
        taken = stream.take(0, range(PAIRS))
    (sound,) = [s for s, clip in zip(taken.sounds, taken.clip_ids, strict=True) if clip == "whole"]
    heard = folder.sounds[list(folder.clip_ids).index("whole")]
    assert np.array_equal(sound[: len(heard)], heard)
    assert not sound[len(heard) :].any()
    assert list(taken.clip_ids).count("many deleted") == 2, "a gap of more than a window"


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 1000),
    block_bytes=st.sampled_from([1, 60_000, 150_000, 10**9]),
    batch=st.sampled_from([4, 8, 12, 40]),
)
def test_an_epoch_is_all_pairs_once_and_its_ranks_share_it_out(
    dataset, shards, seed, epoch, block_bytes, batch
):
    with opened(shards, "train", seed, block_bytes) as stream:
        whole = in_order(stream, epoch, batch)
        assert len(set(whole)) == len(whole) == PAIRS
        assert set(whole) == set(named(load_pairs(dataset, "train")))
        for ranks in (1, 2, 4):
            share = batch // ranks
            for first in range(0, PAIRS - batch + 1, batch):
                shared = [
                    named(stream.take(epoch, range(first + r * share, first + (r + 1) * share)))
                    for r in range(ranks)
                ]
                assert list(chain(*shared)) == whole[first : first + batch]


def test_the_order_is_decided_by_seed_and_epoch_and_mixes_the_clips(shards):
    orders = set()
    for seed, epoch in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        with opened(shards, "train", seed) as stream, opened(shards, "train", seed) as again:
            order = in_order(stream, epoch)
            assert order == in_order(again, epoch)
            orders.add(tuple(order))
            # One clip after the other would change 4 times.
            changes = sum(a[0] != b[0] for a, b in pairwise(order))
            assert changes > PAIRS // 3
            assert order != sorted(order)
    assert len(orders) == 4
    with opened(shards, block_bytes=ONE_CLIP) as stream:
        order = in_order(stream, 0)
        assert sum(a[0] != b[0] for a, b in pairwise(order)) == 4
        clips = [tuple(dict.fromkeys(clip for clip, _ in in_order(stream, e))) for e in range(6)]
        assert len(set(clips)) > 1, "the clips' order changes as well"
        with opened(shards, seed=1, block_bytes=ONE_CLIP) as other:
            assert clips != [
                tuple(dict.fromkeys(c for c, _ in in_order(other, e))) for e in range(6)
            ]
        of_whole = [[at for clip, at in in_order(stream, e) if clip == "whole"] for e in (0, 1)]
        assert sorted(of_whole[0]) == sorted(of_whole[1])
        assert of_whole[0] != of_whole[1], "and the order inside a block"


def test_blocks_hold_what_the_bound_allows(dataset, shards):
    frame, step, window = 3 * 16 * 16, RATE_HZ // 20, dataset.recipe.window_samples
    needs = {
        row.id: row.pairs * frame + 4 * min(50 * step + window, row.pairs * 2 * window)
        for row in dataset.clips("train")
    }
    bound = needs["whole"] + needs["many deleted"]
    with opened(shards, block_bytes=bound) as stream:
        for epoch in range(8):
            layout = stream._layout(epoch)
            filled = [
                sum(needs[stream.clip_ids[clip]] for clip in block) for block in layout.blocks
            ]
            assert all(needed <= bound for needed in filled)
            assert 2 <= len(filled) <= 4


def test_from_the_middle_it_goes_on_as_if_it_had_not_stopped(shards):
    batch, seed = 6, 5
    with opened(shards, "train", seed, 150_000) as stream:
        uninterrupted = [in_order(stream, epoch, batch) for epoch in range(3)]
    for epoch, first in [(0, 66), (1, 6), (2, 114), (1, 0), (0, 0)]:
        with opened(shards, "train", seed, 150_000) as stream:
            rest = named(stream.take(epoch, range(first, PAIRS)))
            assert rest == uninterrupted[epoch][first:]
            last = uninterrupted[2][-1]
            assert named(stream.take(2, [PAIRS - 1, 3, PAIRS - 1])) == [
                last,
                uninterrupted[2][3],
                last,
            ]


def test_several_threads_may_take_at_once(shards):
    with opened(shards, block_bytes=ONE_CLIP) as stream:
        alone = in_order(stream, 0, 4) + in_order(stream, 1, 4)
        with ThreadPoolExecutor(4) as pool:
            parts = pool.map(
                lambda n: named(stream.take(n // PAIRS, [n % PAIRS])), range(2 * PAIRS)
            )
            assert list(chain(*parts)) == alone


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The clips that were read, as they are."""
    seen: list[str] = []
    read_clip = streaming.read_clip

    def noting(clip, recipe):
        read = read_clip(clip, recipe)
        seen.append(clip.id)
        return read

    monkeypatch.setattr(streaming, "read_clip", noting)
    return seen


def wait_for(condition) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come")


def test_the_next_block_is_read_ahead_and_each_clip_once_an_epoch(shards, reads):
    # By seed 3 the second epoch begins with a clip that is not still there from the first.
    with opened(shards, seed=3, block_bytes=ONE_CLIP) as stream:
        stream.take(0, [0])
        wait_for(lambda: len(reads) == 2)
        in_order(stream, 0, 3)
        wait_for(lambda: len(reads) == 6)
        assert sorted(reads[:5]) == sorted(stream.clip_ids)
        assert reads[5] != reads[0]
        assert reads[5] == in_order(stream, 1, 3)[0][0], "the next epoch's first"
        # Those still there from the epoch before are not read again.
        assert len(reads) <= 5 + 5 + 1
        assert max(Counter(reads[:10]).values()) <= 2
    reads.clear()
    with opened(shards) as stream:
        for epoch in range(3):
            in_order(stream, epoch, 40)
    assert len(reads) == 5, "what fits into one block is read once for all epochs"


def test_three_blocks_at_most_are_in_memory(shards, monkeypatch):
    clips: list[weakref.ref] = []
    live: list[int] = []

    def count() -> None:
        live.append(sum(clip() is not None for clip in clips))

    read_clip = streaming.read_clip

    def counting(clip, recipe):
        read = read_clip(clip, recipe)
        clips.append(weakref.ref(read))
        count()
        return read

    monkeypatch.setattr(streaming, "read_clip", counting)
    with opened(shards, block_bytes=ONE_CLIP) as stream:
        for epoch in range(3):
            for first in range(0, PAIRS, 5):
                stream.take(epoch, range(first, min(PAIRS, first + 5)))
                count()
        stream.take(3, range(PAIRS))
        count()
    assert len(clips) > 12
    assert 2 <= max(live) <= 3
    gc.collect()
    count()
    assert live[-1] == 0


def test_closing_ends_the_thread_without_reading_on(shards, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    seen: list[str] = []
    read_clip = streaming.read_clip

    def slow(clip, recipe):
        seen.append(clip.id)
        begun.set()
        assert go_on.wait(60)
        return read_clip(clip, recipe)

    monkeypatch.setattr(streaming, "read_clip", slow)
    stream = open_stream(shards, "train", 0)
    with ThreadPoolExecutor(1) as pool:
        taking = pool.submit(stream.take, 0, [0])
        assert begun.wait(60)
        closing = threading.Thread(target=stream.close)
        closing.start()
        wait_for(stream._ahead._closing.is_set)
        go_on.set()
        closing.join(60)
        assert taking.exception(60) is not None
    assert len(seen) == 1, "of a block of five clips"
    assert not [thread for thread in threading.enumerate() if "shards-ahead" in thread.name]


def test_held_out_pairs_are_spread_over_their_clips(dataset, shards):
    folder = load_pairs(dataset, "val")
    some = load_shards(shards, "val", 15)
    assert named(some) == named(load_shards(shards, "val", 15))
    same_to_the_bit(some, folder)
    steps = {"held out": 5, "held out too": 10}
    for clip, share in steps.items():
        times = [at for name, at in named(some) if name == clip]
        first = (CLIPS[clip][-1] + 1 - share) // 2
        assert times == [k / 20 for k in range(first, first + share)]
    window = dataset.recipe.window_samples
    for sound, share in zip(some.sounds, steps.values(), strict=True):
        assert len(sound) == window + (share - 1) * RATE_HZ // 20, "no more than their windows"
    whole = load_shards(shards, "val", 1000)
    assert named(whole) == named(folder)
    same_to_the_bit(whole, folder)
    from_second_piece = load_shards(shards, "train", 30)
    same_to_the_bit(from_second_piece, load_pairs(dataset, "train"))
    assert {clip for clip, _ in named(from_second_piece)} >= {"whole", "many deleted"}
    assert len(load_shards(shards, "val", 0)) == 0
    assert len(load_shards(shards, "test", 10)) == 0
    with opened(shards, "test") as none:
        assert (len(none), len(none.take(0, [])), len(none.sample(3))) == (0, 0, 0)


def test_a_sample_is_the_first_pairs_by_reading_the_first_tars_only(dataset, own_shards):
    folder = load_pairs(dataset, "train")
    with opened(own_shards) as stream:
        (own_shards / "shards" / "many deleted-000.tar").unlink()
        assert named(stream.sample(60)) == named(folder)[:60]
        same_to_the_bit(stream.sample(60), folder)
        with pytest.raises(DatasetError, match=r"many deleted-000\.tar: no such shard"):
            stream.sample(100)


def test_identity_is_of_the_lists_wherever_they_lie(dataset, shards, own_shards):
    def identity(where, split: Split = "train"):
        with opened(where, split) as stream:
            return stream.identity()

    known = identity(shards)
    assert (known["clips"], known["pairs"]) == (5, PAIRS)
    shutil.rmtree(own_shards / "shards")
    assert identity(own_shards) == known, "no tar is read for it"
    assert identity(shards, "val") != known
    digests = {known["places"]}
    rows = [
        row.model_copy(update={"pairs": {"whole": 49, "some deleted": 39}.get(row.id, row.pairs)})
        for row in dataset.rows
    ]
    write_rows(own_shards, rows)
    assert identity(own_shards)["pairs"] == PAIRS
    digests.add(identity(own_shards)["places"])
    write_rows(own_shards, dataset.rows)
    names = (own_shards / "train.txt").read_text()
    (own_shards / "train.txt").write_text(names.replace("whole-000", "whole-001"))
    digests.add(identity(own_shards)["places"])
    (own_shards / "train.txt").write_text("".join(reversed(names.splitlines(True))))
    digests.add(identity(own_shards)["places"])
    assert len(digests) == 4


def rewritten(path: Path, change) -> None:
    """Pass each member of a tar through `change(name, content)`."""
    out = io.BytesIO()
    with tarfile.open(path) as tar, tarfile.open(fileobj=out, mode="w") as to:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            content = change(member.name, file.read())
            member.size = len(content)
            to.addfile(member, io.BytesIO(content))
    path.write_bytes(out.getvalue())


def jpeg(size: int) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (size, size)).save(out, "JPEG")
    return out.getvalue()


def test_what_is_missing_damaged_or_another_s_is_named(own_shards):
    tars = own_shards / "shards"
    whole, one = tars / "whole-000.tar", tars / "one-000.tar"
    content = whole.read_bytes()

    def refused(message: str) -> None:
        with opened(own_shards) as stream, pytest.raises(DatasetError, match=message) as found:
            stream.take(0, range(PAIRS))
        assert "\n" not in str(found.value)
        assert str(tars) in str(found.value)

    whole.unlink()
    refused(r"whole-000\.tar: no such shard: copy it")
    whole.write_bytes(content[: len(content) // 2])
    refused(r"whole-000\.tar: is damaged")
    shutil.copy(one, whole)
    refused(r"whole-000\.tar: was made from another dataset")
    whole.write_bytes(content)
    rewritten(one, lambda name, was: was[:300] if name.endswith(".jpg") else was)
    refused(r"one-000\.tar: its frame at place 12 is not a readable picture: copy")
    rewritten(one, lambda name, was: jpeg(24) if name.endswith(".jpg") else was)
    refused(r"one-000\.tar: its frame at place 12 is 24x24, the recipe says 16x16")
    rewritten(one, lambda name, was: jpeg(16) if name.endswith(".jpg") else was)
    with opened(own_shards) as stream:
        assert len(stream.take(0, range(PAIRS))) == PAIRS
    recipe = json.loads((own_shards / "recipe.json").read_text())
    write_json(own_shards / "recipe.json", {**recipe, "sound_images": "stored"})
    refused("was made from another dataset")


def test_another_number_of_pairs_than_the_row_says_is_refused_and_can_be_put_right(
    dataset, own_shards
):
    def with_pairs(count: int) -> None:
        rows = [
            row.model_copy(update={"pairs": count}) if row.id == "whole" else row
            for row in dataset.rows
        ]
        write_rows(own_shards, rows)

    for count in (49, 51):
        with_pairs(count)
        with (
            opened(own_shards) as stream,
            pytest.raises(
                DatasetError,
                match=rf"whole-000\.tar: its clip has 50 pairs here, clips\.jsonl says {count}: "
                'write "pairs": 50',
            ),
        ):
            stream.take(0, range(len(stream)))
    with_pairs(50)
    with opened(own_shards) as stream:
        assert len(stream.take(0, range(PAIRS))) == PAIRS
    tars = own_shards / "shards"
    shutil.copy(tars / "whole-000.tar", tars / "whole-001.tar")
    names = (own_shards / "train.txt").read_text()
    (own_shards / "train.txt").write_text(names + "shards/whole-001.tar\n")
    with (
        opened(own_shards) as stream,
        pytest.raises(DatasetError, match=r"whole-001\.tar: holds pairs that come twice"),
    ):
        stream.take(0, range(PAIRS))
    (own_shards / "train.txt").write_text(names + "shards/stranger-000.tar\n")
    with pytest.raises(DatasetError, match=r"stranger-000\.tar: its clip is not in clips\.jsonl"):
        open_stream(own_shards, "train", 0)


def test_after_an_error_is_put_right_the_same_stream_goes_on(own_shards):
    tar = own_shards / "shards" / "whole-000.tar"
    content = tar.read_bytes()
    with opened(own_shards) as stream:
        tar.write_bytes(content[:5000])
        for _ in range(2):
            with pytest.raises(DatasetError, match="is damaged"):
                stream.take(0, [0])
        tar.write_bytes(content)
        assert len(stream.take(0, [0])) == 1


def test_what_is_no_folder_of_shards_is_told_apart(dataset, shards, tmp_path):
    assert is_shard_place(shards)
    assert is_shard_place(str(shards))
    assert is_shard_place(f"file://{shards}")
    assert not is_shard_place(dataset.folder)
    assert not is_shard_place(tmp_path / "nowhere")
    for where in (dataset.folder, tmp_path):
        with pytest.raises(DatasetError, match="holds no shards"):
            open_stream(where, "train", 0)
        with pytest.raises(DatasetError, match="holds no shards"):
            load_shards(where, "val", 5)
    with pytest.raises(SettingsError):
        is_shard_place("https://example.org/shards")
    with opened(shards) as stream, pytest.raises(ValueError, match="places 0 to 114"):
        stream.take(0, [PAIRS])


def test_errors_name_the_address_and_not_the_copy_here(shards):
    store = fsspec.filesystem("memory")
    try:
        for path in shards.rglob("*.*"):
            store.pipe(f"/streamed/{path.relative_to(shards)}", path.read_bytes())
        assert is_shard_place("memory://streamed")
        assert not is_shard_place("memory://elsewhere")
        tar = "/streamed/shards/whole-000.tar"
        store.pipe(tar, store.cat(tar)[:9000])
        with (
            opened("memory://streamed") as stream,
            pytest.raises(
                DatasetError, match=r"^memory://streamed/shards/whole-000\.tar: is damaged"
            ),
        ):
            stream.take(0, range(PAIRS))
        store.rm(tar)
        with (
            opened("memory://streamed") as stream,
            pytest.raises(DatasetError, match=r"^memory://\S*/whole-000\.tar: no such shard"),
        ):
            stream.take(0, range(PAIRS))
        store.pipe("/streamed/clips.jsonl", b"dear diary")
        with pytest.raises(DatasetError, match=r"^memory://streamed/clips\.jsonl: line 1"):
            open_stream("memory://streamed", "train", 0)
    finally:
        store.rm("/", recursive=True)


@pytest.fixture
def bucket(monkeypatch):
    """An S3 server on this machine with a bucket `streamed`."""
    with store_with("streamed", monkeypatch) as files:
        yield files


def test_from_an_object_store_it_is_the_same(dataset, shards, bucket):
    for path in shards.rglob("*.*"):
        bucket.pipe(f"streamed/set/{path.relative_to(shards)}", path.read_bytes())
    assert is_shard_place("s3://streamed/set")
    assert not is_shard_place("s3://streamed/other")
    folder = load_pairs(dataset, "train")
    with (
        opened("s3://streamed/set/", block_bytes=150_000) as there,
        opened(shards, block_bytes=150_000) as here,
    ):
        assert there.identity() == here.identity()
        for epoch in (0, 1):
            assert in_order(there, epoch) == in_order(here, epoch)
        same_to_the_bit(there.take(1, range(PAIRS)), folder)
        assert named(there.sample(20)) == named(here.sample(20))
    held_out = load_shards("s3://streamed/set", "val", 12)
    same_to_the_bit(held_out, load_pairs(dataset, "val"))


def test_a_dataset_that_frames_were_deleted_from_is_exported_and_streamed(dataset, tmp_path):
    folder = shutil.copytree(dataset.folder, tmp_path / "pruned")
    for _, path in open_dataset(folder).frames("whole")[10:25]:
        path.unlink()
    export(folder, "shards", tmp_path / "shards")
    with opened(tmp_path / "shards") as stream:
        assert len(stream) == PAIRS - 15
        assert len(stream.take(0, range(len(stream)))) == PAIRS - 15
