"""Engines of a reel: the same pictures as float32, each drawn with its own cue."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from soundreel.networks.bundle import load_model, save_model
from soundreel.networks.reel import LOOK_NUMBERS, Reel
from soundreel.recipe import recipe_from
from soundreel.rendering.engines import (
    GATE_PSNR_DB,
    calibration,
    choose_engine,
    computed,
    open_engine,
    to_frames,
    trial,
)
from soundreel.rendering.engines.calibration import calibration_cues, find_levels, levels_of
from soundreel.rendering.engines.gate import all_frames, fidelity
from soundreel.rendering.engines.openvino_engine import without_telemetry
from soundreel.rendering.engines.reel_graph import reel_graph

pytestmark = pytest.mark.usefixtures("two_threads")  # an engine has a lane for each

RECIPE = recipe_from()
ARGUMENTS = {"rows": 36, "columns": 64, "width": 8, "clips": 3, "references": 20, "tone": True}
ON_THE_CPU = ["torch-fp32", "torch-bf16", "openvino-bf16", "openvino-int8"]
SEEDS = list(range(11))


def lively(**changes) -> Reel:
    """A reel with random weights and memories; its sounds are far enough apart to be told."""
    torch.manual_seed(0)
    reel = Reel(**{**ARGUMENTS, **changes})
    with torch.no_grad():
        for name, parameter in reel.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.1)
        count = len(reel.references)
        reel.reference_sound_RA.normal_(0, 1)
        reel.reference_code_RZ.normal_(0, 1)
        reel.reference_clip_R.copy_(torch.arange(count) * reel.clips // count)
    return reel.eval().requires_grad_(False)


def saved(place: Path) -> Path:
    reel = lively()
    learnt = {"looks": ["a", "b", "c"]}
    save_model(place, reel, ARGUMENTS, RECIPE, "sound-to-picture", {}, learnt=learnt)
    return place


def some_windows(count: int, size: int = 256) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    level = torch.rand(count, 1, 1, 1, generator=generator) * 2 - 1
    return (level + 0.4 * torch.randn(count, 1, size, size, generator=generator)).clamp(-1, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return saved(tmp_path_factory.mktemp("models") / "reel")


@pytest.fixture(scope="module", autouse=True)
def few_windows():
    """Calibration on a few windows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "calibration_windows", lambda recipe: some_windows(9)[:8])
        yield


@pytest.fixture(scope="module")
def windows() -> torch.Tensor:
    return some_windows(11)


@pytest.fixture(scope="module")
def cues() -> torch.Tensor:
    return torch.randn(11, lively().cue_numbers, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def truth(windows, cues) -> np.ndarray:
    with torch.inference_mode():
        return to_frames(lively()(windows, cues))


@pytest.fixture(scope="module", params=ON_THE_CPU)
def engine(request, folder):
    if request.param.startswith("openvino"):
        pytest.importorskip("openvino")
    return open_engine(request.param, folder, "cpu")


def test_pictures_are_like_float32(engine, windows, cues, truth):
    assert truth.std() > 10, "pictures of nothing would all be alike"
    found = fidelity(engine, windows, SEEDS, truth, cues)
    assert found.psnr_db > {"torch-fp32": 70, "openvino-int8": GATE_PSNR_DB}.get(engine.name, 45)


def test_frames_are_the_bytes_of_what_run_returns(engine, windows, cues):
    y_B3HW = engine.run(windows[:8], SEEDS[:8], cues[:8])
    assert y_B3HW.dtype == torch.float32
    assert y_B3HW.shape == (8, 3, 36, 64)
    frames = engine.frames(windows[:8], SEEDS[:8], cues[:8])
    # A value that lies half way between two bytes may go either way.
    apart = np.abs(frames.astype(int) - to_frames(y_B3HW))
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-4


def test_a_picture_has_the_same_bits_every_time_and_in_every_place(engine, windows, cues, folder):
    part, seeds, given = windows[:8], SEEDS[:8], cues[:8]
    frames = engine.frames(part, seeds, given)
    np.testing.assert_array_equal(engine.frames(part, seeds, given), frames)
    order = [3, 1, 7, 0, 2, 6, 5, 4]
    np.testing.assert_array_equal(engine.frames(part[order], seeds, given[order]), frames[order])
    for count in (1, 3):
        few = engine.frames(part[:count], seeds[:count], given[:count])
        np.testing.assert_array_equal(few, frames[:count])
    again = open_engine(engine.name, folder, "cpu")
    np.testing.assert_array_equal(again.frames(part, seeds, given), frames)


def test_sound_look_and_reference_code_are_each_heeded(engine, windows, cues):
    assert engine.cue_numbers == cues.shape[1]
    whole = engine.frames(windows[:1], [0], cues[:1]).astype(float)
    other_look, other_code = cues[:1].clone(), cues[:1].clone()
    other_look[:, :LOOK_NUMBERS] = cues[1, :LOOK_NUMBERS]
    other_code[:, LOOK_NUMBERS:] = cues[1, LOOK_NUMBERS:]
    for x_B1SS, cue_BK in (
        (windows[4:5], cues[:1]),
        (windows[:1], other_look),
        (windows[:1], other_code),
    ):
        assert np.abs(engine.frames(x_B1SS, [0], cue_BK) - whole).mean() > 1


def test_without_cues_it_is_the_remembered_frame_whose_sound_is_nearest(engine, windows):
    reel = lively()
    sound_BA = reel.sound_codes(windows[:8])
    apart_BR = (sound_BA[:, None] - reel.references.sound_RA).square().sum(-1)
    nearest_B = apart_BR.argmin(1)
    assert len(set(nearest_B.tolist())) > 1
    look_BL = reel.look_NL[reel.references.clip_R[nearest_B]]
    cue_BK = torch.cat([look_BL, reel.references.code_RZ[nearest_B]], 1)
    np.testing.assert_array_equal(
        engine.frames(windows[:8], SEEDS[:8]), engine.frames(windows[:8], SEEDS[:8], cue_BK)
    )


def test_there_is_a_cue_for_each_window(engine, windows, cues):
    with pytest.raises(ValueError, match="2 cues for 3 windows"):
        engine.frames(windows[:3], SEEDS[:3], cues[:2])


def test_batches_with_and_without_cues_in_all_lanes(engine, windows, cues):
    batches = [
        (windows[:3], SEEDS[:3], cues[:3]),
        (windows[3:6], SEEDS[3:6], cues[3:6]),
        (windows[:3], SEEDS[:3]),
        (windows[:3], SEEDS[:3], None),
    ]
    first, second, third, fourth = computed(engine, batches)
    # In a lane torch computes with fewer threads, and sums may round differently.
    apart = np.concatenate([first, second]).astype(int)
    apart -= engine.frames(windows[:6], SEEDS[:6], cues[:6])
    assert np.abs(apart).max() <= 2
    assert np.abs(third.astype(int) - engine.frames(windows[:3], SEEDS[:3])).max() <= 2
    np.testing.assert_array_equal(fourth, third)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"rows": 64, "columns": 36},  # standing; 9 rows from 5
        {"rows": 45, "columns": 80, "code_channels": 3},  # halves that are rounded up
        {"rows": 16, "columns": 16, "width": 16},  # a code nearly as large as the picture
        {"sound_size": 64, "evenly_in_hz": False},
        {"sound_size": 200, "low_row_first": True},
    ],
)
def test_the_graph_in_float32_is_what_torch_computes(changes):
    pytest.importorskip("openvino")
    openvino = without_telemetry()
    reel = lively(**changes)
    x_B1SS, cue_BK = some_windows(3, reel.sound_size), torch.randn(3, reel.cue_numbers)
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(reel_graph(openvino, reel, 3), "CPU", settings)
    picture, _ = compiled([x_B1SS.numpy(), cue_BK.numpy()]).values()
    with torch.inference_mode():
        wanted = reel(x_B1SS, cue_BK)
    assert wanted.std() > 0.1
    np.testing.assert_allclose(picture, wanted, atol=1e-4)


def test_calibration_sees_all_clips_and_the_average_look():
    reel = lively()
    cue_NK = calibration_cues(reel, 40)
    assert cue_NK.shape == (40, reel.cue_numbers)
    look_N = torch.cdist(cue_NK[:, :LOOK_NUMBERS], reel.look_NL).argmin(1)
    assert set(look_N.tolist()) == {0, 1, 2, 3}
    codes = {tuple(code.tolist()) for code in cue_NK[:, LOOK_NUMBERS:]}
    assert len(codes) == len(reel.references)
    assert torch.equal(calibration_cues(reel, 40), cue_NK)


def test_levels_reach_over_what_enters_a_convolution():
    reel = lively()
    x_B1SS = some_windows(6)
    levels = find_levels(reel, x_B1SS)
    assert list(levels) == [f"block{n}.conv{m}" for n in range(len(reel.blocks)) for m in (1, 2)]
    seen = []
    reel.get_submodule("blocks.3.conv2").register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0])
    )
    reel(x_B1SS, calibration_cues(reel, 6))
    found = levels["block3.conv2"]
    apart = (found.nearest(seen[0]) - seen[0]).square().mean()
    assert apart.sqrt() < 0.01 * seen[0].std() + found.step
    assert found.low < -found.step


def test_levels_are_kept_beside_the_model(tmp_path):
    place = saved(tmp_path / "m")
    first = levels_of(load_model(place, "fp32", "cpu"))
    (kept,) = (place / "engines").iterdir()
    assert list(json.loads(kept.read_text())) == list(first)
    written = kept.stat().st_mtime_ns
    assert levels_of(load_model(place, "fp32", "cpu")) == first
    assert kept.stat().st_mtime_ns == written


@pytest.mark.parametrize("in_tiles", [True, False])
def test_auto_tries_8_bit_integers_only_where_they_pay(
    folder, windows, cues, monkeypatch, in_tiles
):
    pytest.importorskip("openvino")
    monkeypatch.setattr(trial, "multiplies_bf16_in_tiles", lambda: in_tiles)
    choice = choose_engine(folder, windows, SEEDS, cue_BK=cues)
    by_name = {one.name: one for one in choice.trials}
    assert sum(one.used for one in choice.trials) == 1
    assert len(by_name) == 5
    if in_tiles:
        assert "hardly faster than bfloat16 for a reel" in by_name["openvino-int8"].reason
    else:
        assert (by_name["openvino-int8"].psnr_db or 0) > GATE_PSNR_DB
    assert (by_name["openvino-bf16"].psnr_db or 0) > 45


def test_an_engine_is_compared_with_float32_on_the_cues_that_were_given(
    folder, windows, cues, monkeypatch
):
    real = trial.open_engine

    def forgetful(name, *rest, **more):
        opened = real(name, *rest, **more)
        if name == "torch-fp32":
            return opened

        def frames(x_B1SS, seeds, cue_BK=None):
            return opened.frames(x_B1SS, seeds, None)

        return replace(opened, frames=frames)

    choice = choose_engine(folder, windows, SEEDS, "torch-bf16", cue_BK=cues)
    assert choice.engine.name == "torch-bf16"
    monkeypatch.setattr(trial, "open_engine", forgetful)
    choice = choose_engine(folder, windows, SEEDS, "torch-bf16", cue_BK=cues)
    assert choice.engine.name == "torch-fp32"


@pytest.mark.slow
def test_compiled(folder, windows, cues, truth):
    engine = open_engine("compiled", folder)
    assert fidelity(engine, windows, SEEDS, truth, cues).psnr_db > 45
    np.testing.assert_array_equal(
        all_frames(engine, windows, SEEDS, cues), all_frames(engine, windows, SEEDS, cues)
    )
