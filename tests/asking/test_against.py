"""Reports side by side: what lies beside each is read, what is none is named."""

import json

import pytest

from soundreel.asking.against import as_text, compare, rows_of
from soundreel.errors import SettingsError

DATASET = {
    "format": "soundreel-evidence",
    "version": 1,
    "kind": "dataset",
    "name": "thirty videos",
    "verdict": "YES",
    "delta": 0.05,
    "test": {"effect": 0.08, "ci_95": [0.05, 0.11], "p_value": 0.0005, "mde80": 0.04},
}
MODEL = {
    "format": "soundreel-evidence",
    "kind": "model",
    "verdict": "responds, but not usefully",
    "model": {
        "sensitivity": 0.4,
        "usefulness": 0.01,
        "ci_95": [-0.02, 0.04],
        "p_value": 0.3,
        "skill": -0.2,
        "two_afc": 0.52,
        "copy_rate": 0.0,
        "sliced_wasserstein": 0.31,
        "flicker": 1.2,
        "motion_ratio": 0.7,
    },
}
FILM = {
    "format": "soundreel-evidence",
    "kind": "film",
    "verdict": "in step with its sound",
    "lines": [{"name": "beat alignment", "effect": 9.0}, {"name": "AV-Align", "effect": 0.17}],
}


def written(folder, **told):
    """The numbers beside reports, by file name."""
    for name, one in told.items():
        (folder / f"{name}.json").write_text(json.dumps(one), encoding="utf-8")
    return [folder / f"{name}.json" for name in told]


def test_every_kind_is_read_and_what_is_missing_is_none(tmp_path):
    dataset, model, film = rows_of(written(tmp_path, a=DATASET, b=MODEL, c=FILM))
    assert (dataset.name, dataset.verdict, dataset.tone) == ("thirty videos", "YES", "yes")
    assert (dataset.effect, dataset.low, dataset.high) == (0.08, 0.05, 0.11)
    assert (dataset.delta, dataset.p, dataset.mde80) == (0.05, 0.0005, 0.04)
    assert dataset.sync is None
    assert (model.name, model.tone) == ("b", "no")
    assert (model.effect, model.low, model.high, model.p) == (0.01, -0.02, 0.04, 0.3)
    assert (model.sensitivity, model.skill, model.two_choice) == (0.4, -0.2, 0.52)
    assert (model.copy_rate, model.realism, model.flicker, model.motion) == (0, 0.31, 1.2, 0.7)
    assert model.mde80 is None
    assert (film.name, film.tone, film.sync, film.effect) == ("c", "yes", 0.17, None)


def test_a_table_is_written_and_one_in_plain_text(tmp_path):
    reports = written(tmp_path, a=DATASET, b=MODEL, c=FILM)
    (tmp_path / "a.html").write_text("<!doctype html>")
    out = compare([tmp_path / "a.html", *reports[1:]], tmp_path / "all.html", "today")
    page = out.read_text(encoding="utf-8")
    assert "thirty videos" in page
    assert "+0.080" in page
    assert "Written by Soundreel, today." in page
    head, *lines = as_text(rows_of(reports)).splitlines()
    assert head.split()[:2] == ["asked", "verdict"]
    assert "sync" in head
    assert [line.split("  ")[0] for line in lines] == ["thirty videos", "b", "c"]
    assert "+0.050 to +0.110" in lines[0]
    assert lines[2].endswith("+0.170")
    assert "sensitivity" not in as_text(rows_of(reports[:1]))
    assert as_text([]) == "asked  verdict"


def test_an_invalid_report_and_numbers_that_are_none(tmp_path):
    odd = {**DATASET, "verdict": "INVALID", "test": {"effect": None, "ci_95": [1], "mde80": True}}
    odd["test"]["p_value"] = "small"
    (row,) = rows_of(written(tmp_path, odd=odd))
    assert row.tone == "invalid"
    assert (row.effect, row.low, row.mde80, row.p) == (None, None, None, None)
    del odd["test"]
    assert rows_of(written(tmp_path, odd=odd))[0].effect is None


def test_reports_of_one_name_are_told_apart_by_their_folders(tmp_path):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        written(tmp_path / folder, report=FILM)
    rows = rows_of([tmp_path / "first" / "report.html", tmp_path / "second" / "report.json"])
    assert [row.name for row in rows] == ["first/report", "second/report"]


@pytest.mark.parametrize(
    "content",
    [
        "no json {",
        "[]",
        '{"format": "other"}',
        json.dumps({**DATASET, "verdict": "MAYBE"}),
        json.dumps({**DATASET, "verdict": ["YES"]}),
        json.dumps({**DATASET, "kind": "poem"}),
    ],
)
def test_a_file_that_is_no_report_is_named(tmp_path, content):
    file = tmp_path / "x.json"
    file.write_text(content)
    with pytest.raises(SettingsError, match=r"x\.json: is no report") as raised:
        compare([file], tmp_path / "all.html")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "all.html").exists()


def test_what_is_not_there_or_newer_or_nothing(tmp_path):
    with pytest.raises(SettingsError, match=r"gone\.json: cannot be read"):
        rows_of([tmp_path / "gone.html"])
    with pytest.raises(SettingsError, match="its version is 2"):
        rows_of(written(tmp_path, new={**DATASET, "version": 2}))
    with pytest.raises(SettingsError, match="nothing to compare"):
        rows_of([])
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="is no report"):
        rows_of([tmp_path / "bytes.json"])
