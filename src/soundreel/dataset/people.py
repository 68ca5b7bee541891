"""Which pictures show people, exactly one face, or the artist: by OpenCV's detectors.

Without model files, faces are found by the Haar cascades that come with OpenCV (Viola and Jones,
"Rapid object detection using a boosted cascade of simple features", CVPR 2001) and bodies by
histograms of oriented gradients (Dalal and Triggs, CVPR 2005). With a person's own YuNet and
SFace files, faces are found and recognised by those. How often each is wrong on real clips:
docs/selection.md, measured by benchmarks/detectors.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image, ImageOps

from soundreel.errors import SettingsError

if TYPE_CHECKING:
    import cv2

#: Says of a picture (H x W x 3 uint8 RGB, in the film's shape) why it is left out, or None.
Judge = Callable[[np.ndarray], str | None]

#: Pictures are to be at most this long, in pixels: the detectors take time with the area.
WORKING_SIDE = 640

# A face: an array whose first four numbers are left, top, width, height in pixels; YuNet adds
# five points (x, y) and a score, which SFace needs.
_FindFaces = Callable[[np.ndarray], "list[np.ndarray]"]
_Describe = Callable[[np.ndarray, np.ndarray], np.ndarray]

_PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
_SMALLEST_FACE = 12  # of the picture's shorter side: a face is at least this part of it
_LEAST_PIXELS = 20  # and the cascades were trained on 20 x 20
_NEIGHBOURS = 3  # overlapping finds that make one face
_PROFILE_NEIGHBOURS, _PROFILE_WEIGHT = 5, 1.0  # side faces alarm falsely more often
_BODY_WEIGHT = 1.0  # the detector's own margin: at 0.5 three times as many alarms are false
_BODY_WINDOW = 64, 128
_SAME_FACE_OVERLAP = 0.4  # of the smaller box: two finds are one face
_YUNET_SCORE = 0.9  # FaceDetectorYN's own default
_SFACE_SAME = 0.363  # cosine; OpenCV's documentation of FaceRecognizerSF, measured on LFW
#: Cosine of two faces' gradients above which they count as the same; see `_gradients_of`.
_GRADIENTS_SAME = 0.78


def people_judge(
    only: Literal["people", "solo", "artist"],
    artist_photos: Path | None = None,
    face_model: Path | None = None,
    recognition_model: Path | None = None,
) -> Judge:
    """A judge of pictures, to be made once in a process.

    only: `people` lets in what shows a face or a body, `solo` exactly one face, `artist` any
        face that is like one in `artist_photos`.
    artist_photos: a folder of photos that show the artist's face (or one photo).
    face_model: a YuNet file (.onnx) to find faces with, in place of the Haar cascades.
    recognition_model: an SFace file (.onnx) to compare faces with; needs `face_model` too.
        Without it, faces are compared by their gradients, which tells looks, not persons.

    The judge returns None for a picture that goes in, else "no person", "no face", "2 faces" (or
    however many) or "not the artist". Pictures are at most WORKING_SIDE long, in the film's shape.
    OpenCV is set to one thread in this process: with more, its finds come in any order.

    Raises: SettingsError for a model or photo that is missing, cannot be read or shows no face.
    """
    import cv2

    if only == "artist" and artist_photos is None:
        raise SettingsError("only artist: give a folder of photos that show the artist's face")
    if only != "artist" and (artist_photos is not None or recognition_model is not None):
        raise SettingsError(f"only {only}: photos and a recognition model are for only artist")
    if recognition_model is not None and face_model is None:
        raise SettingsError(
            f"{recognition_model}: recognition needs the eyes and mouth that YuNet finds: "
            "give a face model (YuNet .onnx) too"
        )
    cv2.setNumThreads(1)
    cv2.ocl.setUseOpenCL(False)
    faces_in = _haar_faces() if face_model is None else _yunet_faces(face_model)
    if only == "artist":
        assert artist_photos is not None
        describe, least = _gradients_of, _GRADIENTS_SAME
        if recognition_model is not None:
            describe, least = _sface(recognition_model), _SFACE_SAME
        references_RK = _references(artist_photos, faces_in, describe)
        return lambda picture_HW3: _judge_artist(
            picture_HW3, faces_in, describe, references_RK, least
        )
    if only == "solo":
        return lambda picture_HW3: _judge_solo(faces_in(picture_HW3))
    bodies_in = _hog_bodies()
    return lambda picture_HW3: (
        None if faces_in(picture_HW3) or bodies_in(picture_HW3) else "no person"
    )


def _judge_solo(faces: list[np.ndarray]) -> str | None:
    if len(faces) == 1:
        return None
    return f"{len(faces)} faces" if faces else "no face"


def _judge_artist(
    picture_HW3: np.ndarray,
    faces_in: _FindFaces,
    describe: _Describe,
    references_RK: np.ndarray,
    least: float,
) -> str | None:
    faces = faces_in(picture_HW3)
    if not faces:
        return "no face"
    found_FK = np.stack([describe(picture_HW3, face) for face in faces])
    return None if (found_FK @ references_RK.T).max() >= least else "not the artist"


def _haar_faces() -> _FindFaces:
    """Faces from the front, and from either side (the profile cascade knows left ones only)."""
    import cv2

    front = _cascade("haarcascade_frontalface_alt.xml")
    profile = _cascade("haarcascade_profileface.xml")

    def faces_in(picture_HW3: np.ndarray) -> list[np.ndarray]:
        luma_HW = cv2.cvtColor(picture_HW3, cv2.COLOR_RGB2GRAY)
        side = max(_LEAST_PIXELS, min(luma_HW.shape) // _SMALLEST_FACE)
        least = side, side
        found = [
            np.asarray(box) for box in front.detectMultiScale(luma_HW, 1.1, _NEIGHBOURS, 0, least)
        ]
        for is_mirrored in (False, True):
            seen_HW = np.ascontiguousarray(luma_HW[:, ::-1]) if is_mirrored else luma_HW
            boxes, _, weights = profile.detectMultiScale3(
                seen_HW, 1.1, _PROFILE_NEIGHBOURS, 0, least, outputRejectLevels=True
            )
            for (x, y, width, height), weight in zip(boxes, np.ravel(weights), strict=True):
                if weight > _PROFILE_WEIGHT:
                    left = luma_HW.shape[1] - x - width if is_mirrored else x
                    found.append(np.array([left, y, width, height]))
        return _without_doubles(found)

    return faces_in


def _cascade(name: str) -> cv2.CascadeClassifier:
    import cv2.data

    return cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / name))


def _without_doubles(boxes: list[np.ndarray]) -> list[np.ndarray]:
    """The boxes, each that lies over an earlier one left out."""
    kept: list[np.ndarray] = []
    for box in boxes:
        if not any(_lie_over_each_other(box, other) for other in kept):
            kept.append(box)
    return kept


def _lie_over_each_other(one: np.ndarray, other: np.ndarray) -> bool:
    (x, y, width, height), (u, v, w, h) = one[:4].tolist(), other[:4].tolist()
    across = min(x + width, u + w) - max(x, u)
    down = min(y + height, v + h) - max(y, v)
    smaller = min(width * height, w * h)
    return across > 0 and down > 0 and across * down >= _SAME_FACE_OVERLAP * smaller


def _hog_bodies() -> Callable[[np.ndarray], bool]:
    """Whether somebody stands or walks in a picture, whole and at least 128 pixels tall."""
    import cv2

    hog = cv2.HOGDescriptor()
    hog.setSVMDetector(np.array(cv2.HOGDescriptor.getDefaultPeopleDetector(), np.float32))

    def bodies_in(picture_HW3: np.ndarray) -> bool:
        width, height = _BODY_WINDOW
        if picture_HW3.shape[0] < height or picture_HW3.shape[1] < width:
            return False
        bgr_HW3 = cv2.cvtColor(picture_HW3, cv2.COLOR_RGB2BGR)
        _, weights = hog.detectMultiScale(
            bgr_HW3, winStride=(8, 8), padding=(16, 16), scale=1.05, groupThreshold=2
        )
        return bool(np.any(np.ravel(weights) > _BODY_WEIGHT))

    return bodies_in


def _yunet_faces(model: Path) -> _FindFaces:
    """Faces found by a YuNet file (Wu, Peng and Yu, "YuNet", 2023) through FaceDetectorYN."""
    import cv2

    _check_file(model, "YuNet")

    def faces_in(picture_HW3: np.ndarray) -> list[np.ndarray]:
        detector.setInputSize((picture_HW3.shape[1], picture_HW3.shape[0]))
        found = detector.detect(cv2.cvtColor(picture_HW3, cv2.COLOR_RGB2BGR))[1]
        return [] if found is None else list(found)

    try:
        detector = cv2.FaceDetectorYN.create(str(model), "", (320, 320), _YUNET_SCORE)
        faces_in(np.zeros((320, 320, 3), np.uint8))  # another network's file fails only here
    except (cv2.error, SystemError) as error:
        raise _wrong_model(model, "face_detection_yunet", "YuNet") from error
    return faces_in


def _sface(model: Path) -> _Describe:
    """Faces described by an SFace file (Zhong and others, 2021) through FaceRecognizerSF."""
    import cv2

    _check_file(model, "SFace")

    def describe(picture_HW3: np.ndarray, face: np.ndarray) -> np.ndarray:
        aligned = recognizer.alignCrop(cv2.cvtColor(picture_HW3, cv2.COLOR_RGB2BGR), face)
        return _unit(recognizer.feature(aligned).ravel().astype(np.float64))

    try:
        recognizer = cv2.FaceRecognizerSF.create(str(model), "")
        recognizer.feature(np.zeros((112, 112, 3), np.uint8))
    except (cv2.error, SystemError) as error:
        raise _wrong_model(model, "face_recognition_sface", "SFace") from error
    return describe


def _check_file(model: Path, kind: str) -> None:
    if not model.is_file():
        raise SettingsError(f"{model}: no such file: give the place of a {kind} model (.onnx)")


def _wrong_model(model: Path, name: str, kind: str) -> SettingsError:
    return SettingsError(
        f"{model}: OpenCV cannot use it as a {kind} model: "
        f"give the file {name}_*.onnx of the OpenCV Zoo"
    )


def _gradients_of(picture_HW3: np.ndarray, face: np.ndarray) -> np.ndarray:
    """A face as the histograms of oriented gradients of its 64 x 64 evened luma, of length 1.

    What can be had without a trained recogniser: it finds the same face in the same pose and
    light, hardly the same person elsewhere (docs/selection.md has the numbers).
    """
    import cv2

    height, width = picture_HW3.shape[:2]
    x, y, w, h = (int(value) for value in face[:4])
    part_HW3 = picture_HW3[max(0, y) : min(height, y + h), max(0, x) : min(width, x + w)]
    luma_HW = cv2.cvtColor(np.ascontiguousarray(part_HW3), cv2.COLOR_RGB2GRAY)
    even_HW = cv2.equalizeHist(cv2.resize(luma_HW, (64, 64), interpolation=cv2.INTER_AREA))
    hog = cv2.HOGDescriptor((64, 64), (16, 16), (8, 8), (8, 8), 9)
    return _unit(np.ravel(hog.compute(even_HW)).astype(np.float64))


def _unit(vector_K: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector_K)
    return vector_K / length if length > 0 else vector_K


def _references(photos: Path, faces_in: _FindFaces, describe: _Describe) -> np.ndarray:
    """R x K: the artist's face in each photo, described; a photo's largest face is theirs."""
    paths = [photos] if photos.is_file() else sorted(photos.glob("*"), key=lambda p: p.name)
    paths = [path for path in paths if path.suffix.lower() in _PHOTO_SUFFIXES and path.is_file()]
    if not paths:
        raise SettingsError(f"{photos}: no photos there: give a folder of .jpg or .png files")
    rows = []
    for path in paths:
        picture_HW3 = _photo(path)
        faces = sorted(faces_in(picture_HW3), key=lambda face: -float(face[2] * face[3]))
        if not faces:
            raise SettingsError(
                f"{path}: no face found in this photo: take one that shows the artist's face "
                "from the front, large and well lit"
            )
        if len(faces) > 1 and faces[1][2] * faces[1][3] * 2 > faces[0][2] * faces[0][3]:
            raise SettingsError(
                f"{path}: {len(faces)} faces in this photo: cut it so that it shows only the artist"
            )
        rows.append(describe(picture_HW3, faces[0]))
    return np.stack(rows)


def _photo(path: Path) -> np.ndarray:
    """A photo as H x W x 3 uint8 RGB, upright, at most WORKING_SIDE long."""
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SettingsError(
            f"{path}: cannot be read as a photo: leave it out, or save it again as .jpg or .png"
        ) from error
    upright.thumbnail((WORKING_SIDE, WORKING_SIDE))
    return np.asarray(upright)
