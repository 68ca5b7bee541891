"""Twenty steps of the paper's training beside a plain restatement of the TensorFlow port."""

import copy
import shutil
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from soundreel.errors import SettingsError
from soundreel.networks.norms import Norm
from soundreel.seeding import seed_for
from soundreel.training.batches import Batch, Batches
from soundreel.training.presets import Training, training_preset
from soundreel.training.source import InMemory
from soundreel.training.step import Networks
from toy_pairs import SIZE, toy_pairs, toy_settings

EPS = 1e-12


def tiny_paper() -> Training:
    values = training_preset("paper").model_dump()
    return Training.model_validate(
        {**values, "size": SIZE, "width": 8, "discriminator_width": 8, "scale_to": 72}
    )


def normalised(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    mean = x.mean((0, 2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-5) * scale[:, None, None] + shift[:, None, None]


class Restated:
    """Weights by name, operations one after the other, Adam by its formula."""

    def __init__(self, networks: Networks) -> None:
        self.g = {k: v.detach().clone() for k, v in networks.generator.named_parameters()}
        self.d = {k: v.detach().clone() for k, v in networks.discriminator.named_parameters()}
        for weights in (self.g, self.d):
            for weight in weights.values():
                weight.requires_grad_(True)
        self.moments: dict[str, Any] = {}

    def generator(self, x: Tensor, masks: list[Tensor]) -> Tensor:
        w, levels = self.g, 6
        layers = [F.conv2d(x, w["downs.0.weight"], w["downs.0.bias"], 2, 1)]
        for i in range(1, levels):
            h = F.leaky_relu(layers[-1], 0.2)
            h = F.conv2d(h, w[f"downs.{i}.weight"], w[f"downs.{i}.bias"], 2, 1)
            layers.append(normalised(h, w[f"down_norms.{i}.weight"], w[f"down_norms.{i}.bias"]))
        h = layers[-1]
        for i in range(levels - 1):
            if i > 0:
                h = torch.cat([h, layers[levels - 1 - i]], dim=1)
            h = F.conv_transpose2d(F.relu(h), w[f"ups.{i}.weight"], w[f"ups.{i}.bias"], 2, 1)
            h = normalised(h, w[f"up_norms.{i}.weight"], w[f"up_norms.{i}.bias"])
            if i < 3:
                h = h * masks[i]
        h = torch.cat([h, layers[0]], dim=1)
        return torch.tanh(F.conv_transpose2d(F.relu(h), w["ups.5.weight"], w["ups.5.bias"], 2, 1))

    def discriminator(self, x: Tensor, y: Tensor) -> Tensor:
        w = self.d
        h = F.conv2d(torch.cat([x, y], 1), w["convs.0.weight"], w["convs.0.bias"], 2, 1)
        h = F.leaky_relu(h, 0.2)
        for i in (1, 2, 3):
            h = F.conv2d(h, w[f"convs.{i}.weight"], w[f"convs.{i}.bias"], 1 if i == 3 else 2, 1)
            h = normalised(h, w[f"norms.{i - 1}.weight"], w[f"norms.{i - 1}.bias"])
            h = F.leaky_relu(h, 0.2)
        return torch.sigmoid(F.conv2d(h, w["convs.4.weight"], w["convs.4.bias"], 1, 1))

    def adam(self, who: str, weights: dict[str, Tensor], loss: Tensor, step: int) -> None:
        gradients = torch.autograd.grad(loss, list(weights.values()))
        with torch.no_grad():
            for (key, weight), gradient in zip(weights.items(), gradients, strict=True):
                name = f"{who}.{key}"
                m, v = self.moments.get(name, (0.0, 0.0))
                m = 0.5 * m + 0.5 * gradient
                v = 0.999 * v + 0.001 * gradient**2
                self.moments[name] = (m, v)
                t = step + 1
                m_hat, v_hat = m / (1 - 0.5**t), v / (1 - 0.999**t)
                weight -= 2e-4 * m_hat / (v_hat.sqrt() + 1e-8)

    def step(self, step: int, x: Tensor, truth: Tensor, masks: list[Tensor]) -> list[float]:
        y = self.generator(x, masks)
        real, fake = self.discriminator(x, truth), self.discriminator(x, y.detach())
        d_loss = torch.mean(-(torch.log(real + EPS) + torch.log(1 - fake + EPS)))
        self.adam("d", self.d, d_loss, step)
        gan = torch.mean(-torch.log(self.discriminator(x, y) + EPS))
        l1 = torch.mean(torch.abs(truth - y))
        self.adam("g", self.g, gan * 1 + l1 * 100, step)
        return [d_loss.item(), gan.item(), l1.item()]


def test_twenty_steps_of_the_paper_have_the_losses_of_the_restatement():
    settings = tiny_paper()
    networks = Networks(settings, "sound-to-picture", "fp32", torch.device("cpu"))
    # In float64, since twenty steps of a GAN amplify the rounding of float32 beyond 1e-5.
    networks.generator.double()
    networks.discriminator.double()
    restated = Restated(networks)
    batches = Batches(InMemory(toy_pairs(range(2)), 0), settings, "sound-to-picture")
    assert settings.total_steps(16) == 3_200
    for step in range(20):
        given = batches.batch(step)
        x, truth = given.x_BCHW.double(), given.truth_BCHW.double()
        masks = networks.generator.draw_masks([seed_for(settings.seed, "masks", step)])
        expected = restated.step(step, x, truth, masks)
        assert networks.step(step, 3_200, Batch(x, truth, given.seeds)).tolist() == pytest.approx(
            expected, abs=1e-7
        )


def test_the_average_follows_by_its_decay():
    settings = toy_settings(ema_decay=0.75, gan_weight=0)
    networks = Networks(settings, "sound-to-picture", "fp32", torch.device("cpu"))
    batches = Batches(InMemory(toy_pairs(range(1)), 0), settings, "sound-to-picture")
    expected = copy.deepcopy(networks.generator.state_dict())
    for step in range(40):
        losses = networks.step(step, 40, batches.batch(step))
        assert losses[:2].tolist() == [0, 0]
        decay = min(0.75, (1 + step) / (10 + step))
        for key, tensor in networks.generator.state_dict().items():
            expected[key] = decay * expected[key] + (1 - decay) * tensor
    assert networks.averaged is not None
    for key, tensor in networks.averaged.state_dict().items():
        torch.testing.assert_close(tensor, expected[key], atol=1e-5, rtol=1e-4)
    newest = cast(Tensor, networks.generator.downs[0].weight)
    assert not torch.equal(newest, cast(Tensor, networks.averaged.downs[0].weight))


def test_weights_come_from_the_seed_and_leave_torchs_own_randomness_alone():
    def weights(seed: int) -> Tensor:
        networks = Networks(
            toy_settings(seed=seed), "sound-to-picture", "fp32", torch.device("cpu")
        )
        return cast(Tensor, networks.generator.downs[1].weight)

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one = weights(0)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(one, weights(0))
    assert not torch.equal(one, weights(1))


@pytest.mark.parametrize("gan_weight", [0, 1])
def test_a_batch_in_parts_teaches_what_it_teaches_whole(gan_weight):
    # Without norms (batch statistics would be those of a part) only the rounding differs.
    def weights_after(accumulate: int) -> tuple[list[Tensor], list[Tensor]]:
        settings = toy_settings(
            batch=8, accumulate=accumulate, norm="none", gan_weight=gan_weight, ema_decay=0
        )
        networks = Networks(settings, "sound-to-picture", "fp32", torch.device("cpu"))
        for module in networks.discriminator.modules():
            if isinstance(module, Norm):
                module.kind = "instance"
        networks.generator.double()
        networks.discriminator.double()
        batches = Batches(InMemory(toy_pairs(range(2)), 0), settings, "sound-to-picture")
        losses = []
        for step in range(3):
            part = batches.batch(step)
            given = Batch(part.x_BCHW.double(), part.truth_BCHW.double(), part.seeds)
            losses.append(networks.step(step, 12, given))
        return losses, [p.detach() for p in networks.generator.parameters()]

    whole, parts = weights_after(1), weights_after(4)
    for one, other in zip(whole[0] + whole[1], parts[0] + parts[1], strict=True):
        torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-6)


def test_a_batch_in_parts_remembers_each_parts_statistics_once():
    settings = toy_settings(batch=4, accumulate=2, gain_db=0)
    networks = Networks(settings, "sound-to-picture", "fp32", torch.device("cpu"))
    norm = networks.generator.down_norms[1]
    assert isinstance(norm, Norm)
    seen: list[Tensor] = []
    norm.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].detach()))
    batches = Batches(InMemory(toy_pairs(range(1)), 0), settings, "sound-to-picture")
    networks.step(0, 10, batches.batch(0))
    expected = torch.zeros(len(norm.running_mean))
    for values in seen[2:]:  # the first two were made for the discriminator
        expected = 0.9 * expected + 0.1 * values.mean((0, 2, 3))
    assert len(seen) == 4
    torch.testing.assert_close(norm.running_mean, expected)


@pytest.mark.slow  # compiles for the better part of a minute
def test_compiled_networks_learn_as_plain_ones_do():
    if shutil.which("c++") is None:
        pytest.skip("torch.compile needs a C++ compiler on a processor")
    batches = Batches(InMemory(toy_pairs(range(1)), 0), toy_settings(), "sound-to-picture")

    def losses(engine: str) -> list[list[float]]:
        settings = toy_settings(step_engine=engine)
        networks = Networks(settings, "sound-to-picture", "fp32", torch.device("cpu"))
        return [networks.step(step, 12, batches.batch(step)).tolist() for step in range(3)]

    for one, other in zip(losses("eager"), losses("compiled"), strict=True):
        assert one == pytest.approx(other, rel=1e-3)


def test_a_graph_needs_a_cuda_device():
    with pytest.raises(SettingsError, match="step_engine = 'graph' needs a CUDA device"):
        Networks(toy_settings(step_engine="graph"), "sound-to-picture", "fp32", torch.device("cpu"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_graph_learns_what_single_kernels_learn(precision):
    device = torch.device("cuda")
    runs = []
    for engine in ("eager", "graph"):
        settings = toy_settings(step_engine=engine, steps=40)
        batches = Batches(
            InMemory(toy_pairs(range(3)), 0), settings, "sound-to-picture", device=device
        )
        networks = Networks(settings, "sound-to-picture", precision, device)
        runs.append([networks.step(i, 40, batches.batch(i)).tolist() for i in range(40)])
    for one, other in zip(*runs, strict=True):
        assert one == pytest.approx(other, rel=0.05, abs=0.02)
