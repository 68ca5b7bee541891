"""Films in parts: the joined film is its parts' pictures, whole, and the same bytes each time."""

import resource
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from flash_and_click import number_of, numbered_picture
from songs_made_here import CLICK_SECONDS, write_parts, write_song
from soundreel.errors import MediaError, SettingsError, StorageError
from soundreel.media.copied_pictures import picture_count
from soundreel.media.film_format import FilmFormat, film_format
from soundreel.media.film_joining import join_parts
from soundreel.media.film_parts import part_name, part_writer
from soundreel.media.growing import GrowingFilm
from soundreel.media.opening import film_stream
from soundreel.media.scaling import PictureScaler
from soundreel.media.song_track import Song
from soundreel.media.sound import read_sound, sound_duration
from soundreel.media.writer import FilmWriter

NTSC = Fraction(30000, 1001)
LENGTHS = [20, 1, 2, 13, 3, 11]
FRAMES = sum(LENGTHS)
KINDS = [("mp4", "h264"), ("mp4", "h265"), ("webm", "vp9"), ("mov", "prores")]


def form(kind: str, codec: str | None = None, fps: Fraction = NTSC, **more) -> FilmFormat:
    name = Path("film" if kind == "png" else f"film.{kind}")
    return film_format(name, 192, 96, fps, codec, **more)


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray() for frame in container.decode(video=0)]


def shown_at(frame: av.VideoFrame) -> Fraction:
    assert frame.pts is not None
    assert frame.time_base is not None
    return frame.pts * frame.time_base


@pytest.mark.parametrize(("kind", "codec"), KINDS)
@pytest.mark.parametrize("draft", [False, True])
def test_no_picture_is_lost_doubled_or_changed(
    tmp_path: Path, kind: str, codec: str, draft: bool
) -> None:
    film = form(kind, codec, draft=draft)
    parts = write_parts(tmp_path / "parts", film, LENGTHS)
    assert [picture_count(part, film) for part in parts] == LENGTHS
    song = write_song(tmp_path / "song.flac", ".flac")
    out = tmp_path / f"film.{kind}"
    made = join_parts(out, film, parts, FRAMES, Song(song))
    assert made.frames == FRAMES
    one_by_one = [picture for part in parts for picture in pictures(part)]
    joined = pictures(out)
    assert len(joined) == FRAMES == len(one_by_one)
    assert all(map(np.array_equal, joined, one_by_one))
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == NTSC
        times = []
        for n, frame in enumerate(container.decode(stream)):
            assert number_of(frame.to_ndarray(format="rgb24")) == n
            times.append(shown_at(frame))
            assert (int(frame.colorspace), int(frame.color_range)) == (1, 1)
    off = [abs(time - n / NTSC) for n, time in enumerate(times)]
    assert max(off) <= (Fraction(1, 1000) if kind == "webm" else 0)
    heard = read_sound(out, 48_000, "left")
    assert abs(int(np.abs(heard).argmax()) - CLICK_SECONDS * 48_000) <= 2


@pytest.mark.parametrize(("kind", "codec"), KINDS)
def test_parts_of_a_picture_or_two(tmp_path: Path, kind: str, codec: str) -> None:
    """x265 gives such short streams decoding times out of memory that it never wrote."""
    film = form(kind, codec)
    lengths = [1, 2] * 10
    first, second = (write_parts(tmp_path / name, film, lengths) for name in "ab")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    join_parts(tmp_path / f"f.{kind}", film, first, 30)
    assert [number_of(picture) for picture in rgb(tmp_path / f"f.{kind}")] == list(range(30))


def with_detail(n: int) -> np.ndarray:
    """A picture of 128 x 128 that moves and has much in it."""
    y, x = np.mgrid[:128, :128]
    red = 128 + 120 * np.sin((x + 3 * n) / 7 + np.cos(y / 11))
    green = 128 + 100 * np.sin((x * y) / 300 + n / 5)
    blue = (x * 2 + n * 9) % 256
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(("kind", "codec"), KINDS)
def test_the_same_pictures_are_the_same_bytes(tmp_path: Path, kind: str, codec: str) -> None:
    film = film_format(Path(f"f.{kind}"), 640, 384, Fraction(25), codec)
    written = set()
    for _ in range(2):
        part = tmp_path / part_name(0, film)
        with part_writer(part, film) as write:
            for n in range(24):
                write(with_detail(n))
        written.add(part.read_bytes())
    assert len(written) == 1


def interrupt(part: Path, film: FilmFormat) -> None:
    with part_writer(part, film, 21) as write:
        write(numbered_picture(21))
        raise KeyboardInterrupt


@pytest.mark.parametrize("kind", ["mp4", "webm", "gif", "png"])
def test_an_interrupted_film_is_the_same_film(tmp_path: Path, kind: str) -> None:
    film = form(kind)
    suffix = "" if kind == "png" else f".{kind}"
    song = Song(write_song(tmp_path / "song.mp3", ".mp3"))
    parts = write_parts(tmp_path / "a", film, LENGTHS)
    join_parts(tmp_path / f"whole{suffix}", film, parts, FRAMES, song)

    again = write_parts(tmp_path / "b", film, LENGTHS, order=[3, 0, 5, 1])
    with pytest.raises(KeyboardInterrupt):
        interrupt(again[2], film)
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [
        part_name(index, film) for index in (0, 1, 3, 5)
    ]
    write_parts(tmp_path / "b", film, LENGTHS, order=[4, 2])
    join_parts(tmp_path / f"interrupted{suffix}", film, again, FRAMES, song)
    first, second = (tmp_path / f"{name}{suffix}" for name in ("whole", "interrupted"))
    if kind == "png":
        names = sorted(path.name for path in first.iterdir())
        assert names == [f"{n:06}.png" for n in range(FRAMES)]
        assert all((first / n).read_bytes() == (second / n).read_bytes() for n in names)
    else:
        assert first.read_bytes() == second.read_bytes()
    assert all(part.exists() for part in again)


@pytest.mark.parametrize("fps", [10, 30, 100])
def test_a_gif_in_parts_is_the_gif_in_one_go(tmp_path: Path, fps: int) -> None:
    film = form("gif", fps=Fraction(fps))
    parts = write_parts(tmp_path / "parts", film, [5, 1, 14])
    join_parts(tmp_path / "joined.gif", film, parts, 20)
    with FilmWriter(tmp_path / "one.gif", 192, 96, Fraction(fps)) as writer:
        for n in range(20):
            writer.write(numbered_picture(n))
    assert (tmp_path / "joined.gif").read_bytes() == (tmp_path / "one.gif").read_bytes()


@pytest.mark.parametrize("size", [(1280, 720), (96, 64), (300, 128)])
def test_pictures_are_scaled_by_lanczos_and_become_bt709(size: tuple[int, int]) -> None:
    picture = with_detail(3)
    expected = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))
    scaled = PictureScaler(*size, "rgb24")(picture).to_ndarray()
    difference = np.abs(scaled.astype(int) - expected)
    assert difference.mean() < 1
    assert np.percentile(difference, 99) <= 3
    luma = PictureScaler(*size, "yuv420p")(picture).to_ndarray()[: size[1], : size[0]]
    ideal = 16 + 219 * (expected / 255) @ np.array([0.2126, 0.7152, 0.0722])
    assert np.abs(luma - ideal).mean() < 1.5


def test_a_folder_takes_pictures_of_any_size(tmp_path: Path) -> None:
    film = form("png")
    with part_writer(tmp_path / "part", film, 7) as write:
        write(with_detail(1))
        write(numbered_picture(5))
    first, second = (Image.open(tmp_path / "part" / f"00000{n}.png") for n in (7, 8))
    assert first.size == (192, 96)
    assert np.array_equal(np.array(second), numbered_picture(5))


@pytest.mark.parametrize("size", [(640, 360), (1080, 1080), (1920, 1080)])
def test_phones_play_it(tmp_path: Path, size: tuple[int, int]) -> None:
    film = film_format(Path("f.mp4"), *size, Fraction(30))
    part = tmp_path / part_name(0, film)
    with part_writer(part, film) as write:
        for n in range(6):
            write(with_detail(n))
    song = Song(write_song(tmp_path / "song.flac", ".flac", 96_000, 6))
    out = tmp_path / "f.mp4"
    join_parts(out, film, [part], 6, song)
    data = out.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(out)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.profile, video.codec_context.codec_tag) == ("High", "avc1")
        assert video.codec_context.pix_fmt == "yuv420p"
        header = video.codec_context.extradata
        assert header is not None
        assert header[3] <= 42  # AVCLevelIndication: ten times the level
        assert (audio.profile, audio.codec_context.name) == ("LC", "aac")
        assert (audio.codec_context.layout.name, audio.codec_context.sample_rate) == (
            "stereo",
            48_000,
        )


def test_h265_is_marked_for_apple_and_prores_is_422_hq(tmp_path: Path) -> None:
    for kind, codec, tag in [("mp4", "h265", "hvc1"), ("mov", "prores", "apch")]:
        film = form(kind, codec)
        parts = write_parts(tmp_path / codec, film, [4, 4])
        join_parts(tmp_path / f"f.{kind}", film, parts, 8)
        with av.open(str(tmp_path / f"f.{kind}")) as container:
            context = container.streams.video[0].codec_context
            assert context.codec_tag == tag
            if codec == "prores":
                assert context.pix_fmt == "yuv422p10le"


def test_words_and_cover(tmp_path: Path) -> None:
    film = form("mp4")
    parts = write_parts(tmp_path / "parts", film, [10, 10])
    song = write_song(tmp_path / "song.mp3", ".mp3")
    words = {"title": "A film", "artist": "Someone", "comment": "seed 3", "date": "1984"}
    cover = with_detail(40)
    out = tmp_path / "f.mp4"
    join_parts(out, film, parts, 20, Song(song), words, cover)
    with av.open(str(out)) as container:
        assert words.items() <= container.metadata.items()
        attached = [
            s for s in container.streams.video if s.disposition & s.disposition.attached_pic
        ]
        shown = film_stream(container)
        assert shown is not None
        assert shown.codec_context.name == "h264"
        assert len(attached) == 1
        read = next(container.decode(attached[0])).to_ndarray(format="rgb24")
    assert read.shape == cover.shape
    assert np.abs(read.astype(int) - cover).mean() < 6
    assert len(pictures(out)) == 20


def test_parts_that_do_not_belong_are_named_and_the_old_film_stays(tmp_path: Path) -> None:
    film = form("mp4")
    parts = write_parts(tmp_path / "parts", film, [6, 6])
    out = tmp_path / "film.mp4"
    out.write_bytes(b"an older film")
    broken, draft, larger = (tmp_path / name for name in ("broken.mp4", "draft.mp4", "l.mp4"))
    broken.write_bytes(parts[0].read_bytes()[:-500])
    for path, other in [
        (draft, form("mp4", draft=True)),
        (larger, film_format(larger, 384, 192, NTSC)),
    ]:
        with part_writer(path, other) as write:
            write(numbered_picture(0))
    for bad in (broken, draft, larger, tmp_path / "none.mp4"):
        with pytest.raises(MediaError, match=rf"{bad.name}: is damaged.*remove it"):
            join_parts(out, film, [parts[0], bad], 12)
    with pytest.raises(MediaError, match="12 pictures of 13"):
        join_parts(out, film, parts, 13)
    folder = write_parts(tmp_path / "pngs", form("png"), [2, 2])
    with pytest.raises(MediaError, match="numbered"):
        join_parts(tmp_path / "f", form("png"), folder[::-1], 4)
    assert out.read_bytes() == b"an older film"
    assert not [path for path in tmp_path.iterdir() if ".partial" in path.name]


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("f.mov", {"codec": "h264"}, "prores"),
        ("f.mp4", {"codec": "vp9"}, "h264 or h265"),
        ("f.mov", {"crf": 20}, "leave it out"),
        ("f.mov", {"width": 191}, "even"),
        ("f.mp4", {"fps": Fraction(2997002997, 100000001)}, "simpler"),
    ],
)
def test_formats_that_cannot_be_are_said(name: str, more: dict, words: str) -> None:
    arguments = {"width": 192, "height": 96, "fps": NTSC} | more
    with pytest.raises(SettingsError, match=words):
        film_format(Path(name), **arguments)


@pytest.mark.parametrize(("kind", "codec"), KINDS)
def test_a_growing_film_can_be_read_after_each_part(tmp_path: Path, kind: str, codec: str) -> None:
    film = form(kind, codec, fps=Fraction(25))
    lengths = [50, 50, 50]
    parts = write_parts(tmp_path / "parts", film, lengths)
    song_kind = ".opus" if kind == "webm" else ".mp3"
    song = write_song(tmp_path / f"song{song_kind}", song_kind, seconds=Fraction(6))
    path = tmp_path / f"growing.{kind}"
    with GrowingFilm(path, film, Song(song)) as growing:
        for index, part in enumerate(parts):
            growing.add(part)
            come = 50 * (index + 1)
            assert growing.seconds == Fraction(come, 25)
            shown = pictures(path)
            assert come - 50 <= len(shown) <= come
            assert abs(sound_duration(path) - Fraction(len(shown), 25)) < Fraction(1, 2)
    assert [number_of(frame) for frame in rgb(path)] == list(range(150))
    heard = read_sound(path, 48_000, "left")
    with av.open(str(path)) as container:
        first = next(container.decode(video=0))
        begins = shown_at(first) - Fraction(container.start_time or 0, 1_000_000)
    # Where a player that leaves edit lists out starts with the codec's silence, so does the film.
    assert abs(int(np.abs(heard).argmax()) - (CLICK_SECONDS + begins) * 48_000) < 48_000 // 500
    growing.close()
    growing.discard()
    assert not path.exists()
    with pytest.raises(SettingsError, match=r"\.webm"):
        GrowingFilm(tmp_path / "f.gif", form("gif"))


@pytest.mark.parametrize(
    ("kind", "song_kind"), [("mp4", ".mp3"), ("mp4", ".flac"), ("webm", ".ogg")]
)
def test_a_growing_film_goes_on_after_its_song(tmp_path: Path, kind: str, song_kind: str) -> None:
    film = form(kind, fps=Fraction(25))
    parts = write_parts(tmp_path / "parts", film, [50])
    song = write_song(tmp_path / f"song{song_kind}", song_kind)
    path = tmp_path / f"growing.{kind}"
    with GrowingFilm(path, film, Song(song)) as growing:
        for part in parts * 4:
            growing.add(part)
        assert len(pictures(path)) >= 150  # within two seconds


def rgb(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


FULL_DISK = """
import resource, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from soundreel.errors import StorageError
from soundreel.media.film_format import film_format
from soundreel.media.film_joining import join_parts
from soundreel.media.film_parts import part_name, part_writer
from soundreel.media.growing import GrowingFilm
place = Path(sys.argv[1])
out = place / sys.argv[2]
film = film_format(out, 192, 96, Fraction(30))
noise = np.random.default_rng(0).integers(0, 256, (12, 96, 192, 3)).astype(np.uint8)
parts = [place / part_name(n, film) for n in range(9)]
for part in parts:
    with part_writer(part, film) as write:
        for picture in noise[: 6 if part is parts[0] else 2]:
            write(picture)
size = parts[0].stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size - 20_000, size - 20_000))
def write_part():
    with part_writer(parts[8], film) as write:
        for picture in noise:
            write(picture)
def grow():
    growing = GrowingFilm(place / ("growing" + out.suffix), film)
    try:
        for part in parts[:8] * 2:
            growing.add(part)
        growing.close()
    finally:
        growing.discard()
for act in [write_part, lambda: join_parts(out, film, parts, 22), grow]:
    if act is grow and out.suffix == ".gif":
        continue
    try:
        act()
    except StorageError as error:
        print("said:", error)
print(sorted(path.name for path in place.iterdir()) == sorted(part.name for part in parts))
"""


@pytest.mark.parametrize("name", ["f.mp4", "f.webm", "f.mov", "f.gif"])
def test_a_disk_that_takes_no_more_parts(tmp_path: Path, name: str) -> None:
    """A limit on file sizes stands for a full disk."""
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path), name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr[-2000:]
    assert lines[-1] == "True", (lines, list(tmp_path.iterdir()))
    assert sum(line.startswith("said:") for line in lines) == (2 if name == "f.gif" else 3)


def test_a_place_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    film = form("mp4")
    with pytest.raises(StorageError), part_writer(tmp_path / "file" / "p.mp4", film):
        pass
    parts = write_parts(tmp_path / "parts", film, [2])
    with pytest.raises(StorageError):
        join_parts(tmp_path / "file" / "f.mp4", film, parts, 2)
    with pytest.raises(StorageError):
        GrowingFilm(tmp_path / "file" / "f.mp4", film).add(parts[0])


def test_memory_does_not_grow_with_the_number_of_parts(tmp_path: Path) -> None:
    film = form("mov", fps=Fraction(25))
    parts = [tmp_path / part_name(0, film)]
    with part_writer(parts[0], film) as write:
        for noise in np.random.default_rng(0).integers(0, 256, (12, 96, 192, 3)):
            write(noise.astype(np.uint8))
    join_parts(tmp_path / "warm.mov", film, parts * 20, 240)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    join_parts(tmp_path / "film.mov", film, parts * 600, 7200)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert (tmp_path / "film.mov").stat().st_size > 100_000_000
    assert grown_kb < 40_000
