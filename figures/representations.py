"""Notebook 06's table: encoders trained in four ways, and what their features are worth. `measure` is the door."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgan_lib import data, evaluation, experiments, losses, models, runtime
from sgan_lib.training import Player, Record, TrainingState, average_of, train

RUNS = Path(__file__).parents[1] / "runs" / "representations"
DATASET, N_LABELS, SPLITS = "mnist", (20, 50, 100, 200, 1000), (0, 1, 2)
HELD_OUT = 10_000  # training images: jeffdonahue/bigan, load.py
Arguments = dict[str, Any]
Terms = dict[str, Tensor]
Layers = dict[str, Callable[[Tensor], Tensor]]


class ImagesOnly(nn.Module):
    """A discriminator of pairs, asked about images alone: every latent is 0."""

    def __init__(self, judge: nn.Module, latent_dim: int) -> None:
        super().__init__()
        self.judge, self.latent_dim = judge, latent_dim

    def forward(self, images: Tensor) -> models.DiscriminatorOutput:
        latent = torch.zeros(len(images), self.latent_dim, device=images.device)
        return models.DiscriminatorOutput(*(part.float() for part in self.judge(images=images, latent=latent)))


def judge_images(modules: nn.ModuleDict, batch: data.Batch) -> Terms:
    """The plain GAN's discriminator, a pass for each kind of images, as BiGAN's has one for each kind of pairs."""
    fake = cast(models.Generator, modules["generator"]).sample(len(batch.unlabelled)).detach()
    on_real, on_fake = (modules["discriminator"](x).class_logits[:, 0] for x in (batch.unlabelled, fake.float()))
    return {"adversarial": losses.discriminator(on_real, on_fake)}


def regress_latent(modules: nn.ModuleDict, batch: data.Batch) -> Terms:
    """The plain GAN's generator and, beside it, the latent regressor: an encoder that minimises ‖z − E(G(z))‖²."""
    latent = cast(models.Generator, modules["generator"]).latent(len(batch.unlabelled))
    fake = modules["generator"](latent).float()
    guess = modules["encoder"](fake.detach()).latent.float()  # detached: the generator does not make it easier
    on_fake = modules["discriminator"](fake).class_logits[:, 0]
    return {"generator": losses.generator(on_fake), "latent": F.mse_loss(guess, latent)}


def reconstruct(modules: nn.ModuleDict, batch: data.Batch, power: int) -> Terms:
    """An autoencoder: the mean over images of the summed |x − G(E(x))|^power."""
    found = modules["generator"](modules["encoder"](batch.unlabelled).latent).float()
    return {"reconstruction": (batch.unlabelled - found).abs().pow(power).flatten(1).sum(dim=1).mean()}


OBJECTIVES = {  # representation -> player -> what it minimises; the player "generator" moves the encoder too
    "latent_regressor": {"discriminator": judge_images, "generator": regress_latent},
    "autoencoder_l2": {"generator": partial(reconstruct, power=2)},
    "autoencoder_l1": {"generator": partial(reconstruct, power=1)},
}


UNTRAINED = {"random": "bigan_mlp_small", "random_wide": "bigan_mlp"}  # the second is as wide as the paper's


def bigan_features() -> Iterator[Arguments]:
    """The rows of the table. Trained ones: the same networks, steps and optimiser for all, one seed each."""
    for name in ("pixels", *UNTRAINED, "bigan", *OBJECTIVES):
        yield {"representation": name, "seed": 0, "preset": "standard"}
    yield {"representation": "bigan", "seed": 0, "preset": "paper"}  # the paper's networks and settings


def bigan_held_out() -> Iterator[Arguments]:
    """1-NN as the authors' code takes it: some training images among the others, drawn three times."""
    runs = [(name, "standard") for name in ("pixels", *UNTRAINED, "bigan")]
    for (name, preset), seed in product([*runs, ("bigan", "paper")], range(3)):
        yield {"representation": name, "seed": seed, "preset": preset}


def _run(seed: int, preset: str) -> Arguments:
    """BiGAN's run; it uses none of the labels."""
    return {"method": "bigan", "dataset": DATASET, "n_labels": 100, "seed": seed, "preset": preset,
            "precision": "mixed" if preset == "paper" else "bfloat16"}  # fmt: skip


def _player(modules: list[nn.Module], objective: Any, settings: experiments.Settings, device: torch.device) -> Player:
    def in_bfloat16(networks: nn.ModuleDict, batch: data.Batch) -> Terms:
        with torch.autocast(device.type, torch.bfloat16):
            return objective(networks, batch)

    own = [parameter for module in modules for parameter in module.parameters()]
    betas = settings.beta1, settings.beta2
    adam = torch.optim.Adam(own, settings.learning_rate, betas, settings.epsilon, settings.weight_decay, fused=True)
    return Player(in_bfloat16, adam, settings.learning_rate)


def train_other(name: str, seed: int, preset: str, parts: data.SemiSupervisedData, n_steps: int = 0) -> nn.ModuleDict:
    """Train one of `OBJECTIVES` with BiGAN's settings; averaged networks, their batch norm settled on real images."""
    settings = experiments.Settings.resolve(**_run(seed, preset), split_seed=seed)
    device = parts.pool.device
    networks = models.build(settings.network, parts.image_shape, 1)
    generator = cast(models.Generator, networks.generator)
    modules = nn.ModuleDict({"generator": generator, "encoder": networks.encoder})
    if "discriminator" in OBJECTIVES[name]:
        modules["discriminator"] = ImagesOnly(networks.discriminator, generator.latent_dim)
    modules = modules.to(device)
    sides = {"generator": [generator, networks.encoder], "discriminator": [networks.discriminator]}
    players = {side: _player(sides[side], objective, settings, device) for side, objective in OBJECTIVES[name].items()}
    state = TrainingState(modules, players, average_of(modules, settings.average_decay))
    batches = data.Batches(parts, settings.batch_size, 1, seed)
    for _ in train(state, batches.at, n_steps or settings.steps, settings.hold, 1000):
        pass
    for network in set(modules) - {"generator"}:
        evaluation.settle(state.averaged[network], data.as_images(parts.pool[:10_000]))
    return state.averaged


def untrained(network: str, parts: data.SemiSupervisedData) -> nn.ModuleDict:
    """A BiGAN's encoder and discriminator as they are before the first step, batch norm settled."""
    networks = models.build(network, parts.image_shape, 1)
    judge = ImagesOnly(networks.discriminator, cast(models.Generator, networks.generator).latent_dim)
    modules = nn.ModuleDict({"encoder": networks.encoder, "discriminator": judge}).to(parts.pool.device)
    for module in modules.values():
        evaluation.settle(module, data.as_images(parts.pool[:10_000]))
    return modules


@torch.no_grad()
def _hidden(judge: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([judge.eval()(part).features for part in images.split(2000)])


@torch.no_grad()
def _before_tanh(encoder: nn.Module, images: Tensor) -> Tensor:
    return cast(nn.Linear, encoder.latent)(evaluation.encode(encoder, images).features)


def layers_of(modules: nn.ModuleDict | None) -> Layers:
    """The representations that a run offers: name -> function from images to features."""
    if modules is None:
        return {"pixels": lambda images: images.flatten(1)}
    encoder = modules["encoder"]
    layers: Layers = {
        "hidden": lambda images: evaluation.encode(encoder, images).features,
        "before_tanh": lambda images: _before_tanh(encoder, images),  # where the authors' log has E(x)
        "latent": lambda images: evaluation.encode(encoder, images).latent,
    }
    if "discriminator" in modules and isinstance(modules["discriminator"], ImagesOnly):
        layers["discriminator"] = partial(_hidden, modules["discriminator"])
    return layers


def nearest_neighbour_rows(layers: Layers, parts: data.SemiSupervisedData) -> list[Arguments]:
    """1-NN of the test images among all training images, with their labels."""
    known = data.read(DATASET).train
    images = data.as_images(known.images).to(parts.test.images.device)
    rows = []
    for layer, features_of in layers.items():
        pairs = features_of(parts.test.images), parts.test.labels, features_of(images), known.labels.to(images.device)
        row = {"layer": layer, "classifier": "nearest", "n_labels": len(images), "split_seed": 0}
        rows.append(row | {"accuracy": evaluation.nearest_neighbour_accuracy(*pairs)})
    return rows


def few_label_rows(layers: Layers, parts: data.SemiSupervisedData) -> list[Arguments]:
    """Linear classifiers from few labels, on the splits that every method of the course gets."""
    rows = []
    asked = {layer: features_of(parts.test.images) for layer, features_of in layers.items()}
    for n_labels, split in product(N_LABELS, SPLITS):
        images, labels = data.load(DATASET, n_labels, split).to(parts.test.images.device).labelled
        for layer, features_of in layers.items():
            error = evaluation.linear_error(features_of(images), labels, asked[layer], parts.test.labels)
            row = {"layer": layer, "classifier": "linear", "n_labels": n_labels, "split_seed": split}
            rows.append(row | {"accuracy": 1 - error})
    return rows


def measure_held_out(arguments: Arguments) -> list[Arguments]:
    """One row: the networks are those of `measure`; BiGAN's encoder of `standard` is the one that the library ships."""
    torch.set_num_threads(1)
    name, parts, modules = arguments["representation"], data.load(DATASET, 100), None
    if name in UNTRAINED:
        with runtime.seeded(0):
            modules = untrained(UNTRAINED[name], parts)
    elif arguments["preset"] == "paper":
        modules = bigan_networks(0, "paper")
    elif name == "bigan":
        modules = nn.ModuleDict({"encoder": models.bigan_pair().encoder})
    layer = "pixels" if modules is None else "hidden"
    known = data.read(DATASET).train
    order = torch.randperm(len(known.labels), generator=torch.Generator().manual_seed(arguments["seed"]))
    features = layers_of(modules)[layer](data.as_images(known.images[order]))
    asked, among = zip(*(part.tensor_split([HELD_OUT]) for part in (features, known.labels[order])), strict=True)
    accuracy = evaluation.nearest_neighbour_accuracy(*asked, *among)
    return [arguments | {"layer": layer, "accuracy": round(accuracy, 4), "torch": torch.__version__}]


def bigan_networks(seed: int, preset: str, look: experiments.Observer | None = None) -> nn.ModuleDict:
    """BiGAN's networks, trained on from the checkpoint where there is one."""
    checkpoint = RUNS / f"bigan_{preset}_{seed}.safetensors"
    return cast(nn.ModuleDict, experiments.run(**_run(seed, preset), observe=look, checkpoint=checkpoint).modules)


def store_pair() -> None:
    """BiGAN's encoder and generator, of the table's run, for the library and notebook 06."""
    path = Path(str(models.ASSETS)) / "bigan_pair.safetensors"
    if path.exists():
        return
    modules = bigan_networks(seed=0, preset="standard")
    both = nn.ModuleDict({name: modules[name] for name in ("encoder", "generator")})
    settings = experiments.Settings.resolve(**_run(0, "standard"), split_seed=0)
    notes = {"trained by": "make_figures.py bigan_pair", "settings": json.dumps(asdict(settings))}
    models.save_weights(both, path, notes | {"torch": torch.__version__})


def _bigan_with_curve(seed: int, preset: str, parts: data.SemiSupervisedData) -> tuple[nn.ModuleDict, list[Arguments]]:
    """BiGAN's networks, and 1-NN at each fifth of the run: for the picture and for nothing else."""
    path = RUNS / f"bigan_{preset}_{seed}.json"  # beside the checkpoint, so that a resumed run has them all
    looks: list[Arguments] = json.loads(path.read_text()) if path.exists() else []
    steps = experiments.Settings.resolve(**_run(seed, preset), split_seed=seed).steps

    def look(record: Record, modules: nn.ModuleDict) -> None:
        if record.step % (steps // 5) == 0 and record.step < steps:
            evaluation.settle(modules["encoder"], data.as_images(parts.pool[:10_000]))
            looks[:] = [row for row in looks if row["step"] < record.step]  # once more, if it was stopped just here
            looks.extend({"step": record.step} | row for row in nearest_neighbour_rows(layers_of(modules), parts))
            path.write_text(json.dumps(looks))

    return bigan_networks(seed, preset, look), looks


def measure(arguments: Arguments) -> list[Arguments]:
    """One representation: a row a layer, classifier, number of labels and split; for BiGAN also 1-NN over training."""
    torch.set_num_threads(1)
    name, seed, preset = arguments["representation"], arguments["seed"], arguments["preset"]
    parts, started = data.load(DATASET, 100, split_seed=seed).to(runtime.choose_device()), time.process_time()
    steps, looks, modules = 0, [], None
    with runtime.seeded(seed):
        if name == "bigan":
            modules, looks = _bigan_with_curve(seed, preset, parts)
        elif name in UNTRAINED:
            modules = untrained(UNTRAINED[name], parts)
        elif name != "pixels":
            modules = train_other(name, seed, preset, parts)
    if name in ("bigan", *OBJECTIVES):
        steps = experiments.Settings.resolve(**_run(seed, preset), split_seed=seed).steps
    cost = {"cpu_seconds": round(time.process_time() - started, 1), "torch": torch.__version__}
    layers = layers_of(modules)
    last = nearest_neighbour_rows(layers, parts) + few_label_rows(layers, parts)
    rows = looks + [{"step": steps} | row for row in last]
    return [arguments | row | {"accuracy": round(row["accuracy"], 4)} | cost for row in rows]
