"""The house's rules: who may import whom, the gatekeepers, room names, and no circles."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "soundreel"

#: Each layer may import from those before it (and from its own room), never from those after.
LAYERS = [
    ["errors"],
    ["timeline"],
    ["seeding", "atomic", "progress", "settings", "threads"],
    ["parallel"],
    ["recipe"],
    ["places"],
    ["media"],
    ["sources"],
    ["sound", "synthetic"],
    ["dataset"],
    ["networks"],
    ["box"],
    ["sharing"],
    ["evidence"],
    ["cutting"],
    ["training"],
    ["rendering"],
    ["editing"],
    ["asking"],
    ["demonstration"],
    ["command_line"],
    ["cli", "__init__"],
]
#: Packages that only one place may touch.
GATEKEEPERS = {
    "av": {"media"},
    "cv2": {"dataset", "evidence"},
    "fsspec": {"places"},
    "huggingface_hub": {"sharing"},
    "onnx": {"sharing"},
    "onnxruntime": {"sharing"},
    "onnxscript": {"sharing"},
    "requests": {"sources"},
    "yt_dlp": {"sources"},
    "gradio": {"studio"},
    "fastapi": {"studio", "live"},
    "ray": {"parallel"},
    "multiprocessing": {"parallel"},
    "lightning_fabric": {"training"},
    "matplotlib": {"training", "evidence", "rendering", "asking"},
    "openvino": {"rendering"},
    "tensorboard": set(),
    "cyclopts": {"cli", "command_line"},
    "scipy": set(),
    "librosa": set(),
    "pickle": set(),
}
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
MODULES = sorted(SOURCE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Every module a file imports, at its top, inside functions and for type checking alike."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import from the package's name, not from dots"
            names.add(node.module or "")
            if node.module == "soundreel":
                names |= {f"soundreel.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_room_imports_only_from_layers_before_it(path):
    room = room_of(path)
    assert room in RANK, f"{room} is in no layer: give it a place in LAYERS"
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "soundreel" or len(parts) == 1 or room == "__init__":
            continue
        other = parts[1]
        if other in RANK and other != room:
            assert RANK[other] < RANK[room], f"{room} imports {other}, which lies above it"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_gatekeepers(path):
    for name in imported(path):
        package = name.split(".")[0]
        if package in GATEKEEPERS:
            assert room_of(path) in GATEKEEPERS[package], f"only {GATEKEEPERS[package]} may use it"
    if room_of(path) != "parallel":  # threads are anyone's, processes are not
        assert "ProcessPoolExecutor" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_room_without_a_meaning(path):
    for part in path.relative_to(SOURCE).parts:
        assert not re.fullmatch(r"(utils?|helpers?|common|misc)(\.py)?", part)


def test_only_timeline_rounds_times():
    """Nobody else turns seconds into frames or samples by int(), round(), floor() or ceil()."""
    pattern = re.compile(r"\b(int|round|floor|ceil)\([^()\n]*(seconds|time)\b[^()\n]*\*")
    for path in MODULES:
        if room_of(path) != "timeline":
            found = pattern.search(path.read_text(encoding="utf-8"))
            assert not found, f"{path.name}: {found and found[0]} belongs into timeline.py"


def test_there_is_no_import_circle():
    graph = {}
    for path in MODULES:
        name = ".".join(("soundreel", *path.relative_to(SOURCE).with_suffix("").parts))
        graph[name.removesuffix(".__init__")] = {
            other for other in imported(path) if other.startswith("soundreel.")
        }
    graph.pop("soundreel")
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name in done or name not in graph:
            return
        for other in graph[name]:
            visit(other, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


def test_importing_soundreel_is_light():
    heavy = "torch", "numpy", "av", "PIL", "pydantic"
    code = f"import sys, soundreel; print([m for m in {heavy!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_verbs_of_the_command_line_are_functions_of_the_package():
    import soundreel
    from soundreel.cli import app

    verbs = {name for name in app if not name.startswith("-")}
    making = {"fetch", "prepare", "inspect", "export", "train", "look", "render", "remix"}
    making |= {"sonify", "loop"}
    assert verbs == making | {"ask", "push", "demo"}
    for verb in verbs:
        assert callable(getattr(soundreel, verb))
    # A module of a verb's name would take its place in the package once it is imported.
    assert not verbs & {path.stem for path in SOURCE.iterdir()}
