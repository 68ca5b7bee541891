"""`fetch` with the real yt-dlp against real servers on 127.0.0.1."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from clips_made_here import counting_clip
from local_site import Site, padded, segmented, serving, until
from soundreel.errors import SettingsError, SourceError, StorageError
from soundreel.media.probe import probe
from soundreel.media.sound import read_sound
from soundreel.progress import Step
from soundreel.sources.fetch import fetch
from soundreel.sources.outcome import Fetched

BIG = 600_000


@pytest.fixture(autouse=True)
def no_programs_and_no_proxies(monkeypatch, tmp_path):
    """There is no ffmpeg program to fall back on, and nobody's proxy settings are used."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    return counting_clip(tmp_path_factory.mktemp("film") / "film.mp4")


@pytest.fixture
def site(film):
    site = Site()
    site.files["/film.mp4"] = film.read_bytes()
    with serving(site):
        yield site


def go(links, out, **changes) -> Fetched:
    settings = {"retries": 2, "pause_seconds": 0, "allow_private": True, **changes}
    return fetch(links if isinstance(links, list) else [links], out, **settings)


def rows(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "clips.jsonl").read_text("utf-8").splitlines()]


def is_the_film(path: Path, seconds: float = 4) -> bool:
    info = probe(path)
    assert info.video is not None
    assert info.audio is not None
    assert (info.video.width, info.video.height) == (96, 54)
    assert info.duration_seconds is not None
    assert abs(info.duration_seconds - seconds) < 0.1
    return True


def test_a_file_comes_once_and_is_there_the_next_time(site, film, tmp_path, capfd):
    first = go(f"{site.url}/film.mp4", tmp_path / "clips")
    assert [one.status for one in first.outcomes] == ["came"]
    assert (tmp_path / "clips" / "film.mp4").read_bytes() == film.read_bytes()
    assert sorted(p.name for p in (tmp_path / "clips").iterdir()) == ["clips.jsonl", "film.mp4"]
    (row,) = rows(tmp_path / "clips")
    assert row["file"] == "film.mp4"
    assert row["url"] == row["fetched_from"] == f"{site.url}/film.mp4"
    assert row["title"] == "film"
    assert row["seconds"] == pytest.approx(4, abs=0.1)
    assert row["uploader"] is row["licence"] is row["site"] is None
    asked = len(site.asked)
    before = (tmp_path / "clips" / "clips.jsonl").read_bytes()
    second = go(f"{site.url}/film.mp4", tmp_path / "clips")
    assert [one.status for one in second.outcomes] == ["there already"]
    assert second.files == first.files
    assert len(site.asked) == asked, "nobody was contacted"
    assert (tmp_path / "clips" / "clips.jsonl").read_bytes() == before
    assert capfd.readouterr() == ("", ""), "yt-dlp prints nothing"


def test_a_file_deleted_by_hand_comes_again_under_its_name(site, tmp_path):
    site.files["/other/film.mp4"] = site.files["/film.mp4"]
    links = [f"{site.url}/film.mp4", f"{site.url}/other/film.mp4"]
    go(links, tmp_path)
    (tmp_path / "film.mp4").unlink()
    again = go(links, tmp_path)
    assert [one.status for one in again.outcomes] == ["came", "there already"]
    assert [row["file"] for row in rows(tmp_path)] == ["film.mp4", "film (2).mp4"]
    assert all(is_the_film(path) for path in again.files)


def test_two_links_with_one_base_name_both_come(site, tmp_path):
    for n, tone in (("a", 300), ("b", 700)):
        made = counting_clip(tmp_path / n / "clip.mp4", 1, tone_hz=tone)
        site.files[f"/{n}/clip.mp4"] = made.read_bytes()
    done = go([f"{site.url}/a/clip.mp4", f"{site.url}/b/clip.mp4"], tmp_path / "out")
    assert [one.file.name for one in done.outcomes if one.file] == ["clip.mp4", "clip (2).mp4"]
    for n, file in zip("ab", done.files, strict=True):
        assert file.read_bytes() == site.files[f"/{n}/clip.mp4"]


def dash(site: Site, film: Path, folder: Path) -> str:
    made = segmented(film, folder, "film.mpd", "va", seg_duration="1")
    site.files |= {f"/dash/{name}": data for name, data in made.items()}
    assert len(made) >= 7, "segments of picture and sound"
    return f"{site.url}/dash/film.mpd"


def hls(site: Site, film: Path, folder: Path) -> str:
    """Picture and sound apart, in two sizes of which one is too large."""
    picture = segmented(film, folder / "v", "v.m3u8", "v", hls_time="1", hls_list_size="0")
    sound = segmented(film, folder / "a", "a.m3u8", "a", hls_time="1", hls_list_size="0")
    site.files |= {f"/hls/{name}": data for name, data in (picture | sound).items()}
    media = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="s",NAME="s",DEFAULT=YES,URI="a.m3u8"\n'
    codecs = 'CODECS="avc1.64000a,mp4a.40.2",AUDIO="s"'
    site.files["/hls/film.m3u8"] = (
        f"#EXTM3U\n{media}#EXT-X-STREAM-INF:BANDWIDTH=90000,RESOLUTION=96x54,{codecs}\nv.m3u8\n"
        f"#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=1920x1080,{codecs}\nlarge.m3u8\n"
    ).encode()
    return f"{site.url}/hls/film.m3u8"


@pytest.mark.parametrize("manifest", [dash, hls], ids=["dash", "hls"])
def test_picture_and_sound_that_come_apart_end_in_one_file(manifest, site, film, tmp_path):
    done = go(manifest(site, film, tmp_path / "made"), tmp_path / "out")
    assert done.outcomes[0].status == "came", done.table()
    (path,) = done.files
    assert path.name == "film.mp4"
    assert is_the_film(path)
    assert "/hls/large.m3u8" not in {asked for asked, _ in site.asked}
    # Copied, not encoded again: the film's own samples, at their time. (MPEG-TS cannot say that a
    # sound begins with an encoder's filling, so in HLS they are up to two blocks of AAC later.)
    own, ours = read_sound(film, 44_100, "mono"), read_sound(path, 44_100, "mono")
    span = slice(44_100, 3 * 44_100)
    errors = [abs(ours[44_100 + lag :][: 2 * 44_100] - own[span]).max() for lag in range(2050)]
    assert min(errors) < 1e-3
    assert manifest is hls or int(np.argmin(errors)) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"film.mp4", "clips.jsonl"}


def test_hls_with_picture_and_sound_together(site, film, tmp_path):
    made = segmented(film, tmp_path / "made", "one.m3u8", "va", hls_time="1", hls_list_size="0")
    site.files |= {f"/{name}": data for name, data in made.items()}
    done = go(f"{site.url}/one.m3u8", tmp_path / "out")
    assert is_the_film(done.files[0])


def test_a_missing_segment_is_a_failure_and_not_a_hole(site, film, tmp_path):
    link = dash(site, film, tmp_path / "made")
    segment = next(name for name in site.files if "stream0-00003" in name)
    data = site.files.pop(segment)
    done = go(link, tmp_path / "out")
    assert done.outcomes[0].status == "failed"
    assert done.files == ()
    # As if killed after a segment was appended and before that was noted.
    (notes,) = tmp_path.rglob("*.ytdl")
    said = json.loads(notes.read_text())
    assert said["downloader"]["current_fragment"]["index"] > 1
    said["downloader"]["current_fragment"]["index"] -= 1
    notes.write_text(json.dumps(said))
    before = dict(site.sent)
    site.files[segment] = data
    again = go(link, tmp_path / "out")
    assert is_the_film(again.files[0])
    first = next(name for name in site.files if "stream0-00001" in name)
    assert site.sent[first] == before[first], "segments that were there did not come again"
    with av.open(str(again.files[0])) as joined:
        assert joined.streams.video[0].frames == 100, "no segment twice"


def test_one_that_breaks_off_is_gone_on_with(site, tmp_path):
    site.files["/half.mp4"] = padded(site.files["/film.mp4"], BIG)
    site.half.add("/half.mp4")
    done = go(f"{site.url}/half.mp4", tmp_path)
    assert done.files[0].read_bytes() == site.files["/half.mp4"]
    (resumed,) = site.ranges("/half.mp4")
    assert 0.4 * BIG < resumed <= BIG // 2


def test_one_that_always_breaks_off_fails_after_the_retries(site, tmp_path):
    site.files["/bad.mp4"] = padded(site.files["/film.mp4"], BIG)
    site.breaks.add("/bad.mp4")
    done = go([f"{site.url}/bad.mp4", f"{site.url}/film.mp4"], tmp_path)
    assert [(one.status, one.kind) for one in done.outcomes] == [
        ("failed", "network"),
        ("came", None),
    ]
    assert site.times("/bad.mp4") == 1 + 3, "one to look, three to fetch"
    assert not list(tmp_path.glob("bad*"))


def test_a_server_that_is_down_for_a_moment_is_asked_again(site, tmp_path):
    site.busy["/film.mp4"] = 2
    assert go(f"{site.url}/film.mp4", tmp_path / "a").came_or_there == 1
    site.busy["/film.mp4"] = 3
    done = go(f"{site.url}/film.mp4", tmp_path / "b")
    assert done.came_or_there == 0
    assert done.outcomes[0].kind == "network"
    assert "503" in (done.outcomes[0].line or "")


def test_each_failure_says_its_kind_and_the_others_go_on(site, tmp_path):
    site.status["/forbidden.mp4"] = 403
    site.moved |= {"/round": "/and-round", "/and-round": "/round", "/moved": "/film.mp4"}
    site.files["/page.html"] = b"<html><body>no video in here</body></html>"
    site.files["/lie.mp4"] = b"this is no film\n" * 5000
    site.files["/song.flac"] = b"fLaC"
    kinds = {
        f"{site.url}/gone.mp4": "removed",
        f"{site.url}/forbidden.mp4": "refused",
        f"{site.url}/round": "redirects",
        f"{site.url}/page.html": "unsupported",
        f"{site.url}/lie.mp4": "not media",
        f"{site.url}/song.flac": "no picture",
        "http://127.0.0.1:1/film.mp4": "network",
        "file:///etc/passwd": "no link",
        "ftp://127.0.0.1/film.mp4": "no link",
        "nowhere.txt": "no link",
        f"{site.url}/moved": None,
    }
    done = go(list(kinds), tmp_path)
    assert {one.link: one.kind for one in done.outcomes} == kinds, done.table()
    assert site.times("/gone.mp4") == 1, "what will not pass is not asked again"
    table = done.table().splitlines()
    assert len(table) == len(kinds) + 1
    assert table[-1] == "1 came, 10 failed"
    assert all(one.line and "\n" not in one.line for one in done.outcomes[:-1])


def test_nothing_that_came_is_no_error_here_but_says_so(site, tmp_path):
    done = go(f"{site.url}/gone.mp4", tmp_path)
    assert done.came_or_there == 0
    assert not (tmp_path / "clips.jsonl").exists()
    assert not (tmp_path / ".partial").exists()


def test_a_feed_is_a_playlist_whose_entries_are_items(site, tmp_path):
    for n in range(4):
        site.files[f"/{n}/clip.mp4"] = site.files["/film.mp4"]
    items = "".join(
        f"<item><title>Song {n}</title><link>{site.url}/{n}/clip.mp4</link></item>"
        for n in (0, 1, 9, 2, 3, 1)
    )
    items += f"<item><title>[Private video]</title><link>{site.url}/7/clip.mp4</link></item>"
    feed = f'<?xml version="1.0"?><rss><channel><title>t</title>{items}</channel></rss>'
    site.files["/feed.rss"] = feed.encode()
    links = [f"{site.url}/2/clip.mp4", f"{site.url}/feed.rss", f"{site.url}/film.mp4"]
    done = go(links, tmp_path / "all")
    assert [(one.status, one.link.removeprefix(site.url)) for one in done.outcomes] == [
        ("came", "/2/clip.mp4"),
        ("came", "/0/clip.mp4"),
        ("came", "/1/clip.mp4"),
        ("failed", "/9/clip.mp4"),
        ("came", "/3/clip.mp4"),
        ("failed", "/7/clip.mp4"),
        ("came", "/film.mp4"),
    ]
    assert [one.kind for one in done.outcomes if one.kind] == ["removed", "private"]
    assert site.times("/7/clip.mp4") == 0, "what the list says is private is not asked for"
    assert [row["title"] for row in rows(tmp_path / "all")][:2] == ["clip", "Song 0"]
    few = go(links, tmp_path / "few", limit=3)
    assert [one.status for one in few.outcomes] == ["came"] * 3
    more = go(links, tmp_path / "few", limit=5)
    assert [one.status for one in more.outcomes][:3] == ["there already"] * 3


def test_two_films_on_one_page_are_two_items(site, tmp_path):
    for n in "ab":
        site.files[f"/{n}.mp4"] = site.files["/film.mp4"]
    site.files["/page.html"] = (
        b"<html><head><title>My films</title></head><body>"
        b'<video src="/a.mp4"></video><video src="/b.mp4"></video></body></html>'
    )
    done = go(f"{site.url}/page.html", tmp_path)
    assert [one.status for one in done.outcomes] == ["came", "came"], done.table()
    again = go(f"{site.url}/page.html", tmp_path)
    assert [one.status for one in again.outcomes] == ["there already"] * 2
    assert (site.times("/a.mp4"), site.times("/b.mp4")) == (1, 1)


def test_titles_become_safe_names(site, tmp_path):
    site.files["/p.html"] = (
        "<html><head><title>Zoë / \u202e../../etc: “夜” \x1b[31m?</title></head><body>"
        '<video src="/film.mp4"></video></body></html>'
    ).encode()
    done = go(f"{site.url}/p.html", tmp_path / "out")
    (path,) = done.files
    assert path.parent == tmp_path / "out"
    assert path.name.startswith("Zoë - ")
    assert "夜" in path.name
    assert "\x1b" not in done.table()


SCRIPT = """
import signal, sys
# As in a terminal, also where the tests themselves run in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from soundreel.sources.fetch import fetch
done = fetch(sys.argv[2:], Path(sys.argv[1]), pause_seconds=0, allow_private=True)
print(done.table())
"""


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle_it_goes_on_from_there(kind, site, tmp_path):
    site.files["/slow.mp4"] = padded(site.files["/film.mp4"], BIG)
    site.slow.add("/slow.mp4")
    links = [f"{site.url}/film.mp4", f"{site.url}/slow.mp4"]
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "out"), *links]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    until(lambda: any(p.stat().st_size > 100_000 for p in tmp_path.rglob("*.part")))
    os.kill(process.pid, kind)
    process.communicate()
    assert process.returncode != 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {".partial", "film.mp4", "clips.jsonl"}, "no half file among the clips"
    assert [row["file"] for row in rows(tmp_path / "out")] == ["film.mp4"]
    (half,) = tmp_path.rglob("*.part")
    had = half.stat().st_size
    site.slow.clear()
    site.sent.clear()
    done = go(links, tmp_path / "out")
    assert [one.status for one in done.outcomes] == ["there already", "came"]
    assert site.ranges("/slow.mp4") == [had]
    assert done.files[1].read_bytes() == site.files["/slow.mp4"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "film.mp4",
        "slow.mp4",
        "clips.jsonl",
    }


def test_half_of_another_file_is_not_gone_on_with(site, tmp_path):
    site.files["/bad.mp4"] = padded(site.files["/film.mp4"], BIG)
    site.breaks.add("/bad.mp4")
    go(f"{site.url}/bad.mp4", tmp_path, retries=0)
    about = next(tmp_path.rglob("about.json"))
    about.write_text(about.read_text().replace("null", "1", 1))
    site.breaks.clear()
    site.asked.clear()
    done = go(f"{site.url}/bad.mp4", tmp_path)
    assert site.ranges("/bad.mp4") == []
    assert done.files[0].read_bytes() == site.files["/bad.mp4"]


def test_a_full_disk_ends_it_all_in_one_line(site, tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    site.files["/bad.mp4"] = padded(site.files["/film.mp4"], BIG)
    site.breaks.add("/bad.mp4")
    go(f"{site.url}/bad.mp4", tmp_path, retries=0)
    site.breaks.clear()
    (part,) = tmp_path.rglob("*.part")
    part.unlink()
    part.symlink_to("/dev/full")
    with pytest.raises(StorageError, match="disk is full"):
        go([f"{site.url}/film.mp4", f"{site.url}/bad.mp4", f"{site.url}/gone.mp4"], tmp_path)
    assert [row["file"] for row in rows(tmp_path)] == ["film.mp4"]
    assert site.times("/gone.mp4") == 0


def test_killed_between_listing_and_naming_nothing_is_there_twice(site, tmp_path, monkeypatch):
    rename = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if self.parent.parent.name == ".partial":
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            go(f"{site.url}/film.mp4", tmp_path)
    assert not (tmp_path / "film.mp4").exists()
    done = go(f"{site.url}/film.mp4", tmp_path)
    assert done.outcomes[0].status == "came"
    assert [row["file"] for row in rows(tmp_path)] == ["film.mp4"]


def test_folders_and_files_join_the_same_list(site, film, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "b: live?.mp4").write_bytes(film.read_bytes())
    (mine / "notes.txt").write_text("not a list that was asked for")
    (mine / "broken.mp4").write_bytes(film.read_bytes()[:2000])
    links = tmp_path / "links.txt"
    links.write_text(f"# one film\n\n1. {site.url}/film.mp4  the film\n", encoding="utf-8-sig")
    done = go([str(mine), str(links)], tmp_path / "out")
    assert [one.status for one in done.outcomes] == ["came", "failed", "came"]
    assert done.outcomes[1].kind == "not media"
    names = [row["file"] for row in rows(tmp_path / "out")]
    assert names == ["b - live.mp4", "film.mp4"]
    assert rows(tmp_path / "out")[0]["fetched_from"] == str(mine / "b: live?.mp4")
    again = go([str(mine), str(links)], tmp_path / "out")
    assert [one.status for one in again.outcomes] == ["there already", "failed", "there already"]
    inside = go([str(tmp_path / "out")], tmp_path / "out")
    assert [one.status for one in inside.outcomes] == ["there already"] * 2
    assert [row["file"] for row in rows(tmp_path / "out")] == names


def test_progress_tells_of_each_and_of_all(site, tmp_path):
    steps: list[Step] = []
    site.files["/b/film.mp4"] = padded(site.files["/film.mp4"], BIG)
    links = [f"{site.url}/film.mp4", f"{site.url}/b/film.mp4"]
    go(links, tmp_path, progress=steps.append)
    assert [(step.done, step.total) for step in steps if step.task == "fetch"] == [(1, 2), (2, 2)]
    each = [step for step in steps if step.task == "fetch 2/2 film"]
    assert each
    assert each[-1].done == each[-1].total == 0.6
    assert each[-1].unit == "MB"


def test_cookies_are_sent_and_their_file_stays_as_it_is(site, tmp_path):
    jar = tmp_path / "cookies.txt"
    jar.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tname\tZoe\n")
    before = jar.read_bytes()
    go(f"{site.url}/film.mp4", tmp_path / "out", cookies=jar)
    assert "name=Zoe" in site.cookies
    assert jar.read_bytes() == before
    jar.write_text("this is no jar")
    with pytest.raises(SourceError, match=r"cookies\.txt"):
        go(f"{site.url}/film.mp4", tmp_path / "other", cookies=jar)
    with pytest.raises(SourceError, match="netscape"):
        go(f"{site.url}/film.mp4", tmp_path / "other", cookies_from_browser="netscape")


def test_passwords_in_links_are_used_and_never_shown(site, tmp_path):
    link = f"{site.url}/film.mp4".replace("//", "//zoe:secret@")
    done = go([link, link.replace("film", "gone")], tmp_path)
    assert [one.status for one in done.outcomes] == ["came", "failed"]
    assert "secret" not in done.table() + (tmp_path / "clips.jsonl").read_text()
    assert "secret" not in repr(done)


def test_numbers_out_of_range_and_nothing_at_all_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="height = 0"):
        go("https://example.org/a.mp4", tmp_path, height=0)
    with pytest.raises(SettingsError, match="pause_seconds"):
        go("https://example.org/a.mp4", tmp_path, pause_seconds=float("nan"))
    with pytest.raises(SourceError, match="nothing to fetch"):
        go([], tmp_path)


def test_two_at_once_in_one_folder_are_refused(site, tmp_path):
    pytest.importorskip("fcntl")

    def second(step: Step) -> None:
        with pytest.raises(SourceError, match="another fetch"):
            go(f"{site.url}/film.mp4", tmp_path)

    assert go(f"{site.url}/film.mp4", tmp_path, progress=second).came_or_there == 1


def test_a_list_that_is_not_ours_is_not_overwritten(site, tmp_path):
    (tmp_path / "clips.jsonl").write_text('{"id": "x"}\n')
    with pytest.raises(SourceError, match=r"clips\.jsonl"):
        go(f"{site.url}/film.mp4", tmp_path)
    assert (tmp_path / "clips.jsonl").read_text() == '{"id": "x"}\n'
