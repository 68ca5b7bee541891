import pytest
import torch
from torch import nn

from soundreel.networks.folding import can_fold, fold_norms
from soundreel.networks.norms import Norm
from soundreel.networks.patchgan import PatchGAN
from soundreel.networks.unet import SIZES, UNet

NORMS = ("batch", "frozen-batch", "instance", "group", "none")


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def test_parameter_counts_of_the_paper_and_of_the_pytorch_implementation():
    assert parameters(UNet()) == 54_420_483
    assert parameters(UNet(bias_before_norm=False, innermost_norm=False)) == 54_413_955
    assert parameters(PatchGAN()) == 2_769_601
    assert parameters(PatchGAN(bias_before_norm=False)) == 2_768_705


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("norm", NORMS)
def test_pictures_keep_their_size_and_range(size, norm):
    network = UNet(size, 1, 3, width=4, norm=norm, innermost_norm=False)
    y_BCHW = network(torch.randn(2, 1, size, size))
    assert y_BCHW.shape == (2, 3, size, size)
    assert y_BCHW.abs().max() <= 1
    network.eval()
    assert network(torch.randn(2, 1, size, size)).shape == (2, 3, size, size)


def test_the_narrowest_place_is_one_pixel():
    network = UNet(64, width=4)
    seen = []
    network.downs[-1].register_forward_hook(lambda *call: seen.append(call[2].shape))
    network(torch.randn(2, 3, 64, 64))
    assert seen == [(2, 32, 1, 1)]


def test_at_batch_one_an_innermost_batch_norm_lets_nothing_through():
    network = UNet(64, width=4, norm="batch", innermost_norm=True, dropout=0)
    one, two = torch.randn(1, 3, 64, 64), torch.randn(2, 3, 64, 64)
    before_one, before_two = network(one), network(two)
    innermost = network.downs[-1]
    assert isinstance(innermost, nn.Conv2d)
    nn.init.normal_(innermost.weight)
    torch.testing.assert_close(network(one), before_one, rtol=0, atol=0)
    assert (network(two) - before_two).abs().max() > 1e-4
    norm = network.down_norms[-1]
    assert isinstance(norm, Norm)
    nn.init.normal_(norm.bias)
    torch.testing.assert_close(
        norm(torch.randn(1, 32, 1, 1)).flatten(), norm.bias, rtol=0, atol=1e-6
    )


def test_that_layer_still_gets_gradients_which_are_zero():
    network = UNet(64, width=4, norm="batch", innermost_norm=True, dropout=0)
    network(torch.randn(1, 3, 64, 64)).sum().backward()
    innermost = network.downs[-1]
    assert isinstance(innermost, nn.Conv2d)
    assert innermost.weight.grad is not None
    assert innermost.weight.grad.abs().max() == 0


@pytest.mark.parametrize("norm", NORMS)
def test_in_generation_a_picture_does_not_depend_on_the_others(norm):
    network = UNet(64, width=8, norm=norm, dropout=0.5)
    for _ in range(3):  # running statistics of something
        network(torch.randn(4, 3, 64, 64))
    network.eval()
    x_BCHW = torch.randn(5, 3, 64, 64)
    masks = network.draw_masks(range(5))
    together = network(x_BCHW, masks)
    alone = torch.cat([network(x_BCHW[i : i + 1], [m[i : i + 1] for m in masks]) for i in range(5)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)


def test_batch_norm_of_one_picture_is_the_same_in_training_and_in_generation():
    network = UNet(64, width=8, norm="batch")
    x_BCHW = torch.randn(1, 3, 64, 64)
    trained = network.train()(x_BCHW)
    torch.testing.assert_close(network.eval()(x_BCHW), trained, rtol=0, atol=1e-5)


@pytest.mark.parametrize("innermost", [False, True])
def test_folded_norms_make_the_same_pictures(innermost):
    network = UNet(64, width=8, norm="frozen-batch", innermost_norm=innermost)
    for _ in range(5):
        network(torch.randn(4, 3, 64, 64) * 2 + 1)
    network.eval()
    assert can_fold(network)
    folded = fold_norms(network)
    x_BCHW = torch.randn(3, 3, 64, 64)
    torch.testing.assert_close(folded(x_BCHW), network(x_BCHW), rtol=0, atol=2e-5)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert not can_fold(UNet(64, width=4, norm="batch"))


def test_masks_are_drawn_from_each_pictures_own_seed():
    network = UNet(128, width=8, dropout=0.5)
    first, second = network.draw_masks([7, 8]), network.draw_masks([8])
    assert [m.shape for m in first] == [(2, 64, 2, 2), (2, 64, 4, 4), (2, 64, 8, 8)]
    for both, one in zip(first, second, strict=True):
        assert torch.equal(both[1:], one)
        assert not torch.equal(both[:1], one)
        assert set(both.unique().tolist()) == {0.0, 2.0}
    assert first[2].mean().item() == pytest.approx(1.0, abs=0.05)
    assert UNet(64, width=4, dropout=0).draw_masks([1, 2]) == []


def test_weights_are_drawn_as_the_paper_says():
    torch.manual_seed(0)
    network = UNet(64, width=64)
    for conv in (network.downs[3], network.ups[2]):
        assert isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
        assert conv.weight.mean().item() == pytest.approx(0, abs=1e-4)
        assert conv.weight.std().item() == pytest.approx(0.02, rel=0.01)
        assert conv.bias is not None
        assert conv.bias.abs().max() == 0
    norm = network.down_norms[3]
    assert isinstance(norm, Norm)
    assert norm.weight.mean().item() == pytest.approx(1, abs=0.01)
    assert norm.weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="size = 100"):
        UNet(100)
    with pytest.raises(ValueError, match="dropout"):
        UNet(64, dropout=1.0)


def test_each_value_of_the_discriminator_sees_70_by_70_pixels():
    network = PatchGAN(6, width=4, norm="none")
    for conv in network.convs:
        assert isinstance(conv, nn.Conv2d)
        nn.init.constant_(conv.weight, 0.01)  # no path cancels another
    x_BCHW = torch.rand(1, 3, 256, 256, requires_grad=True)
    logits = network(torch.rand(1, 3, 256, 256), x_BCHW)
    assert logits.shape == (1, 1, 30, 30)
    logits[0, 0, 15, 15].backward()
    assert x_BCHW.grad is not None
    seen_HW = x_BCHW.grad[0].abs().sum(0) > 0
    assert seen_HW.any(0).sum() == 70
    assert seen_HW.any(1).sum() == 70
