"""Lists of links as people write them, names of files, the archive, and the words of failures."""

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundreel.errors import SourceError
from soundreel.sources.archive import Archive, SourceRow
from soundreel.sources.failures import explain, failure
from soundreel.sources.formats import choose, sort_order
from soundreel.sources.links import key_of, link_to, parse_line, read_links
from soundreel.sources.names import plain, safe_stem, unique_name


def test_a_list_of_fifty_links_as_a_student_keeps_it(tmp_path):
    watch = [f"https://www.youtube.com/watch?v={n:03}abcdefgh" for n in range(50)]
    lines = ["\ufeff# videos for the project", ""]
    for n, link in enumerate(watch):
        lines.append(
            (f"{n + 1}. {link}", f"{n + 1}) {link}", link, f"  {link}  Title, the best")[n % 4]
        )
        if n % 10 == 9:
            lines += ["", "# next director", f"{link}&t=42s", link.replace("www.", "m.")]
    lines.append(f"https://youtu.be/{watch[3][-11:]}?si=share")
    place = tmp_path / "links.txt"
    place.write_bytes("\r\n".join(lines).encode())
    links = read_links([str(place)])
    assert [link.url for link in links] == watch
    assert not any(link.wrong for link in links)


@pytest.mark.parametrize(
    ("line", "urls"),
    [
        ("", []),
        ("   # https://example.org/a", []),
        ("// https://example.org/a", []),
        ("https://example.org/a # the first", ["https://example.org/a"]),
        ("https://example.org/a see https://example.org/b", ["https://example.org/a"]),
        ("https://a.example/1 https://a.example/2", ["https://a.example/1", "https://a.example/2"]),
        ("https://a.example/1, https://a.example/2;", ["https://a.example/1", "https://a.example/2"]),
        ("My song - https://example.org/a(b)", ["https://example.org/a(b)"]),
        ("<https://example.org/a>", ["https://example.org/a"]),
        ("- [clip](https://example.org/a)", ["https://example.org/a"]),
        ('"https://example.org/a",', ["https://example.org/a"]),
        ("www.youtube.com/watch?v=abcdefghijk", ["https://www.youtube.com/watch?v=abcdefghijk"]),
        ("youtu.be/abcdefghijk", ["https://youtu.be/abcdefghijk"]),
        ("https://example.org/a#chapter", ["https://example.org/a#chapter"]),
    ],
)  # fmt: skip
def test_lines(line, urls):
    assert [link.url for link in parse_line(line, "links.txt, line 1")] == urls


@pytest.mark.parametrize(
    ("line", "words"),
    [("remember the milk", "line 7"), ("file:///etc/passwd", "file://"), ("ftp://a.example", "ftp"),
     ("https://[::1", "cannot be read|typing"), ("https://a.example:99999/", "typing"),
     ("https:///nowhere", "only http")],
)  # fmt: skip
def test_lines_that_are_no_links_say_so(line, words):
    (link,) = parse_line(line, "links.txt, line 7")
    assert link.url is None
    assert re.search(words, f"{link.shown} {link.wrong}")


def test_files_that_are_no_lists(tmp_path):
    (tmp_path / "film.bin").write_bytes(b"\xff\x00\x80" * 99)
    (tmp_path / "empty.txt").write_text("# nothing yet\n")
    (tmp_path / "folder").mkdir()
    wide = tmp_path / "wide.txt"
    wide.write_text("https://example.org/a", encoding="utf-16")
    places = [tmp_path / name for name in ("film.bin", "empty.txt", "folder", "missing")]
    assert all(link.wrong for link in read_links(places))
    assert [link.url for link in read_links([wide])] == ["https://example.org/a"]


def test_links_that_mean_the_same_have_one_key():
    video = "https://www.youtube.com/watch?v=abcdefghijk"
    for same in (
        "http://youtube.com/watch?v=abcdefghijk",
        "https://youtu.be/abcdefghijk?si=x",
        "https://music.youtube.com/watch?list=PL1&v=abcdefghijk&t=9",
        "https://www.youtube.com/shorts/abcdefghijk",
        "https://www.youtube-nocookie.com/embed/abcdefghijk?rel=0",
    ):
        assert key_of(same) == video
    assert key_of("HTTPS://User:pw@Example.ORG:443#t=3") == "https://example.org/"
    different = [
        "https://example.org/a", "https://example.org/A", "https://example.org/a?b",
        "http://example.org/a", "https://example.org:8443/a", "https://example.org/a#2",
        "https://www.youtube.com/playlist?list=PLabc", "https://www.youtube.com/@someone/videos",
    ]  # fmt: skip
    assert len({key_of(url) for url in different}) == len(different)


@given(st.text(max_size=40), st.text(max_size=40))
def test_credentials_are_never_in_what_is_shown(user, path):
    link = link_to(f"https://{quote(user, safe='')}:hunter2@example.org/{quote(path)}")
    assert "hunter2" not in link.shown + link.key + (link.wrong or "")


@given(st.text())
def test_any_title_gives_a_name_that_any_system_takes(title):
    name = unique_name(safe_stem(title), ".mp4", [])
    assert 5 <= len(name.encode()) <= 200
    assert Path(name).name == name
    assert not set('<>:"/\\|?*\0\n') & set(name)
    assert name.isprintable() or all(letter.isprintable() or letter > "~" for letter in name)
    assert not name.startswith((".", " ", "-"))
    assert safe_stem(title) == safe_stem(title)
    stem = name.removesuffix(".mp4")
    assert stem == stem.strip(" .")
    assert stem.lower() not in {"con", "nul", "aux", "prn", "com1", "lpt9"}


def test_names():
    assert safe_stem("AC/DC: Live? “Zoë” 夜に駆ける") == "AC - DC - Live - “Zoë” 夜に駆ける"
    assert safe_stem("con") == "_con"
    assert safe_stem("Con.certo") == "_Con.certo"
    assert safe_stem("...") == safe_stem("") == "clip"
    assert safe_stem("clip\u202e4pm.exe") == "clip4pm.exe"
    assert plain("a\x1b[31mb\nc") == "a [31mb c"
    assert len(safe_stem("é" * 500).encode()) <= 180
    assert unique_name("Clip", ".mp4", ["clip.webm"]) == "Clip (2).mp4"
    assert unique_name("Clip", ".mp4", ["clip.webm", "CLIP (2).mkv"]) == "Clip (3).mp4"


def row(n: int, **changes) -> SourceRow:
    values = {
        "file": f"{n}.mp4", "url": f"https://a.example/{n}", "title": "t", "uploader": None,
        "licence": None, "date": None, "seconds": 1.0, "fetched_from": "", "site": None, "id": None,
    }  # fmt: skip
    return SourceRow(**{**values, **changes})


def test_the_archive_survives_a_line_that_was_cut(tmp_path):
    archive = Archive(tmp_path)
    for n in range(3):
        archive.add(row(n))
        (tmp_path / f"{n}.mp4").touch()
    whole = (tmp_path / "clips.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    for cut in range(1, len(lines[2]), 9):
        (tmp_path / "clips.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:cut])
        again = Archive(tmp_path)
        assert again.find(row(1).url) is not None
        again.add(row(2))
        assert Archive(tmp_path).find(row(2).url) is not None


def test_the_archive_lists_what_is_there_in_the_order_of_the_links(tmp_path):
    archive = Archive(tmp_path)
    for n in (4, 2, 0, 1):
        archive.add(row(n))
        (tmp_path / f"{n}.mp4").touch()
    (tmp_path / "4.mp4").unlink()
    archive.tidy([row(1).url, row(0).url])
    files = [json.loads(line)["file"] for line in (tmp_path / "clips.jsonl").open()]
    assert files == ["2.mp4", "1.mp4", "0.mp4"]


def test_the_archive_finds_videos_by_their_sites_id_but_not_by_base_names(tmp_path):
    archive = Archive(tmp_path)
    archive.add(row(1, site="Youtube", id="abcdefghijk"))
    (tmp_path / "1.mp4").touch()
    assert archive.find("https://other.example/", "Youtube abcdefghijk") is not None
    assert archive.find("None None") is None


def test_rows_that_lead_out_of_the_folder_are_none(tmp_path):
    (tmp_path / "clips.jsonl").write_text(
        '{"file": "../secret.mp4", "url": "https://a.example/1"}\n'
    )
    with pytest.raises(SourceError, match=r"clips\.jsonl"):
        Archive(tmp_path)


# What yt-dlp's extractors say, from their sources.
SAID = {
    "private": [
        "[youtube] x: Private video. Sign in if you've been granted access to this video",
        "This video is private",
    ],
    "removed": [
        "[youtube] x: Video unavailable. This video has been removed by the uploader",
        "Video unavailable. This video is no longer available because the YouTube account "
        "associated with this video has been terminated.",
        "[youtube] x: Video unavailable",
        "Unable to download webpage: HTTP Error 404: Not Found (caused by <HTTPError 404>)",
    ],
    "region": [
        "The uploader has not made this video available in your country",
        "Video unavailable. This video contains content from X, who has blocked it in your country",
        "This video is not available from your location due to geo restriction",
    ],
    "age": [
        "Sign in to confirm your age. This video may be inappropriate for some users. Use "
        "--cookies-from-browser or --cookies for the authentication. See  https://github.com/x",
    ],
    "members": [
        "Join this channel to get access to members-only content like this video",
        "This video is available to this channel's members on level: X",
    ],
    "login": [
        "Sign in to confirm you\u2019re not a bot. Use --cookies-from-browser or --cookies",
        "This video is only available for registered users. Use --username and login",
    ],
    "busy": ["Unable to download API page: HTTP Error 429: Too Many Requests"],
    "live": ["This live event will begin in 3 hours.", "Premieres in 2 days"],
    "protected": ["This video is DRM protected"],
    "unsupported": ["Unsupported URL: https://example.org/", "No video formats found!"],
    "network": [
        "Unable to download webpage: <urllib3.connection.HTTPSConnection object>: Failed to "
        "resolve 'x' ([Errno -3] Temporary failure in name resolution)",
        "[download] Got error: HTTPSConnectionPool(host='x'): Read timed out. Giving up after 3",
        "[download] Got error: 1000 bytes read, 2000 more expected. Giving up after 10 retries",
        "Unable to download webpage: HTTP Error 503: Service Unavailable",
    ],
    "other": ["An extractor error has occurred"],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "said"), [(k, s) for k, all_ in SAID.items() for s in all_])
def test_what_sites_say_has_a_kind_and_one_line(kind, said):
    found = explain(Exception(f"ERROR: {said}; please report this issue on https://github.com/x"))
    assert found.kind == kind, found
    assert "\n" not in found.line
    assert "ERROR" not in found.line
    assert "please report" not in found.line
    assert "--username" not in found.line.partition("(")[2]


def test_a_missing_javascript_runtime_is_the_reason_where_it_is_one():
    warnings = ["[youtube] No supported JavaScript runtime could be found. Only deno is enabled"]
    for said in ("Requested format is not available", "HTTP Error 403: Forbidden"):
        found = explain(Exception(said), warnings)
        assert found.kind == "javascript"
        assert 'pip install "soundreel[youtube]"' in found.line
    assert explain(Exception("Private video"), warnings).kind == "private"
    assert explain(Exception("Requested format is not available")).kind == "unsupported"


def test_words_of_a_cause_count_and_passwords_do_not_leak():
    error = RuntimeError("it failed for https://zoe:hunter2@example.org/x")
    error.__cause__ = TimeoutError("timed out")
    found = explain(error)
    assert found.kind == "network"
    assert "hunter2" not in found.line
    assert explain(Exception("It broke at https://a.example/private-video/login")).kind == "other"
    assert failure("private").line


def form(**changes):
    return {"protocol": "https", "vcodec": "h264", "acodec": "aac", **changes}


SOUND = form(n="a", vcodec="none")


@pytest.mark.parametrize(
    ("formats", "chosen"),
    [
        ([form(n="b")], "b"),
        ([form(n="v", acodec="none"), SOUND], "va"),
        ([SOUND, form(n="v", acodec="none")], "va"),
        ([form(n="b", height=480), SOUND, form(n="v", acodec="none", height=480)], "b"),
        ([form(n="b", height=360), SOUND, form(n="v", acodec="none", height=480)], "va"),
        ([form(n="b", height=360), form(n="v", acodec="none", height=480)], "b"),
        ([form(n="v", acodec="none")], "v"),
        ([form(n="u", vcodec=None, acodec=None)], "u"),
        ([form(n="b"), form(n="r", protocol="rtmp"), form(n="d", has_drm=True)], "b"),
        ([form(n="s", vcodec="none", acodec="none", protocol="mhtml")], ""),
        ([SOUND], ""),
    ],
)  # fmt: skip
def test_one_format_with_both_or_one_of_each(formats, chosen):
    assert "".join(one["n"] for one in choose(formats)) == chosen


def test_the_best_up_to_the_height_is_what_yt_dlp_sorts_to_the_end():
    """With yt-dlp's own sorting: 480 of five sizes, and of those above it the smallest."""
    from yt_dlp import YoutubeDL

    def form_of(codec: str, width: int, height: int) -> dict[str, object]:
        return form(
            url="https://a.example/x", ext="mp4", format_id=f"{codec} {width}x{height}",
            vcodec=codec, acodec="mp4a", width=width, height=height,
        )  # fmt: skip

    for sizes, best in (
        ((144, 360, 480, 720, 1080), "avc1 853x480"),
        ((1080, 720, 2160), "avc1 480x854"),  # upright: its smaller side counts
        ((360,), "avc1 480x854"),
    ):
        formats = [
            form_of(codec, height * 16 // 9, height)
            for height in sizes
            for codec in ("av01", "avc1", "vp9")
        ]
        formats += [form_of("avc1", 480, 854)] * (480 not in sizes)
        with YoutubeDL({"quiet": True, "format_sort": sort_order(480)}) as session:
            info = {"id": "x", "title": "x", "formats": formats}
            session.sort_formats(info)  # pyright: ignore[reportArgumentType] - a plain dict
            assert choose(info["formats"])[0]["format_id"] == best


def test_the_room_imports_without_yt_dlp():
    code = (
        "import sys, soundreel.sources.fetch; print(*({'yt_dlp', 'requests'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
