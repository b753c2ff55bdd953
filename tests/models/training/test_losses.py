import pytest
import torch
from skimage.metrics import structural_similarity

from pocketlens.models.training import losses
from pocketlens.models.training.discriminator import PatchDiscriminator


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    a = torch.rand(1, 3, 48, 40, generator=random)
    return a, (a + 0.2 * torch.rand(1, 3, 48, 40, generator=random)).clamp(0, 1)


def test_ssim_is_scikit_images(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    a, b = (x[0].permute(1, 2, 0).double().numpy() for x in pair)
    expected = structural_similarity(a, b, channel_axis=2, data_range=1.0, use_sample_covariance=False)
    assert float(losses.ssim(*pair)) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("loss", [losses.gradient, losses.frequency, lambda a, b: 1 - losses.multi_scale_ssim(a, b)])
def test_losses_are_zero_for_equal_pictures_and_grow(loss, pair: tuple[torch.Tensor, torch.Tensor]) -> None:  # type: ignore[no-untyped-def]
    a, b = pair
    assert float(loss(a, a)) == pytest.approx(0, abs=1e-5)
    assert 0.001 < float(loss(a, b)) < float(loss(a, 1 - a))


def test_frequency_sees_blur_that_the_mean_does_not(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    a, _ = pair
    blurred = torch.nn.functional.avg_pool2d(a, 3, 1, 1)
    shifted = a.roll(1, 3)
    assert float(losses.frequency(a, blurred)) > 0.05
    assert float(losses.frequency(a, shifted)) > 0.05


def test_a_discriminator_learns_to_tell() -> None:
    torch.manual_seed(0)
    critic = PatchDiscriminator(width=8)
    adam = torch.optim.Adam(critic.parameters(), 2e-3)
    ramp = torch.linspace(-1, 1, 32).expand(4, 3, 32, 32)
    for _ in range(30):
        loss = losses.hinge_discriminator(critic(ramp), critic(torch.rand(4, 3, 32, 32) * 2 - 1))
        adam.zero_grad()
        loss.backward()
        adam.step()
    with torch.no_grad():
        assert critic(ramp).mean() > critic(torch.rand(4, 3, 32, 32) * 2 - 1).mean() + 0.5
