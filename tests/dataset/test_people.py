"""People, faces and the artist: one real photograph, real films, planted networks, and errors."""

import os
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from soundreel.dataset.people import WORKING_SIDE, people_judge
from soundreel.errors import SettingsError
from soundreel.media.probe import probe
from soundreel.media.video import Fit, frames_at

ROOT = Path(__file__).parents[2]
MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", ROOT.parent / "shared" / "media"))


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """Rear Admiral Grace Hopper, as matplotlib brings her along (public domain)."""
    data = pytest.importorskip("matplotlib.cbook", reason="its photograph is needed")
    with data.get_sample_data("grace_hopper.jpg") as file:
        image = Image.open(file).convert("RGB")
    image.thumbnail((360, 360))
    return np.asarray(image)


def still(name: str, seconds: int) -> np.ndarray:
    path = MEDIA / "videos" / name
    if not path.exists():
        pytest.skip(f"{name} is not there (SOUNDREEL_MEDIA may say where)")
    height = round(WORKING_SIDE / float(probe(path).display_aspect))
    return next(frames_at(path, [Fraction(seconds)], Fit(height, WORKING_SIDE)))[1]


def landscape() -> np.ndarray:
    y, x = np.mgrid[0:1:240j, 0:1:320j]
    return (np.stack([x, y, 1 - y], 2) * 255).astype(np.uint8)


def photo(folder: Path, name: str, picture_HW3: np.ndarray) -> Path:
    folder.mkdir(exist_ok=True)
    Image.fromarray(picture_HW3).save(folder / name)
    return folder


def test_a_photograph_of_one_person_of_two_and_of_none(portrait):
    people, solo = people_judge("people"), people_judge("solo")
    pair = np.concatenate([portrait, portrait[:, ::-1]], 1)
    assert (people(portrait), solo(portrait)) == (None, None)
    assert (people(pair), solo(pair)) == (None, "2 faces")
    assert (people(landscape()), solo(landscape())) == ("no person", "no face")
    assert people(np.zeros((90, 160, 3), np.uint8)) == "no person"
    assert solo(portrait[::3, ::3]) is None, "a face of 45 pixels"


def test_the_drawn_people_of_real_films():
    people, solo = people_judge("people"), people_judge("solo")
    assert people(still("sintel_bridge_480p.mp4", 24)) is None
    assert solo(still("sintel_bridge_480p.mp4", 24)) is None
    assert people(still("bbb_forest_486p.mp4", 45)) == "no person"
    assert solo(still("case_theora_panda.ogv", 3)) == "no face"
    # Found from the front and, mirrored, from the side: one face all the same.
    assert solo(still("ed_opening_two_audio.mp4", 51)) is None


def test_one_thread_and_the_same_answers_again(portrait):
    import cv2

    cv2.setNumThreads(4)
    judge = people_judge("people")
    assert cv2.getNumThreads() == 1
    assert [judge(portrait), judge(landscape())] * 2 == [
        judge(picture) for picture in [portrait, landscape()] * 2
    ]


def test_the_artist_by_gradients_is_the_same_face_in_the_same_light(portrait, tmp_path):
    judge = people_judge("artist", photo(tmp_path / "photos", "hopper.jpg", portrait))
    (tmp_path / "photos" / "notes.txt").write_text("not a photo, and left alone")
    assert judge((portrait * 0.7).astype(np.uint8)) is None
    assert judge(landscape()) == "no face"
    for name, seconds in (("sintel_bridge_480p.mp4", 24), ("ed_opening_two_audio.mp4", 56)):
        assert judge(still(name, seconds)) == "not the artist"


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no photos there"), (b"dear diary", "cannot be read"), ("landscape", "no face found"),
     ("pair", "2 faces in this photo")],
)  # fmt: skip
def test_photos_that_do_not_show_the_artist_are_named(tmp_path, portrait, content, words):
    folder = tmp_path / "photos"
    folder.mkdir()
    if isinstance(content, bytes):
        (folder / "me.jpg").write_bytes(content)
    elif content is not None:
        pair = np.concatenate([portrait, portrait[:, ::-1]], 1)
        photo(folder, "me.jpg", landscape() if content == "landscape" else pair)
    with pytest.raises(SettingsError, match=words) as caught:
        people_judge("artist", folder)
    assert ("me.jpg" if content else "photos") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_that_do_not_go_together(tmp_path):
    with pytest.raises(SettingsError, match="give a folder of photos"):
        people_judge("artist")
    with pytest.raises(SettingsError, match="are for only artist"):
        people_judge("solo", artist_photos=tmp_path)
    with pytest.raises(SettingsError, match=r"sface\.onnx.*give a face model"):
        people_judge("artist", tmp_path, recognition_model=tmp_path / "sface.onnx")


# What follows plants networks: ONNX files written here, with weights that say what they must find.


def message(field: int, *parts: bytes) -> bytes:
    """One length-delimited field of a protocol buffer."""
    content = b"".join(parts)
    return varint(field << 3 | 2) + varint(len(content)) + content


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def tensor(name: str, array: np.ndarray) -> bytes:
    is_whole = array.dtype == np.int64
    sizes = [number(1, size) for size in array.shape]
    return message(5, *sizes, number(2, 7 if is_whole else 1), message(8, name.encode()),
                   message(9, array.tobytes()))  # fmt: skip


def node(kind: str, inputs: list[str], output: str, **attributes: list[int]) -> bytes:
    parts = [message(1, name.encode()) for name in inputs] + [message(2, output.encode())]
    parts += [message(3, output.encode()), message(4, kind.encode())]
    for key, values in attributes.items():
        whole = [number(8, value) for value in values]
        parts.append(message(5, message(1, key.encode()), *whole, number(20, 7)))
    return message(1, *parts)


def place(field: int, name: str, shape: list[int]) -> bytes:
    sizes = [message(1, number(1, size)) for size in shape]
    kind = message(1, number(1, 1), message(2, *sizes))
    return message(field, message(1, name.encode()), message(2, kind))


def onnx_file(path: Path, graph: list[bytes]) -> Path:
    graph = [*graph, message(2, b"planted")]
    path.write_bytes(number(1, 7) + message(8, number(2, 11)) + message(7, *graph))
    return path


def planted_yunet(path: Path) -> Path:
    """Finds a face of 64 x 64 about the middle of each wholly red cell of the 32-pixel grid."""
    points = [(38.3, 51.7), (73.5, 51.5), (56.0, 71.7), (41.5, 92.4), (70.7, 92.2)]
    on_grid = [(-16 + value * 64 / 112) / 32 for point in points for value in point]
    kinds = {"cls": [0.0], "obj": [0.0], "bbox": [0.5, 0.5, np.log(2), np.log(2)], "kps": on_grid}
    graph = [place(11, "input", [1, 3, 320, 320])]
    for kind, bias in kinds.items():
        for side in (8, 16, 32):
            weights = np.zeros((len(bias), 3, side, side), np.float32)
            if side == 32 and len(bias) == 1:
                weights[:, 2], weights[:, 1] = 1 / 255 / side**2, -1 / 255 / side**2  # BGR
            name = f"{kind}_{side}"
            cells = (320 // side) ** 2
            graph += [
                tensor(name + "w", weights),
                tensor(name + "b", np.array(bias, np.float32)),
                tensor(name + "s", np.array([1, -1, len(bias)], np.int64)),
                node("Conv", ["input", name + "w", name + "b"], name + "c",
                     kernel_shape=[side, side], strides=[side, side]),
                node("Transpose", [name + "c"], name + "t", perm=[0, 2, 3, 1]),
                node("Reshape", [name + "t", name + "s"], name),
                place(12, name, [1, cells, len(bias)]),
            ]  # fmt: skip
    return onnx_file(path, graph)


def planted_sface(path: Path) -> Path:
    """Describes a face by (red - 2 blue, 1): whether it is red or violet."""
    weights = np.array([[1, 0, -2], [0, 0, 0]], np.float32).reshape(2, 3, 1, 1)
    graph = [
        place(11, "data", [1, 3, 112, 112]),
        tensor("w", weights),
        tensor("b", np.array([0, 1], np.float32)),
        node("Conv", ["data", "w", "b"], "c", kernel_shape=[1, 1], strides=[1, 1]),
        node("GlobalAveragePool", ["c"], "fc1"),
        place(12, "fc1", [1, 2, 1, 1]),
    ]
    return onnx_file(path, graph)


def cells(*colours: tuple[int, int, int]) -> np.ndarray:
    """320 x 320 black, with cells of 32 x 32 of these colours, far from each other."""
    picture_HW3 = np.zeros((320, 320, 3), np.uint8)
    for n, colour in enumerate(colours):
        picture_HW3[128:160, 64 + 128 * n : 96 + 128 * n] = colour
    return picture_HW3


RED, VIOLET, BLUE = (255, 0, 0), (255, 0, 255), (0, 0, 255)


def test_a_face_model_finds_what_its_weights_say(tmp_path):
    judge = people_judge("solo", face_model=planted_yunet(tmp_path / "yunet.onnx"))
    assert judge(cells(RED)) is None
    assert judge(cells(RED, VIOLET)) == "2 faces"
    assert judge(cells(BLUE)) == "no face"


def test_a_recognition_model_tells_whom_its_weights_say(tmp_path):
    models = planted_yunet(tmp_path / "yunet.onnx"), planted_sface(tmp_path / "sface.onnx")
    judge = people_judge("artist", photo(tmp_path / "photos", "red.png", cells(RED)), *models)
    assert judge(cells((250, 5, 0))) is None
    assert judge(cells(VIOLET)) == "not the artist"
    assert judge(cells(VIOLET, RED)) is None
    assert judge(cells(BLUE)) == "no face"


@pytest.mark.parametrize("kind", ["missing", "words", "another network"])
def test_models_that_are_none_are_named(tmp_path, kind):
    good, bad = planted_yunet(tmp_path / "good.onnx"), tmp_path / "bad.onnx"
    if kind == "words":
        bad.write_text("dear diary")
    photos = photo(tmp_path / "photos", "red.png", cells(RED))
    words = r"bad\.onnx: " + ("no such file" if kind == "missing" else "OpenCV cannot use it")
    if kind == "another network":
        planted_sface(bad)
    with pytest.raises(SettingsError, match=words):
        people_judge("solo", face_model=bad)
    if kind == "another network":
        bad.write_bytes(struct.pack("<I", 7) * 99)
    with pytest.raises(SettingsError, match=words):
        people_judge("artist", photos, good, bad)
