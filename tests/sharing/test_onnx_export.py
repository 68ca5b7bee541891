import builtins
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models_to_share import model_here
from soundreel.errors import ModelError, SoundreelError, StorageError
from soundreel.networks.bundle import load_model, save_model
from soundreel.networks.reel import Reel
from soundreel.networks.score import Score
from soundreel.recipe import recipe_from
from soundreel.sharing import onnx_export
from soundreel.sharing.onnx_export import export_onnx

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")


def run(path: Path, **inputs: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {name: x.numpy() for name, x in inputs.items()})[0]


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(5)) * 2 - 1


@pytest.mark.parametrize("channels", [1, 3])
def test_onnx_runtime_makes_the_pictures_of_torch_for_any_batch(tmp_path, channels):
    folder = model_here(tmp_path / "m", in_channels=channels)
    made = export_onnx(folder, tmp_path / "m.onnx")
    assert made.inputs == {"sound": ("batch", 1, 64, 64)}
    assert made.outputs == {"picture": ("batch", 3, 64, 64)}
    assert made.error is not None
    assert made.error < 1e-5
    assert "sound batch x 1 x 64 x 64 -> picture batch x 3 x 64 x 64, opset 18" in made.summary
    model = load_model(folder, "fp32", "cpu")
    for batch in (1, 2, 5):
        x_B1SS = noise(batch, 1, 64, 64)
        expected = model.pictures(x_B1SS, [0] * batch).numpy()
        assert expected.std() > 0.01
        np.testing.assert_allclose(run(made.out, sound=x_B1SS), expected, rtol=0, atol=1e-3)


def test_the_inverse_takes_a_picture(tmp_path):
    folder = model_here(tmp_path / "m", direction="picture-to-sound", in_channels=3, out_channels=3)
    made = export_onnx(str(folder), tmp_path / "m.onnx")
    assert made.inputs == {"picture": ("batch", 3, 64, 64)}
    assert made.outputs == {"sound": ("batch", 1, 64, 64)}
    y_B3SS = noise(3, 3, 64, 64)
    generator = load_model(folder, "fp32", "cpu").generator
    with torch.inference_mode():
        expected = generator(y_B3SS).mean(1, keepdim=True).numpy()
    np.testing.assert_allclose(run(made.out, picture=y_B3SS), expected, rtol=0, atol=1e-3)


def test_a_score_takes_frames_and_a_voice(tmp_path):
    torch.manual_seed(0)
    arguments: dict[str, Any] = {
        "sound_size": 64,
        "frames": 5,
        "step": "1/10",
        "side": 64,
        "width": 4,
        "clips": 2,
        "harmonies": 3,
        "looks": 2,
    }
    recipe = recipe_from(
        "mel", sound_image_size=64, window_samples=2_048 + 63 * 245, picture_size=64
    )
    learnt = {"looks": ["a", "b"]}
    save_model(
        tmp_path / "m", Score(**arguments), arguments, recipe, "picture-to-sound", {}, learnt=learnt
    )
    made = export_onnx(tmp_path / "m", tmp_path / "m.onnx")
    assert made.inputs == {
        "frames": ("batch", 5, 3, 64, 64),
        "voice": ("batch", 32),
        "harmony": ("batch", 64, 4),
    }
    assert made.outputs == {"sound": ("batch", 1, 64, 64)}
    generator = load_model(tmp_path / "m", "fp32", "cpu").generator
    assert isinstance(generator, Score)
    y_BF3HW = noise(3, 5, 3, 64, 64)
    voice_BV, harmony_BSG = generator.voice_NV, noise(3, 64, 4)
    expected = generator(y_BF3HW, voice_BV, harmony_BSG).numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(
        run(made.out, frames=y_BF3HW, voice=voice_BV, harmony=harmony_BSG),
        expected,
        rtol=0,
        atol=1e-3,
    )
    metadata = {entry.key: entry.value for entry in onnx.load(made.out).metadata_props}
    assert set(json.loads(metadata["soundreel_looks"])) == {"a", "b", "average"}


def test_a_reel_takes_sound_and_a_cue(tmp_path):
    torch.manual_seed(0)
    arguments: dict[str, Any] = {
        "rows": 36,
        "columns": 64,
        "width": 4,
        "clips": 2,
        "references": 3,
        "tone": True,
    }
    learnt = {"looks": ["a", "b"]}
    save_model(
        tmp_path / "m",
        Reel(**arguments),
        arguments,
        recipe_from("default"),
        "sound-to-picture",
        {},
        learnt=learnt,
    )
    reel = load_model(tmp_path / "m", "fp32", "cpu").generator
    assert isinstance(reel, Reel)
    made = export_onnx(tmp_path / "m", tmp_path / "m.onnx")
    assert made.inputs == {
        "sound": ("batch", 1, 256, 256),
        "cue": ("batch", reel.cue_numbers),
    }
    assert made.outputs == {"picture": ("batch", 3, 36, 64)}
    told = {one.key: one.value for one in onnx.load(made.out).metadata_props}
    looks = json.loads(told["soundreel_looks"])
    assert [*looks] == ["a", "b", "average"]
    # A look of the metadata and no code: the picture of that look.
    x_B1SS = noise(3, 1, 256, 256)
    look_BL = torch.tensor(looks["b"]).expand(3, -1)
    cue_BK = torch.nn.functional.pad(look_BL, (0, reel.cue_numbers - look_BL.shape[1]))
    with torch.inference_mode():
        expected = reel(x_B1SS, cue_BK).numpy()
    made_here = run(made.out, sound=x_B1SS, cue=cue_BK)
    np.testing.assert_allclose(made_here, expected, rtol=0, atol=1e-3)
    assert np.abs(run(made.out, sound=x_B1SS, cue=cue_BK * 0) - expected).max() > 1e-2


def test_the_file_says_what_it_is_and_nothing_of_this_machine(tmp_path, capfd):
    folder = model_here(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    config["recipe"]["selection"] |= {"only": "artist", "artist_photos": "/home/me/photos"}
    (folder / "config.json").write_text(json.dumps(config))
    steps = []
    made = export_onnx(folder, tmp_path / "to" / "m.onnx", steps.append)
    assert capfd.readouterr() == ("", "")
    assert (steps[-1].done, steps[-1].total) == (3, 3)
    written = onnx.load(made.out)
    onnx.checker.check_model(written, full_check=True)
    assert [one.version for one in written.opset_import if not one.domain] == [18]
    told = {one.key: one.value for one in written.metadata_props}
    recipe = json.loads(told["soundreel_recipe"])
    assert recipe["representation"] == "log"
    assert recipe["selection"]["artist_photos"] == "photos"
    assert told["soundreel_weights_sha256"] == config["weights_sha256"]
    assert told["soundreel_direction"] == "sound-to-picture"
    assert "their makers'" in told["soundreel_rights"]
    assert "soundreel_version" in told
    content = made.out.read_bytes()
    for text in (str(tmp_path), "/home/me", "site-packages", str(Path.home()), "unet.py"):
        assert text.encode() not in content, text
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["m.onnx"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dropout_at_generation": True, "dropout": 0.5}, "draws noise"),
        ({"norm": "batch"}, "normalises by each picture"),
        ({"norm": "group"}, "normalises by each picture"),
    ],
)
def test_a_model_that_is_not_its_weights_alone_is_refused(tmp_path, changes, said):
    folder = model_here(tmp_path / "m", **changes)
    with pytest.raises(ModelError, match=said) as caught:
        export_onnx(folder, tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("missing", ["onnx", "onnxscript"])
def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch, missing):
    whole = builtins.__import__

    def without(name, *more):
        if name == missing:
            raise ModuleNotFoundError(name=name)
        return whole(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModelError, match=rf'{missing} is not installed: pip install "soundreel'):
        export_onnx(tmp_path / "m", tmp_path / "m.onnx")


def test_a_file_that_computes_something_else_is_not_kept(tmp_path, monkeypatch):
    folder = model_here(tmp_path / "m")
    (tmp_path / "m.onnx").write_bytes(b"an earlier one")
    whole = onnx_export._traced

    def altered(*given):
        model = whole(*given)
        bias = next(one for one in model.graph.initializer if len(one.dims) == 1)
        values = onnx.numpy_helper.to_array(bias)
        bias.CopyFrom(onnx.numpy_helper.from_array(values + 0.5, bias.name))
        return model

    monkeypatch.setattr(onnx_export, "_traced", altered)
    with pytest.raises(ModelError, match="makes something else of it"):
        export_onnx(folder, tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_bytes() == b"an earlier one"


def test_places_that_are_wrong(tmp_path):
    folder = model_here(tmp_path / "m")
    with pytest.raises(SoundreelError, match=r"give --out a name that ends in .onnx"):
        export_onnx(folder, tmp_path / "m.bin")
    with pytest.raises(ModelError, match="there is no such folder"):
        export_onnx(tmp_path / "none", tmp_path / "m.onnx")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="is a file, not a folder"):
        export_onnx(folder, tmp_path / "file" / "m.onnx")
