"""Training steps in the way circulating code writes them: what our steps are measured against.

The networks, their sizes, the losses and the batches are those of `sgan_lib`. What differs is how a step is done:
images go one by one through PIL and a `DataLoader`; labelled, unlabelled and generated images pass the discriminator
one after the other; the real images pass it again for the generator's move; weight norm, noise, Adam and convolutions
are torch's plain ones; the generator's backward pass computes the discriminator's gradients too; every loss is read at
every step. No average of weights is kept. Where circulating copies differ, the cheaper form stands here.
"""

import sgan_lib  # noqa: F401 (its first import mends torchvision where it does not fit torch: sgan_lib.compat)

# isort: split
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.utils.data import DataLoader, RandomSampler, Subset
from torchvision import datasets, transforms

LATENT = 100
LabelledAndPool = tuple[list[Tensor], list[Tensor]]


def batches(folder: Path, n_labels: int, batch_size: int, image_size: int | None) -> Iterator[LabelledAndPool]:
    """Endless pairs of batches of MNIST: `n_labels` labelled images again and again, and all of the training images.

    Each batch is [images in [-1, 1], labels]; the labels of the second one are there, as in circulating code, unused.
    """
    resize = [transforms.Resize(image_size)] if image_size else []
    prepare = transforms.Compose([*resize, transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
    pool = datasets.MNIST(folder, train=True, transform=prepare)
    known = [torch.nonzero(pool.targets == k).flatten()[: n_labels // 10] for k in range(10)]
    labelled = Subset(pool, torch.cat(known).tolist())
    with_repeats = RandomSampler(labelled, replacement=True, num_samples=len(pool))
    while True:
        yield from zip(
            DataLoader(labelled, batch_size, sampler=with_repeats, drop_last=True),
            DataLoader(pool, batch_size, shuffle=True, drop_last=True),
            strict=True,
        )


# --- the dense pair of Salimans 2016, and feature matching


class GaussianNoise(nn.Module):
    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.randn_like(x) * self.sigma if self.training else x


def _weight_normed(n_in: int, n_out: int, train_scale: bool) -> nn.Linear:
    layer = weight_norm(nn.Linear(n_in, n_out))
    layer.parametrizations.weight.original0.requires_grad_(train_scale)
    return layer


def dense_generator() -> nn.Sequential:
    hidden: list[nn.Module] = []
    for n_in in (LATENT, 500):
        norm = nn.BatchNorm1d(500, track_running_stats=False)
        hidden += [nn.Linear(n_in, 500, bias=False), norm, nn.Softplus()]
    return nn.Sequential(*hidden, _weight_normed(500, 784, train_scale=True), nn.Tanh())


class DenseDiscriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        sizes = [784, 1000, 500, 250, 250, 250]
        self.input_noise = GaussianNoise(0.6)
        self.noise = nn.ModuleList(GaussianNoise(0.5) for _ in sizes[1:])
        self.hidden = nn.ModuleList(_weight_normed(n_in, n_out, train_scale=False) for n_in, n_out in pairwise(sizes))
        self.classes = _weight_normed(250, 10, train_scale=True)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.input_noise(images.view(len(images), -1))
        for layer, noise in zip(self.hidden, self.noise, strict=True):
            features = F.relu(layer(hidden))
            hidden = noise(features)
        return self.classes(hidden), features


class FeatureMatching:
    """Salimans 2016, MNIST: each move draws latents of its own, as in his code."""

    def __init__(self) -> None:
        self.discriminator, self.generator = DenseDiscriminator(), dense_generator()
        trained = [p for p in self.discriminator.parameters() if p.requires_grad]
        self.discriminator_adam = torch.optim.Adam(trained, lr=3e-3, betas=(0.5, 0.999))
        self.generator_adam = torch.optim.Adam(self.generator.parameters(), lr=3e-3, betas=(0.5, 0.999))

    def latent(self, n: int) -> Tensor:
        return torch.rand(n, LATENT)

    def step(self, batch: LabelledAndPool) -> dict[str, float]:
        (images, labels), (unlabelled, _) = batch
        fake = self.generator(self.latent(len(unlabelled))).detach()
        on_labelled, _ = self.discriminator(images)
        on_unlabelled, _ = self.discriminator(unlabelled)
        on_fake, _ = self.discriminator(fake)
        supervised = F.cross_entropy(on_labelled, labels)
        real = F.softplus(-torch.logsumexp(on_unlabelled, dim=1)).mean()
        generated = F.softplus(torch.logsumexp(on_fake, dim=1)).mean()
        self.discriminator_adam.zero_grad()
        (supervised + 0.5 * real + 0.5 * generated).backward()
        self.discriminator_adam.step()
        terms = {"supervised": supervised.item(), "adversarial": 0.5 * real.item() + 0.5 * generated.item()}
        fake = self.generator(self.latent(len(unlabelled)))
        _, features_real = self.discriminator(unlabelled)
        _, features_fake = self.discriminator(fake)
        loss = F.mse_loss(features_fake.mean(dim=0), features_real.mean(dim=0).detach())
        self.generator_adam.zero_grad()
        loss.backward()
        self.generator_adam.step()
        return terms | {"feature_matching": loss.item()}


# --- the convolutional pair of PyTorch-GAN, and its two heads


def convolutional_generator() -> nn.Sequential:
    blocks: list[nn.Module] = []
    for n_out in (128, 64):
        convolution = nn.Conv2d(128, n_out, 3, padding=1, bias=False)
        blocks += [nn.Upsample(scale_factor=2), convolution, nn.BatchNorm2d(n_out), nn.LeakyReLU(0.2)]
    first = [nn.Linear(LATENT, 128 * 8 * 8, bias=False), nn.Unflatten(1, (128, 8, 8)), nn.BatchNorm2d(128)]
    return nn.Sequential(*first, *blocks, nn.Conv2d(64, 1, 3, padding=1), nn.Tanh())


class ConvolutionalDiscriminator(nn.Module):
    """Without its batch norm, as our network has it: with one pass a part, batch norm would tell real from fake."""

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for n_in, n_out in pairwise([1, 16, 32, 64, 128]):
            blocks += [nn.Conv2d(n_in, n_out, 3, stride=2, padding=1), nn.LeakyReLU(0.2), nn.Dropout2d(0.25)]
        self.body = nn.Sequential(*blocks)
        self.classes = nn.Linear(128 * 2 * 2, 10)
        self.real = nn.Sequential(nn.Linear(128 * 2 * 2, 1), nn.Sigmoid())

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(images).view(len(images), -1)
        return self.real(features), self.classes(features)


class TwoHead:
    """Two heads, binary cross-entropy on probabilities; the generator's move judges the images already generated."""

    def __init__(self) -> None:
        self.discriminator, self.generator = ConvolutionalDiscriminator(), convolutional_generator()
        self.discriminator_adam = torch.optim.Adam(self.discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.generator_adam = torch.optim.Adam(self.generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.adversarial, self.auxiliary = nn.BCELoss(), nn.CrossEntropyLoss()

    def latent(self, n: int) -> Tensor:
        return torch.randn(n, LATENT)

    def step(self, batch: LabelledAndPool) -> dict[str, float]:
        (images, labels), (unlabelled, _) = batch
        fake = self.generator(self.latent(len(unlabelled)))
        _, classes = self.discriminator(images)
        on_unlabelled, _ = self.discriminator(unlabelled)
        on_fake, _ = self.discriminator(fake.detach())
        supervised = self.auxiliary(classes, labels)
        real = self.adversarial(on_unlabelled, torch.ones_like(on_unlabelled))
        generated = self.adversarial(on_fake, torch.zeros_like(on_fake))
        self.discriminator_adam.zero_grad()
        (supervised + (real + generated) / 2).backward()
        self.discriminator_adam.step()
        terms = {"supervised": supervised.item(), "adversarial": (real.item() + generated.item()) / 2}
        on_fake, _ = self.discriminator(fake)
        loss = self.adversarial(on_fake, torch.ones_like(on_fake))
        self.generator_adam.zero_grad()
        loss.backward()
        self.generator_adam.step()
        return terms | {"generator": loss.item()}
