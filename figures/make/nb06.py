"""Notebook 06: encoders trained in four ways, what their features are worth, and BiGAN's networks for the pictures."""

import json
import time
from collections import namedtuple
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from itertools import product
from typing import Any, cast

import tables
import torch
from tables import Row
from torch import Tensor, nn
from torch.nn import functional as F

from sgan_lib import data, evaluation, experiments, losses, models, networks, runtime
from sgan_lib.course import plotting, stored
from sgan_lib.data import Batch, SemiSupervisedData
from sgan_lib.methods import Moves, Nets
from sgan_lib.settings import Settings
from sgan_lib.training import Record, TrainingState, average_of

DATASET, N_LABELS, SPLITS = "mnist", (20, 50, 100, 200, 1000), (0, 1, 2)
HELD_OUT = 10_000  # training images: jeffdonahue/bigan, load.py
UNTRAINED = {"random": "bigan_mlp_small", "random_wide": "bigan_mlp"}  # the second is as wide as the paper's
PAIR, PICTURE = tables.ASSETS / "bigan_pair.safetensors", tables.FIGURES / "bigan_reconstructions.png"
Layers = dict[str, Callable[[Tensor], Tensor]]
Asked = namedtuple("Asked", "representation seed preset")  # one to measure


def settings_of(seed: int, preset: str) -> Settings:
    """BiGAN's run; it uses none of the labels."""
    precision = "mixed" if preset == "paper" else "bfloat16"
    return experiments.resolve("bigan", DATASET, preset, seed=seed, precision=precision)


class ImagesOnly(nn.Module):
    """A discriminator of pairs, asked about images alone: every latent is 0."""

    def __init__(self, judge: nn.Module, latent_dim: int) -> None:
        super().__init__()
        self.judge, self.latent_dim = judge, latent_dim

    def forward(self, images: Tensor) -> models.DiscriminatorOutput:
        latent = torch.zeros(len(images), self.latent_dim, device=images.device)
        return models.DiscriminatorOutput(*(part.float() for part in self.judge(images=images, latent=latent)))


def latent_regressor(nets: Nets, batch: Batch) -> Moves:
    """A plain GAN and, beside its generator, an encoder that minimises ‖z − E(G(z))‖² (Donahue 2016, §4.1).

    The discriminator judges real and generated images in a pass each, as BiGAN's does both kinds of pairs.
    """
    fake = nets["generator"].sample(len(batch.unlabelled)).detach()
    on_real, on_fake = (nets["discriminator"](x).class_logits[:, 0] for x in (batch.unlabelled, fake.float()))
    yield {"adversarial": losses.discriminator(on_real, on_fake)}
    latent = nets["generator"].latent(len(batch.unlabelled))
    fake = nets["generator"](latent).float()
    guess = nets["encoder"](fake.detach()).latent.float()  # detached: the generator does not make it easier
    on_fake = nets["discriminator"](fake).class_logits[:, 0]
    yield {"generator": losses.generator(on_fake), "latent": F.mse_loss(guess, latent)}


def autoencoder(nets: Nets, batch: Batch, power: int) -> Moves:
    """Encoder and generator minimise the mean over images of the summed |x − G(E(x))|^power."""
    again = nets["generator"](nets["encoder"](batch.unlabelled).latent).float()
    yield {"reconstruction": (batch.unlabelled - again).abs().pow(power).flatten(1).sum(dim=1).mean()}


OBJECTIVES: dict[str, Callable[[Nets, Batch], Moves]] = {
    "latent_regressor": latent_regressor,
    "autoencoder_l2": partial(autoencoder, power=2),
    "autoencoder_l1": partial(autoencoder, power=1),
}


def train_other(name: str, settings: Settings, parts: SemiSupervisedData) -> nn.ModuleDict:
    """Train one of `OBJECTIVES` on BiGAN's networks, with BiGAN's settings; averaged networks, batch norm settled."""
    with experiments.reproducible(settings):
        run = experiments.prepare(settings, parts, parts.pool.device)
        nets: Nets = run.state.modules
        modules = nn.ModuleDict({"generator": nets["generator"], "encoder": nets["encoder"]})
        players = {"generator": experiments.player([*modules.values()], settings.learning_rate, settings)}
        if name == "latent_regressor":
            modules["discriminator"] = judge = ImagesOnly(nets["discriminator"], nets["generator"].latent_dim)
            players = {"discriminator": experiments.player([judge], settings.learning_rate, settings)} | players
        average = average_of(modules, settings.average_decay)
        state = TrainingState(modules, players, average, OBJECTIVES[name], run.state.autocast)
        for _ in experiments.train(replace(run, state=state), record_every=1000):
            pass
    return settled(state.averaged, parts)


def untrained(network: str, seed: int, parts: SemiSupervisedData) -> nn.ModuleDict:
    """A BiGAN's encoder and discriminator as they are before the first step, batch norm settled."""
    with runtime.seeded(seed):
        built = networks.build(network, parts.image_shape, 1)
    judge = ImagesOnly(built.discriminator, cast(models.Generator, built.generator).latent_dim)
    modules = nn.ModuleDict({"encoder": cast(nn.Module, built.encoder), "discriminator": judge})
    return settled(modules.to(parts.pool.device), parts)


def settled(modules: nn.ModuleDict, parts: SemiSupervisedData) -> nn.ModuleDict:
    """These networks; the batch norm of those that take images has the statistics of real ones."""
    for name in set(modules) - {"generator"}:
        evaluation.settle(modules[name], data.as_images(parts.pool[:10_000]))
    return modules


def bigan(settings: Settings, parts: SemiSupervisedData) -> tuple[nn.ModuleDict, list[Row]]:
    """BiGAN's networks, trained on from the checkpoint where there is one, and 1-NN at each fifth of the run.

    The latter is for the picture and for nothing else.
    """
    checkpoint = tables.RUNS / f"bigan-{settings.preset}-{settings.seed}.safetensors"
    path = checkpoint.with_suffix(".json")  # so that a resumed run has all looks
    looks: list[Row] = json.loads(path.read_text()) if path.exists() else []

    def look(record: Record, modules: nn.ModuleDict) -> None:
        if record.step % (settings.steps // 5) == 0 and record.step < settings.steps:
            evaluation.settle(modules["encoder"], data.as_images(parts.pool[:10_000]))
            looks[:] = [row for row in looks if row["step"] < record.step]  # once more, if it was stopped just here
            rows = rows_of(layers_of(modules), parts, data.read(DATASET).train, 0, linear=False)
            looks.extend({"step": record.step} | row for row in rows)
            runtime.write_whole(path, json.dumps(looks))

    run = experiments.run(**asdict(settings), observe=look, checkpoint=checkpoint)
    return cast(nn.ModuleDict, run.modules), looks


def layers_of(modules: Any) -> Layers:
    """The representations that networks offer: name -> function from images to features; without networks, pixels."""
    if modules is None:
        return {"pixels": lambda images: images.flatten(1)}
    encode, judge = partial(evaluation.encode, modules["encoder"]), dict(modules).get("discriminator")
    layers: Layers = {
        "hidden": lambda images: encode(images).features,
        "before_tanh": lambda images: modules["encoder"].latent(encode(images).features).detach(),  # the authors' E(x)
        "latent": lambda images: encode(images).latent,
    }
    if isinstance(judge, ImagesOnly):
        layers["discriminator"] = lambda images: evaluation.outputs(judge, images)[1]
    return layers


def linear_accuracy(features: Tensor, labels: Tensor, known: Tensor, known_labels: Tensor) -> float:
    """Of a linear classifier, from the features that are known."""
    return 1 - evaluation.linear_error(known, known_labels, features, labels)


def rows_of(layers: Layers, parts: SemiSupervisedData, known: data.Labelled, split: int, linear: bool) -> list[Row]:
    """One row per layer: the accuracy on the test images, from those that are known, by 1-NN or linearly."""
    accuracy = linear_accuracy if linear else evaluation.nearest_neighbour_accuracy
    images, labels = (part.to(parts.test.images.device) for part in (data.as_images(known.images), known.labels))
    row = {"classifier": "linear" if linear else "nearest", "n_labels": len(labels), "split_seed": split}
    return [{"layer": layer, "accuracy": accuracy(of(parts.test.images), parts.test.labels, of(images), labels)} | row
            for layer, of in layers.items()]  # fmt: skip


def measure(asked: Asked) -> list[Row]:
    """One row per layer, classifier, number of labels and split; for BiGAN also 1-NN over training."""
    name, seed, preset = asked
    parts, started = data.load(DATASET, 100, seed).to(runtime.choose_device()), time.process_time()
    settings, looks, modules = settings_of(seed, preset), list[Row](), None
    if name == "bigan":
        modules, looks = bigan(settings, parts)
    elif name in UNTRAINED:
        modules = untrained(UNTRAINED[name], seed, parts)
    elif name in OBJECTIVES:
        modules = train_other(name, settings, parts)
    cost = {"cpu_seconds": round(time.process_time() - started, 1), "torch": torch.__version__}
    layers, steps = layers_of(modules), settings.steps if name in ("bigan", *OBJECTIVES) else 0
    last = rows_of(layers, parts, data.read(DATASET).train, 0, linear=False)
    for n_labels, split in product(N_LABELS, SPLITS):  # the splits that every method of the course gets
        last += rows_of(layers, parts, data.load(DATASET, n_labels, split).labelled, split, linear=True)
    rows = looks + [{"step": steps} | row for row in last]
    return [row | {"accuracy": round(row["accuracy"], 4)} | cost for row in rows]


def measure_held_out(asked: Asked) -> list[Row]:
    """1-NN as the authors' code takes it, of some training images among the others; one row.

    The networks are those of `measure`; BiGAN's encoder of `standard` is the one that the library ships.
    """
    parts, known, modules = data.load(DATASET, 100), data.read(DATASET).train, None
    if asked.representation in UNTRAINED:
        modules = untrained(UNTRAINED[asked.representation], 0, parts)
    elif asked.preset == "paper":
        modules, _ = bigan(settings_of(0, "paper"), parts)
    elif asked.representation == "bigan":
        modules = nn.ModuleDict({"encoder": stored.bigan_pair().encoder})
    layer = "pixels" if modules is None else "hidden"
    order = torch.randperm(len(known.labels), generator=torch.Generator().manual_seed(asked.seed))
    features = layers_of(modules)[layer](data.as_images(known.images[order]))
    few, among = zip(*(part.tensor_split([HELD_OUT]) for part in (features, known.labels[order])), strict=True)
    accuracy = evaluation.nearest_neighbour_accuracy(*few, *among)
    return [{"layer": layer, "accuracy": round(accuracy, 4), "torch": torch.__version__}]


def store_pair() -> None:
    """BiGAN's encoder and generator, of the table's run."""
    settings = settings_of(0, "standard")
    modules, _ = bigan(settings, data.load(DATASET, 100))
    both = nn.ModuleDict({name: modules[name] for name in ("encoder", "generator")})
    tables.store_network(both, PAIR, settings)


def draw_reconstructions() -> None:
    """Test images, what comes back, and walks between two codes; the title says what the course's classifier sees."""
    (encoder, generator), test = stored.bigan_pair(), data.load("mnist", 100).test
    images = test.images[torch.cat([(test.labels == k).nonzero()[:1, 0] for k in range(10)])]
    codes, share = evaluation.encode(encoder, images).latent, torch.linspace(0, 1, 10)[:, None]
    latents = {f"{a} to {b}": (1 - share) * codes[a] + share * codes[b] for a, b in ((0, 6), (3, 8))}
    latents = {"G(E(x))": codes} | latents
    frames = {"x": images} | {name: evaluation.generate(generator, latent) for name, latent in latents.items()}
    plotting.filmstrip(frames, "Six of these ten digits come back as the same digit").savefig(PICTURE)


UNSEEN = ("pixels", *UNTRAINED, "bigan")
FIGURES: tables.Figures = {
    # trained ones: the same networks, steps and optimiser for all, one seed each; and BiGAN with preset paper
    "bigan_features": tables.Table(
        lambda: [*(Asked(name, 0, "standard") for name in (*UNSEEN, *OBJECTIVES)), Asked("bigan", 0, "paper")],
        "representation seed preset step layer classifier n_labels split_seed accuracy cpu_seconds torch", measure,
    ),
    "bigan_held_out": tables.Table(
        lambda: [Asked(name, seed, preset) for seed in range(3)
                 for name, preset in [*product(UNSEEN, ["standard"]), ("bigan", "paper")]],
        "representation seed preset layer accuracy torch", measure_held_out,
    ),
    "bigan_pair": tables.Once(PAIR, store_pair),
    "bigan_reconstructions": tables.Once(PICTURE, draw_reconstructions),
}  # fmt: skip

if __name__ == "__main__":
    tables.main(__doc__, FIGURES)
