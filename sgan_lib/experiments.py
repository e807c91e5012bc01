"""One experiment: from settings to a result. `run` is the door to everything else."""

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn
from tqdm.auto import tqdm

from sgan_lib import data, evaluation, models
from sgan_lib.methods import METHODS, Method, Weights
from sgan_lib.runtime import check_choice, check_number, check_whole_number, choose_device, seeded, threads
from sgan_lib.training import Player, Record, TrainingState, average_of, load_checkpoint, save_checkpoint, train

Observer = Callable[[Record, nn.ModuleDict], None]


@dataclass(frozen=True)
class Recipe:
    """How a pair of networks is trained, whatever the preset. The same for every method on that pair."""

    batch_size: int  # unlabelled images a step, and as many generated ones
    labelled_batch_size: int  # labelled images a step
    learning_rate: float  # of Adam, for both players
    hold: float = 0.5  # share of the steps at full rate; then it falls linearly to 0
    beta1: float = 0.5  # Radford 2016, §4; Salimans 2016 and PyTorch-GAN too
    average_decay: float = 0.999  # Salimans 2016 has 0.9999 over 180,000 steps; runs here are shorter
    threads: int | None = None  # CPU threads; small networks are faster on one


@dataclass(frozen=True)
class Preset:
    """A budget: how many steps each pair of networks is trained."""

    purpose: str
    steps: Mapping[str, int]


RECIPES: dict[str, Recipe] = {
    "mlp": Recipe(100, 100, 3e-3),  # Salimans 2016, code for MNIST; the decay to 0 is ours
    "mlp_digits": Recipe(64, 64, 2e-3, threads=1),  # ours, chosen on validation images
    "mlp_2d": Recipe(128, 128, 2e-3, threads=1),  # ours
    "dcgan": Recipe(32, 32, 1e-3, average_decay=0.99),  # ours: more and smaller steps; beside Radford 2016, §4
    "upsample": Recipe(64, 64, 2e-4, hold=1.0),  # PyTorch-GAN sgan.py
    "cnn": Recipe(64, 64, 1e-3),  # ours
}

PRESETS: dict[str, Preset] = {
    "quick": Preset(
        "a first look: seconds on a laptop's CPU",  # ours: what fits into the minute that a notebook has
        {"mlp": 600, "mlp_digits": 1500, "mlp_2d": 1500, "dcgan": 600, "upsample": 200, "cnn": 600},
    ),
    "standard": Preset(
        "the course's own figures: up to 10 minutes a run",  # ours
        {"mlp": 12_000, "mlp_digits": 3000, "mlp_2d": 4000, "dcgan": 3000, "upsample": 3000, "cnn": 3000},
    ),
    "paper": Preset(
        "the published protocol: as long as it takes",
        # mlp: 300 epochs of 600 steps, Salimans 2016; upsample: 200 epochs of 938, PyTorch-GAN; the others: 100 epochs
        {"mlp": 180_000, "mlp_digits": 3000, "mlp_2d": 4000, "dcgan": 187_500, "upsample": 187_600, "cnn": 93_800},
    ),
}

DEFAULT_NETWORK = {"digits": "mlp_digits", "moons": "mlp_2d", "rings": "mlp_2d"} | {
    name: "upsample" for name in ("mnist_rgb", "svhn", "cifar10")
}  # every other set: "mlp"


_WHOLE_NUMBERS = {"n_labels": 1, "steps": 1, "batch_size": 1, "labelled_batch_size": 1, "seed": 0, "split_seed": 0,
                  "shift": 0}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """Everything that determines a run. Values that are not given come from the preset and the network's recipe."""

    method: str
    dataset: str
    n_labels: int
    seed: int  # initial weights, batches, noise
    split_seed: int  # which images are labelled
    preset: str
    network: str
    steps: int
    batch_size: int
    labelled_batch_size: int
    learning_rate: float
    hold: float
    beta1: float
    average_decay: float
    threads: int | None
    shift: int = 0  # random shifts of training images by up to so many pixels
    adversarial_weight: float = Weights.adversarial

    def __post_init__(self) -> None:
        check_choice("method", self.method, METHODS)
        check_choice("dataset", self.dataset, data.DATASETS)
        check_choice("network", self.network, models.NETWORKS)
        for name, least in _WHOLE_NUMBERS.items():  # also turns numpy's integers into Python's, which JSON knows
            object.__setattr__(self, name, check_whole_number(name, getattr(self, name), at_least=least))
        if self.threads is not None:
            check_whole_number("threads", self.threads, at_least=1)
        check_number("learning_rate", self.learning_rate, above=0)
        check_number("adversarial_weight", self.adversarial_weight)
        check_number("hold", self.hold, at_most=1.0)
        for name in ("beta1", "average_decay"):
            check_number(name, getattr(self, name), at_most=0.999999)

    @classmethod
    def resolve(cls, method: str, dataset: str, preset: str, **given: Any) -> "Settings":
        """Fill in what is not given.

        Raises:
            ValueError, TypeError: naming the argument, the value and what is allowed.
        """
        check_choice("dataset", dataset, data.DATASETS)
        check_choice("preset", preset, PRESETS)
        known = [f.name for f in fields(cls)]
        for name in given:
            check_choice("setting", name, known)
        network = check_choice("network", given.pop("network", DEFAULT_NETWORK.get(dataset, "mlp")), models.NETWORKS)
        values = asdict(RECIPES[network]) | {"steps": PRESETS[preset].steps[network]} | given
        return cls(method=method, dataset=dataset, preset=preset, network=network, **values)


@dataclass(frozen=True)
class RunResult:
    """What a run found. All but `modules` goes through JSON and back unchanged."""

    settings: Settings
    test_error: float | None  # fraction in [0, 1]; None for the plain GAN, which classifies nothing
    test_error_interval: tuple[float, float] | None  # 95 %, Wilson: how well the test set measures this one network
    confusion_matrix: list[list[int]] | None  # true class by row
    history: list[Record]
    seconds: float  # of training, without evaluation
    device: str
    versions: dict[str, str]
    modules: nn.ModuleDict | None = field(default=None, compare=False, repr=False)  # averaged networks

    def history_table(self) -> pd.DataFrame:
        """The history, a row a record, a column a number."""
        rows = [{**asdict(r), **r.terms, **r.scores} for r in self.history]
        return pd.DataFrame(rows).drop(columns=["terms", "scores"])

    def to_json(self, path: str | Path) -> None:
        """Write to `path`, whole or not at all."""
        content = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "modules"}
        content |= {"settings": asdict(self.settings), "history": [asdict(record) for record in self.history]}
        partial = Path(path).with_suffix(".partial")
        partial.write_text(json.dumps(content, indent=1) + "\n")
        partial.replace(path)

    @classmethod
    def from_json(cls, path: str | Path) -> "RunResult":
        """Read what `to_json` wrote.

        Raises:
            ValueError: where the file does not hold a result.
        """
        try:
            content = json.loads(Path(path).read_text())
            content["settings"] = Settings(**content["settings"])
            content["history"] = [Record(**record) for record in content["history"]]
            if content["test_error_interval"] is not None:
                content["test_error_interval"] = tuple(content["test_error_interval"])
            return cls(**content)
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} does not hold a RunResult: {error}") from error


def _player(modules: list[nn.Module], objective: Any, settings: Settings) -> Player:
    trainable = [p for module in modules for p in module.parameters() if p.requires_grad]
    adam = torch.optim.Adam(trainable, lr=settings.learning_rate, betas=(settings.beta1, 0.999), fused=True)
    return Player(objective, adam, settings.learning_rate)


def prepare(settings: Settings, images: torch.Tensor, n_classes: int) -> TrainingState:
    """Build networks, players and the average of weights; `images` are for the data-dependent initialisation."""
    method: Method = METHODS[settings.method]
    networks = models.build(settings.network, tuple(images.shape[1:]), n_classes if method.classifies else 1)
    modules = method.modules(networks).to(images.device)
    models.initialise_from_data(modules["discriminator"], images[:500])
    weights = Weights(adversarial=settings.adversarial_weight)
    sides = {"discriminator": [module for name, module in modules.items() if name != "generator"]}
    objectives = {"discriminator": method.discriminator_terms}
    if method.generator_terms is not None:
        sides["generator"], objectives["generator"] = [modules["generator"]], method.generator_terms
    players = {
        name: _player(side, lambda m, b, terms=objectives[name]: terms(m, b, weights), settings)
        for name, side in sides.items()
    }
    return TrainingState(modules, players, average_of(modules, settings.average_decay))


def _load(settings: Settings, device: torch.device) -> data.SemiSupervisedData:
    size = 32 if settings.network == "upsample" else None
    return data.load(settings.dataset, settings.n_labels, settings.split_seed, image_size=size).to(device)


def _progress(settings: Settings, shown: bool) -> tqdm:
    name = f"{settings.method}, {settings.dataset}, {settings.n_labels} labels, seed {settings.seed}"
    return tqdm(total=settings.steps, desc=name, unit="step", disable=not shown)


def run(
    method: str = "feature_matching",
    dataset: str = "mnist",
    n_labels: int = 100,
    seed: int = 0,
    preset: str = "quick",
    split_seed: int | None = None,
    device: str = "auto",
    progress: bool = False,
    record_every: int | None = None,
    observe: Observer | None = None,
    checkpoint: str | Path | None = None,
    **overrides: Any,
) -> RunResult:
    """Train one method on one split and measure its test error once, at the end, with averaged weights.

    Args:
        method, dataset, preset: names; see `METHODS`, `data.DATASETS`, `PRESETS`.
        n_labels: labelled images, balanced over the classes to within one.
        seed: for weights, batches and noise; also for the split, unless `split_seed` is given.
        device: "auto", "cpu", "cuda" or "mps".
        progress: show a bar with the numbers that one wants to watch.
        record_every: steps between records; by default a twentieth of the run.
        observe: called with each record and the averaged networks.
        checkpoint: file to save to at each record, and to resume from if it is there. A resumed run ends with the same
            weights and the same result as one that was never interrupted.
        overrides: any other field of `Settings`, for example `network="cnn"` or `steps=500`.

    Raises:
        ValueError, TypeError: for a bad argument, before anything is trained.
        DivergenceError: where training diverges.
    """
    split = seed if split_seed is None else split_seed
    settings = Settings.resolve(method, dataset, preset, n_labels=n_labels, seed=seed, split_seed=split, **overrides)
    default = max(1, settings.steps // 20)
    every = check_whole_number("record_every", default if record_every is None else record_every, at_least=1)
    place = choose_device(device)
    with threads(settings.threads), seeded(settings.seed), _progress(settings, progress) as bar:
        parts = _load(settings, place)
        state = prepare(settings, parts.unlabelled, parts.n_classes)
        if checkpoint is not None and Path(checkpoint).exists():
            load_checkpoint(state, Path(checkpoint), asdict(settings))
        batches = data.Batches(parts, settings.batch_size, settings.labelled_batch_size, settings.seed, settings.shift)
        for record in train(state, batches.at, settings.steps, settings.hold, every, _validate(settings, parts)):
            bar.update(record.step - bar.n)
            bar.set_postfix({name: f"{value:.3g}" for name, value in (record.terms | record.scores).items()})
            if checkpoint is not None:
                save_checkpoint(state, Path(checkpoint), asdict(settings))
            if observe is not None:
                with torch.random.fork_rng():  # what an observer draws does not change the run
                    observe(record, state.averaged)
        return _result(settings, state, parts, place)


def _validate(settings: Settings, parts: data.SemiSupervisedData) -> Callable[[nn.ModuleDict], dict[str, float]] | None:
    if not METHODS[settings.method].classifies or not len(parts.validation.labels):
        return None
    return lambda modules: {"validation_error": evaluation.error_rate(modules["discriminator"], *parts.validation)}


def _result(
    settings: Settings, state: TrainingState, parts: data.SemiSupervisedData, device: torch.device
) -> RunResult:
    """Read the test set, once."""
    error = interval = confusion = None
    if METHODS[settings.method].classifies:
        labels = parts.test.labels
        predictions = evaluation.predict(state.averaged["discriminator"], parts.test.images)
        wrong = int((predictions != labels).sum())
        error, interval = wrong / len(labels), evaluation.wilson_interval(wrong, len(labels))
        confusion = evaluation.confusion_matrix(predictions, labels, parts.n_classes).tolist()
    versions = {"python": platform.python_version()} | {name: version(name) for name in ("torch", "torchvision")}
    return RunResult(
        settings, error, interval, confusion, state.history, state.seconds, str(device), versions, state.averaged
    )


def repeat(n_seeds: int, first_seed: int = 0, **arguments: Any) -> list[RunResult]:
    """`run` for several seeds, each with its own split; networks are dropped to save memory."""
    seeds = range(first_seed, first_seed + check_whole_number("n_seeds", n_seeds, at_least=1))
    return [replace(run(seed=seed, **arguments), modules=None) for seed in seeds]
