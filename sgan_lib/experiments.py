"""One experiment: from settings to a result. `run` is the door to everything else."""

import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import pandas as pd
import torch
from torch import nn
from tqdm.auto import tqdm

from sgan_lib import data, evaluation, models
from sgan_lib.methods import METHODS, Method, Weights
from sgan_lib.presets import PRESETS, RECIPES, Settings
from sgan_lib.runtime import (
    check_number,
    check_whole_number,
    choose_device,
    forked_random,
    seeded,
    threads,
    write_whole,
)
from sgan_lib.training import (
    Objective,
    Player,
    Record,
    TrainingState,
    average_of,
    load_checkpoint,
    save_checkpoint,
    train,
)

__all__ = ["METHODS", "PRESETS", "RECIPES", "RunResult", "Settings", "prepare", "repeat", "run"]

_SETTLING = 10_000  # images and latents that batch norm takes its last statistics from

Observer = Callable[[Record, nn.ModuleDict], None]


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
        write_whole(Path(path), json.dumps(content, indent=1) + "\n")

    @classmethod
    def from_json(cls, path: str | Path) -> "RunResult":
        """Read what `to_json` wrote.

        Raises:
            ValueError: where the file does not hold a result.
        """
        try:
            content = json.loads(Path(path).read_text("utf-8"))
            if wrong := set(content) ^ {f.name for f in fields(cls) if f.name != "modules"}:
                raise ValueError(f"too many fields or too few: {', '.join(sorted(wrong))}")
            content["settings"] = Settings(**content["settings"])
            content["history"] = [Record(**record) for record in content["history"]]
            if content["test_error_interval"] is not None:
                content["test_error_interval"] = tuple(content["test_error_interval"])
            return _plausible(cls(**content))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} does not hold a RunResult: {error}") from error


def _plausible(result: RunResult) -> RunResult:
    """The result, if its numbers can be those of a run; else ValueError or TypeError."""
    check_number("seconds", result.seconds)
    if result.test_error is not None:
        check_number("test_error", result.test_error, at_most=1)
    if not result.history:
        raise ValueError("history must hold at least one record; got none")
    matrix = result.confusion_matrix or []
    if any(len(row) != len(matrix) for row in matrix):
        raise ValueError("confusion_matrix must have as many columns as rows")
    return result


def _player(modules: list[nn.Module], objective: Any, learning_rate: float, settings: Settings) -> Player:
    trainable = [p for module in modules for p in module.parameters() if p.requires_grad]
    betas = settings.beta1, settings.beta2
    adam = torch.optim.Adam(trainable, learning_rate, betas, settings.epsilon, settings.weight_decay, fused=True)
    return Player(objective, adam, learning_rate)


def _in_precision(objective: Objective, device: torch.device, precision: str) -> Objective:
    """The objective with its matrix products in bfloat16 (torch's autocast); weights and losses stay in float32."""
    if precision == "float32":
        return objective

    def in_bfloat16(modules: nn.ModuleDict, batch: Any) -> Any:
        with torch.autocast(device.type, torch.bfloat16):
            return objective(modules, batch)

    return in_bfloat16


def prepare(settings: Settings, images: torch.Tensor, n_classes: int) -> TrainingState:
    """Build networks, players and the average of weights.

    `images`, float in [-1, 1], are for the data-dependent initialisation, and their shape, less the first dimension, is
    the networks'. Raises ValueError where the network cannot take them, or lacks what the method needs.
    """
    method: Method = METHODS[settings.method]
    networks = models.build(settings.network, tuple(images.shape[1:]), n_classes if method.classifies else 1)
    modules = method.modules(networks).to(images.device)
    if settings.precision == "mixed":
        models.squash_in_float32(modules)
    if not method.encoder:
        models.initialise_from_data(modules["discriminator"], images[:500])
    weights = Weights(
        adversarial=settings.adversarial_weight,
        feature_norm=settings.feature_norm,
        conditional_entropy=settings.entropy_weight,
        pull_away=settings.pull_away_weight,
        pseudo_label=settings.pseudo_label_weight,
        consistency=settings.consistency_weight,
        confidence=settings.confidence,
        asked_class=settings.class_weight,
        fake_class=settings.fake_class_weight,
    )
    generating = ("generator", "encoder")
    sides = {"discriminator": [module for name, module in modules.items() if name not in generating]}
    sides["generator"] = [module for name, module in modules.items() if name in generating]
    rates = {"discriminator": settings.learning_rate}
    rates["generator"] = settings.learning_rate * settings.generator_rate
    players = {
        name: _player(sides[name], _in_precision(objective, images.device, settings.precision), rates[name], settings)
        for name, objective in method.objectives(weights, settings.reuse).items()
    }
    return TrainingState(modules, players, average_of(modules, settings.average_decay))


def _load(settings: Settings, device: torch.device) -> data.SemiSupervisedData:
    size = 32 if settings.network == "upsample" and settings.dataset not in data.POINTS else None
    return data.load(settings.dataset, settings.n_labels, settings.split_seed, image_size=size).to(device)


@contextmanager
def _same_every_time(settings: Settings) -> Iterator[None]:
    """What the same result to the last bit needs: seed, number of threads, cuDNN's reproducible algorithms."""
    reproducible = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
    with threads(settings.threads), seeded(settings.seed), reproducible:
        yield


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
        seed: for weights, batches and noise.
        split_seed: which images are labelled; `seed` where it is not given.
        device: "auto", "cpu", "cuda" or "mps".
        progress: show a bar with the numbers that one wants to watch.
        record_every: steps between records; by default a twentieth of the run.
        observe: called with each record and the averaged networks.
        checkpoint: file to save to at each record, and to resume from if it is there. A resumed run ends with the same
            weights and the same result as one that was never interrupted.
        overrides: any other field of `Settings`, for example `network="cnn"` or `steps=500`.

    Returns:
        what was found, with the averaged networks in `modules`; errors are fractions in [0, 1].

    Raises:
        ValueError, TypeError: for a bad argument, before anything is trained.
        DivergenceError: where training diverges.
    """
    split = seed if split_seed is None else split_seed
    settings = Settings.resolve(method, dataset, preset, n_labels=n_labels, seed=seed, split_seed=split, **overrides)
    default = max(1, settings.steps // 20)
    every = check_whole_number("record_every", default if record_every is None else record_every, at_least=1)
    place = choose_device(device)
    asked = asdict(settings) | {"device": place.type}
    with _same_every_time(settings), _progress(settings, progress) as bar:
        parts = _load(settings, place)
        state = prepare(settings, data.as_images(parts.pool[:500]), parts.n_classes)
        if checkpoint is not None and Path(checkpoint).exists():
            load_checkpoint(state, Path(checkpoint), asked)
        batches = _batches(settings, parts)
        validate = _validate(settings, parts)
        for record in train(state, batches.at, settings.steps, settings.hold, every, validate, settings.last_rate):
            bar.update(record.step - bar.n)
            bar.set_postfix({name: f"{value:.3g}" for name, value in (record.terms | record.scores).items()})
            if observe is not None:
                with forked_random():  # what an observer draws does not change the run
                    observe(record, state.averaged)
            if checkpoint is not None:  # last: what is saved has been observed, so a resumed run skips no record
                save_checkpoint(state, Path(checkpoint), asked)
        return _result(settings, state, parts, place)


def _batches(settings: Settings, parts: data.SemiSupervisedData) -> data.Batches:
    method, mixed = METHODS[settings.method], settings.label_mask
    pool = settings.batch_size if method.unlabelled or mixed else 0
    again = method.generator_terms is not None and not settings.reuse
    return data.Batches(
        parts, pool, settings.labelled_batch_size, settings.seed, settings.shift, mixed, method.strong_view, again
    )


def _validate(settings: Settings, parts: data.SemiSupervisedData) -> Callable[[nn.ModuleDict], dict[str, float]] | None:
    if not METHODS[settings.method].classifies or not len(parts.validation.labels):
        return None
    return lambda modules: {"validation_error": evaluation.error_rate(modules["discriminator"], *parts.validation)}


def _result(
    settings: Settings, state: TrainingState, parts: data.SemiSupervisedData, device: torch.device
) -> RunResult:
    """Read the test set, once."""
    if METHODS[settings.method].encoder:
        generator = cast(models.Generator, state.averaged["generator"])
        evaluation.settle(state.averaged["encoder"], data.as_images(parts.pool[:_SETTLING]))
        evaluation.settle(generator, generator.latent(_SETTLING))
    error = interval = confusion = None
    if METHODS[settings.method].classifies:
        labels = parts.test.labels
        predictions = evaluation.predict(state.averaged["discriminator"], parts.test.images)
        wrong = int((predictions != labels).sum())
        error, interval = wrong / len(labels), evaluation.wilson_interval(wrong, len(labels))
        confusion = evaluation.confusion_matrix(predictions, labels, parts.n_classes).tolist()
    versions = {"python": platform.python_version(), "sgan_lib": version("sgan-course")}
    versions |= {name: version(name) for name in ("torch", "torchvision")}
    return RunResult(
        settings, error, interval, confusion, state.history, state.seconds, str(device), versions, state.averaged
    )


def repeat(n_seeds: int, first_seed: int = 0, **arguments: Any) -> list[RunResult]:
    """`run` for several seeds, each with its own split; networks are dropped to save memory."""
    seeds = range(first_seed, first_seed + check_whole_number("n_seeds", n_seeds, at_least=1))
    return [replace(run(seed=seed, **arguments), modules=None) for seed in seeds]


def environment_report() -> list[str]:
    """What this machine brings, a line a check: each says "fine", or what to do."""
    lines = [_line("Python", sys.version_info >= (3, 11), platform.python_version(), "install Python 3.11 or later")]
    lines.append(_line("torch", True, f"{torch.__version__} on {choose_device().type}, {os.cpu_count()} CPU cores", ""))
    try:
        images = len(data.load("mnist", n_labels=100).test.images)
        lines.append(
            _line("data", images == 10_000, "MNIST came with the library and is whole", "reinstall the library")
        )
    except data.DataError as error:
        lines.append(_line("data", False, "", str(error)))
    return lines


def _line(name: str, fine: bool, found: str, advice: str) -> str:
    return f"{name:<8} {'fine: ' + found if fine else 'NOT fine: ' + advice}"
