"""The worked GAN of `02_gan_baseline`, which stands in for a learner's part until that is right."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from sgan_lib.course.exercises.worked import solution


@solution("gan_baseline.make_generator")
def make_generator() -> nn.Module:
    """A network from latents [n, 8] to points of the plane [n, 2]."""
    return nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))


@solution("gan_baseline.make_discriminator")
def make_discriminator() -> nn.Module:
    """A network from points [n, 2] to logits [n, 1]."""
    return nn.Sequential(
        nn.Linear(2, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1)
    )


@solution("gan_baseline.discriminator_step")
def discriminator_step(G: nn.Module, D: nn.Module, adam_d: Optimizer, real: Tensor, z: Tensor) -> Tensor:
    """One step of D; returns its loss, eq. 1 of Goodfellow 2014 with its sign turned."""
    fake = G(z).detach()
    on_real, on_fake = D(torch.cat([real, fake])).split(len(real))
    loss = -F.logsigmoid(on_real).mean() - F.logsigmoid(-on_fake).mean()
    adam_d.zero_grad()
    loss.backward()
    adam_d.step()
    return loss


@solution("gan_baseline.generator_step")
def generator_step(G: nn.Module, D: nn.Module, adam_g: Optimizer, z: Tensor) -> Tensor:
    """One step of G; returns its loss, the non-saturating form."""
    loss = -F.logsigmoid(D(G(z))).mean()
    adam_g.zero_grad()
    loss.backward()
    adam_g.step()
    return loss


@solution("gan_baseline.train")
def train(
    G: nn.Module,
    D: nn.Module,
    step_d: Callable[..., Tensor],
    step_g: Callable[..., Tensor],
    draw_real: Callable[[], Tensor],
    n_rounds: int,
    rate_d: float,
    watch: Callable[[int], object],
) -> list[tuple[float, float]]:
    """Play so many rounds; returns the losses of D and G in each."""
    adam_d = torch.optim.Adam(D.parameters(), lr=rate_d, betas=(0.5, 0.999))
    adam_g = torch.optim.Adam(G.parameters(), lr=0.001, betas=(0.5, 0.999))
    history = []
    for number in range(1, n_rounds + 1):
        real = draw_real()
        loss_d = step_d(G, D, adam_d, real, torch.randn(len(real), 8))
        loss_g = step_g(G, D, adam_g, torch.randn(len(real), 8))
        history.append((loss_d.item(), loss_g.item()))
        watch(number)
    return history
