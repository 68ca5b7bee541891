"""Which files become clips: folders at any depth, ids, what `fetch` told of them."""

import json

import pytest

from soundreel.dataset.listing import list_sources, other_files
from soundreel.errors import DatasetError


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_folders_are_searched_in_the_order_of_paths_and_hidden_ones_passed_over(tmp_path):
    touch(tmp_path, "b.mp4", "a/z.webm", "a/deep/y.MKV", ".partial/x.mp4", ".h.mp4", "notes.txt")
    sources = list_sources([tmp_path])
    assert [source.place for source in sources] == [
        str(tmp_path / name) for name in ("a/deep/y.MKV", "a/z.webm", "b.mp4")
    ]
    assert other_files([tmp_path]) == [str(tmp_path / "notes.txt")]


def test_ids_are_safe_and_each_its_own(tmp_path):
    touch(tmp_path, "a/my clip!.mp4", "b/my clip!.mp4", "my clip?.mp4", "my-clip-2.mp4", "...mp4")
    ids = [source.clip_id for source in list_sources([tmp_path])]
    assert len(set(ids)) == len(ids) == 4
    assert "my-clip" in ids
    assert all(clip_id.replace("-", "").isalnum() for clip_id in ids)


def test_a_file_named_twice_is_taken_once(tmp_path):
    touch(tmp_path, "a.mp4", "b.mp4")
    sources = list_sources([tmp_path / "b.mp4", tmp_path, tmp_path / "b.mp4"])
    assert [source.name for source in sources] == ["b.mp4", "a.mp4"]


def test_titles_and_origins_come_from_the_list_that_fetch_left(tmp_path):
    touch(tmp_path, "v/one.mp4", "v/two.mp4")
    row = {
        "file": "one.mp4",
        "title": "The One",
        "url": "https://example.org/1",
        "licence": "CC BY",
        "seconds": 3,
    }
    (tmp_path / "v" / "clips.jsonl").write_text(json.dumps(row) + "\n")
    one, two = list_sources([tmp_path])
    assert one.title == "The One"
    assert one.origin is not None
    assert one.origin.url == "https://example.org/1"
    assert one.origin.licence == "CC BY"
    assert two.title is None


def test_a_damaged_list_is_named_with_its_line(tmp_path):
    touch(tmp_path, "one.mp4")
    (tmp_path / "clips.jsonl").write_text('{"file": "one.mp4"}\nnonsense\n')
    with pytest.raises(DatasetError, match=r"clips\.jsonl: line 2"):
        list_sources([tmp_path])


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(DatasetError, match="no video files there"):
        list_sources([tmp_path])
