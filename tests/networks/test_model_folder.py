import json

import pytest
import safetensors
import torch
from safetensors.torch import load_file, save_file

from soundreel.errors import ModelError, StorageError
from soundreel.networks import bundle
from soundreel.networks.bundle import load_model, save_model
from soundreel.networks.model_folder import Direction, resolve_model_folder, resolve_snapshot
from soundreel.networks.precision import resolve_precision
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from

RECIPE = recipe_from("default", picture_size=64)


def arguments(**changes):
    values = {"size": 64, "in_channels": 1, "out_channels": 3, "width": 8, "norm": "frozen-batch"}
    return {**values, "innermost_norm": False, "dropout_at_generation": False, **changes}


def saved(folder, direction: Direction = "sound-to-picture", **changes):
    torch.manual_seed(1)
    generator = UNet(**arguments(**changes))
    for _ in range(4):
        generator(torch.randn(4, generator.in_channels, 64, 64))
    save_model(folder, generator, arguments(**changes), RECIPE, direction, {"preset": "test"})
    return generator.eval()


def sounds(count):
    return torch.rand(count, 1, 256, 256, generator=torch.Generator().manual_seed(3)) * 2 - 1


def edit_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def test_what_is_loaded_makes_the_pictures_of_what_was_saved(tmp_path):
    generator = saved(tmp_path / "model")
    model = load_model(tmp_path / "model", precision="fp32")
    x_B1SS = sounds(3)
    with torch.no_grad():
        expected = generator(torch.nn.functional.avg_pool2d(x_B1SS, 4))
    torch.testing.assert_close(model.pictures(x_B1SS, [0, 1, 2]), expected, rtol=0, atol=2e-5)
    assert model.recipe == RECIPE
    assert model.picture_shape[0] == 64
    assert not any(parameter.requires_grad for parameter in model.generator.parameters())
    assert not model.generator.training
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_the_card_says_what_it_is(tmp_path):
    saved(tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: soundreel\n")
    assert "sound-to-picture" in card
    assert "| preset | test |" in card


@pytest.mark.parametrize("norm", ["batch", "frozen-batch", "group"])
def test_pictures_do_not_depend_on_how_frames_are_batched(tmp_path, norm):
    saved(tmp_path / "model", norm=norm, dropout_at_generation=norm == "batch", dropout=0.5)
    model = load_model(tmp_path / "model", precision="fp32")
    x_B1SS, seeds = sounds(5), [5, 6, 7, 8, 9]
    together = model.pictures(x_B1SS, seeds)
    parts = torch.cat(
        [model.pictures(x_B1SS[:2], seeds[:2]), model.pictures(x_B1SS[2:], seeds[2:])]
    )
    torch.testing.assert_close(parts, together, rtol=0, atol=1e-4)
    assert torch.equal(model.pictures(x_B1SS, seeds), together)


def test_only_a_model_with_noise_listens_to_the_seed(tmp_path):
    saved(tmp_path / "noisy", norm="batch", dropout_at_generation=True)
    saved(tmp_path / "calm")
    noisy, calm = load_model(tmp_path / "noisy"), load_model(tmp_path / "calm")
    assert not torch.equal(noisy.pictures(sounds(1), [1]), noisy.pictures(sounds(1), [2]))
    assert torch.equal(calm.pictures(sounds(1), [1]), calm.pictures(sounds(1), [2]))
    with pytest.raises(ValueError, match="2 seeds for 1"):
        calm.pictures(sounds(1), [1, 2])


def test_bf16_is_near_fp32(tmp_path):
    for name, norm in (("frozen", "frozen-batch"), ("batch", "batch")):
        saved(tmp_path / name, norm=norm)
        exact = load_model(tmp_path / name, precision="fp32").pictures(sounds(4), [0] * 4)
        rough = load_model(tmp_path / name, precision="bf16").pictures(sounds(4), [0] * 4)
        assert rough.dtype == torch.float32
        assert (rough - exact).abs().mean() < 0.02


def test_precision_is_chosen_by_the_processor():
    assert resolve_precision("fp32", "cpu") == "fp32"
    assert resolve_precision("bf16", "cpu") == "bf16"
    assert resolve_precision("auto", "cpu") in ("fp32", "bf16")


def test_the_inverse_makes_sound_images_and_no_pictures(tmp_path):
    saved(tmp_path / "model", "picture-to-sound", in_channels=3, out_channels=1)
    model = load_model(tmp_path / "model")
    image_B1SS = model.sound_images(torch.rand(2, 1, 3, 64, 64), [0, 0])
    assert image_B1SS.shape == (2, 1, 256, 256)
    assert image_B1SS.abs().max() <= 1
    with pytest.raises(ModelError, match="picture-to-sound model: train one with"):
        model.pictures(sounds(1), [0])


def test_a_run_folder_stands_for_its_model(tmp_path):
    saved(tmp_path / "run" / "model")
    assert resolve_model_folder(tmp_path / "run") == tmp_path / "run" / "model"
    assert load_model(str(tmp_path / "run")).folder == tmp_path / "run" / "model"


def test_a_model_that_just_stepped_aside_is_still_found(tmp_path):
    saved(tmp_path / "run" / "model")
    (tmp_path / "run" / "model").rename(tmp_path / "run" / ".model.previous")
    assert load_model(tmp_path / "run").picture_shape == (64, 64)
    assert load_model(tmp_path / "run" / "model").picture_shape == (64, 64)
    saved(tmp_path / "run" / "model")
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["model"]


def test_one_altered_byte_is_noticed(tmp_path):
    saved(tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.safetensors: is not what config\.json says"):
        load_model(tmp_path / "model")


def test_missing_folders_and_files_are_named(tmp_path):
    with pytest.raises(ModelError, match=r"nowhere: there is no such folder"):
        load_model(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="empty: not a model folder"):
        load_model(tmp_path / "empty")
    (tmp_path / "young" / "checkpoints").mkdir(parents=True)
    with pytest.raises(ModelError, match="no model yet"):
        load_model(tmp_path / "young")
    saved(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="is missing"):
        load_model(tmp_path / "model")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 99}, "update soundreel"),
        ({"format": "other"}, "not the config of a Soundreel model"),
        ({"direction": "sideways"}, "direction 'sideways'"),
        ({"architecture": "vit"}, "architecture 'vit'"),
        ({"arguments": {"size": 65}}, "do not fit together"),
        ({"arguments": {"colour": 1}}, "do not fit together"),
        ({"arguments": arguments(width=16)}, "do not fit together"),
        ({"arguments": None}, "do not fit together"),
        ({"recipe": {"name": "x", "hop": 3}}, '"hop" is not a setting'),
        ({"recipe": None}, "in recipe"),
    ],
)
def test_a_config_that_does_not_fit_is_one_line(tmp_path, changes, message):
    saved(tmp_path / "model")
    edit_config(tmp_path / "model", **changes)
    with pytest.raises(ModelError, match=message) as caught:
        load_model(tmp_path / "model")
    assert "\n" not in str(caught.value)


def test_wrong_keys_with_a_right_hash_are_refused(tmp_path):
    saved(tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    tensors = load_file(weights)
    save_file({f"x.{key}": tensor for key, tensor in tensors.items()}, weights)
    edit_config(tmp_path / "model", weights_sha256=bundle._sha256(weights))
    with pytest.raises(ModelError, match="do not fit together"):
        load_model(tmp_path / "model")


def test_a_config_that_is_no_json_is_one_line(tmp_path):
    saved(tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json: not JSON"):
        load_model(tmp_path / "model")


def test_a_full_disk_leaves_the_old_model(tmp_path, monkeypatch):
    saved(tmp_path / "model")
    before = (tmp_path / "model" / "model.safetensors").read_bytes()

    def full(*_, **__):
        raise safetensors.SafetensorError(
            "Error while serializing: I/O error: No space left on device (os error 28)"
        )

    with monkeypatch.context() as patch:
        patch.setattr(bundle, "save_file", full)
        with pytest.raises(StorageError, match="the disk is full"):
            saved(tmp_path / "model", width=4)
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == before
    assert load_model(tmp_path / "model").generator.width == 8
    saved(tmp_path / "model", width=4)
    assert load_model(tmp_path / "model").generator.width == 4
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_the_error_number_is_read_from_what_safetensors_says(tmp_path):
    with pytest.raises(safetensors.SafetensorError) as caught:
        save_file({"a": torch.zeros(3)}, tmp_path / "no" / "such" / "folder")
    assert bundle.as_storage_error(caught.value).errno == 2


def test_a_model_can_be_read_by_others_as_its_config_can(tmp_path):
    saved(tmp_path / "model")
    folder = tmp_path / "model"
    modes = {p.stat().st_mode for p in folder.iterdir()}
    assert len(modes) == 1


def test_a_snapshot_of_a_run_is_found_by_its_epoch(tmp_path):
    for epoch in ("95", "0.5", "1000"):
        saved(tmp_path / "run" / "snapshots" / f"epoch-{epoch}")
    for epoch, name in ((95, "epoch-95"), (95.0, "epoch-95"), (0.5, "epoch-0.5")):
        assert resolve_snapshot(tmp_path / "run", epoch) == tmp_path / "run" / "snapshots" / name
    assert load_model(resolve_snapshot(str(tmp_path / "run"), 1e3)).folder.name == "epoch-1000"


def test_a_snapshot_that_just_stepped_aside_is_still_found(tmp_path):
    folder = tmp_path / "run" / "snapshots" / "epoch-95"
    saved(folder)
    aside = folder.rename(folder.with_name(".epoch-95.previous"))
    assert resolve_snapshot(tmp_path / "run", 95) == aside
    with pytest.raises(ModelError, match=r"\(it has 95\)"):
        resolve_snapshot(tmp_path / "run", 9)


def test_the_last_epoch_of_a_run_is_its_model(tmp_path):
    saved(tmp_path / "run" / "model")
    edit_config(tmp_path / "run" / "model", training={"epochs": 200.0, "steps": 1000})
    assert resolve_snapshot(tmp_path / "run", 200) == tmp_path / "run" / "model"
    assert resolve_snapshot(tmp_path / "run" / "model", 200) == tmp_path / "run" / "model"
    for missed in (199, 200.1, 201):
        with pytest.raises(ModelError, match=r"\(it has 200\)"):
            resolve_snapshot(tmp_path / "run", missed)
    edit_config(tmp_path / "run" / "model", training={"epochs": 200})
    assert resolve_snapshot(tmp_path / "run", 200) == tmp_path / "run" / "model"
    saved(tmp_path / "run" / "snapshots" / "epoch-200")
    assert resolve_snapshot(tmp_path / "run", 200).name == "epoch-200"


@pytest.mark.parametrize(("pairs", "batch"), [(1201, 7), (1400, 1), (10, 4), (999_983, 4)])
def test_the_step_that_goes_over_an_epoch_ends_it(tmp_path, pairs, batch):
    saved(tmp_path / "run" / "model")
    steps = -(-20 * pairs // batch)
    for done, found in ((steps - 1, False), (steps, True), (steps + 1, False)):
        training = {"epochs": round(done * batch / pairs, 4), "steps": done}
        edit_config(tmp_path / "run" / "model", training=training)
        if found:
            assert resolve_snapshot(tmp_path / "run", 20) == tmp_path / "run" / "model"
        elif batch / pairs > 1e-3:  # below, two steps are the same epoch in all that is written
            with pytest.raises(ModelError, match="no snapshot of epoch 20"):
                resolve_snapshot(tmp_path / "run", 20)


def test_a_missing_snapshot_is_one_line_with_those_there_are_and_the_way_to_one(tmp_path):
    for epoch in ("180", "0.5", "95"):
        saved(tmp_path / "run" / "snapshots" / f"epoch-{epoch}")
    (tmp_path / "run" / "snapshots" / "epoch-7").mkdir()
    (tmp_path / "run" / "snapshots" / "notes").mkdir()
    with pytest.raises(ModelError) as caught:
        resolve_snapshot(tmp_path / "run", 7)
    assert str(caught.value) == (
        f"{tmp_path / 'run'}: no snapshot of epoch 7 (it has 0.5, 95, 180): choose another, or "
        "train with keep_epochs = [7] under [training] in a --config file"
    )
    saved(tmp_path / "other" / "model")
    with pytest.raises(ModelError, match=r"no snapshot of epoch 95 \(it has none\)"):
        resolve_snapshot(tmp_path / "other", 95)
    edit_config(tmp_path / "other" / "model", training=None)
    with pytest.raises(ModelError, match="it has none"):
        resolve_snapshot(tmp_path / "other", 95)


def test_a_snapshot_of_what_is_no_run_is_one_line(tmp_path):
    with pytest.raises(ModelError, match="nowhere: there is no such folder"):
        resolve_snapshot(tmp_path / "nowhere", 95)
    (tmp_path / "young" / "checkpoints").mkdir(parents=True)
    with pytest.raises(ModelError, match="no model yet"):
        resolve_snapshot(tmp_path / "young", 95)


def test_weights_kept_as_halves_are_read_as_float32(tmp_path):
    generator = saved(tmp_path / "whole")
    save_model(tmp_path / "half", generator, arguments(), RECIPE, "sound-to-picture", {}, half=True)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    x_B1SS = sounds(2)
    whole, half = (load_model(tmp_path / name, "fp32", "cpu") for name in ("whole", "half"))
    assert {p.dtype for p in half.generator.parameters()} == {torch.float32}
    apart = (whole.pictures(x_B1SS, [0, 1]) - half.pictures(x_B1SS, [0, 1])).abs().max()
    assert 0 < apart < 0.02
