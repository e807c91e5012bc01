"""One experiment: `run`, or its three doors one by one, `prepare`, `train`, `finish`, in the context `reproducible`."""

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from sgan_lib import evaluation, models, training
from sgan_lib.checkpoints import load_checkpoint, save_checkpoint
from sgan_lib.data import DATASETS, POINTS, Batches, SemiSupervisedData, as_images, load
from sgan_lib.methods import METHODS
from sgan_lib.networks import check_shape, default_network, row_of
from sgan_lib.results import RunResult
from sgan_lib.runtime import check_choice, check_whole_number, choose_device, forked_random, seeded, threads
from sgan_lib.settings import PRESETS, Settings
from sgan_lib.training import Player, Record, TrainingState, average_of

__all__ = ["METHODS", "PRESETS", "Run", "RunResult", "Settings", "finish", "prepare", "repeat", "reproducible",
           "resolve", "run", "train"]  # fmt: skip


def resolve(
    method: str, dataset: str, preset: str = "quick", network: str | models.Networks | None = None, **given: Any
) -> Settings:
    """What is given, then the network's recipe for the preset, then the defaults. Bad arguments are refused by name."""
    check_choice("method", method, METHODS)
    check_choice("dataset", dataset, DATASETS)
    check_choice("preset", preset, PRESETS)
    known = [each.name for each in fields(Settings)]
    if unknown := [name for name in given if name not in known]:
        raise ValueError(f"run has no argument {unknown[0]!r}; the settings it takes are {', '.join(known)}")
    name, row = row_of(network or default_network(dataset, preset, METHODS[method].encoder))
    METHODS[method].check_fits(name, row.generator, row.encoder)
    if METHODS[method].strong_view and dataset in POINTS:
        raise ValueError(f"method {method!r} needs images that it can augment; {dataset!r} holds points")
    values = {"n_labels": 100, "seed": 0, "split_seed": given.get("seed", 0)} | row.settings(preset) | given
    return Settings(method=method, dataset=dataset, preset=preset, network=name, **values)


@dataclass(frozen=True)
class Run:
    """A run that has been prepared: what it trains, and on what."""

    settings: Settings
    data: SemiSupervisedData
    state: TrainingState
    batches: Batches


@contextmanager
def reproducible(settings: Settings) -> Iterator[None]:
    """What the same result to the last bit needs: seed, number of threads, cuDNN's reproducible algorithms."""
    same_algorithms = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
    with threads(settings.threads), seeded(settings.seed), same_algorithms:
        yield


def prepare(
    settings: Settings,
    data: SemiSupervisedData | None = None,
    device: torch.device | str = "cpu",
    network: str | models.Networks | None = None,
) -> Run:
    """Build networks, players, the average of weights and the batches; the first door.

    `data` is what to train on; by default the split that the settings name, and likewise `network`: own networks are
    copied. Raises ValueError or TypeError where they cannot take the images, or lack what the method needs.
    """
    name, row = row_of(network or settings.network)
    size = None if settings.dataset in POINTS else row.image_size
    parts = (data or load(settings.dataset, settings.n_labels, settings.split_seed, image_size=size)).to(device)
    method, images = METHODS[settings.method], as_images(parts.pool[:500])
    method.check_fits(name, row.generator, row.encoder)
    check_shape(name, row, parts.image_shape)
    n_classes = parts.n_classes if method.classifies else 1
    networks = row.build(parts.image_shape, n_classes)
    nn.ModuleList(network for network in networks if network is not None).to(device)
    modules = method.modules(networks, n_classes, _check_outputs(networks, images[:2], n_classes)).to(device)
    if settings.precision == "mixed":
        models.squash_in_float32(modules)
    if not method.encoder:
        models.initialise_from_data(modules["discriminator"], images)
    players, average = _players(modules, settings), average_of(modules, settings.average_decay)
    halves = partial(torch.autocast, images.device.type, torch.bfloat16)
    autocast = nullcontext if settings.precision == "float32" else halves
    state = TrainingState(modules, players, average, lambda nets, batch: method.play(nets, batch, settings), autocast)
    return Run(settings, parts, state, _batches(settings, parts))


@torch.no_grad()
def _check_outputs(networks: models.Networks, images: Tensor, n_classes: int) -> int:
    """The width of the discriminator's features (0: it judges pairs), once two images have shown that shapes fit."""
    if networks.generator is not None:
        with forked_random(), evaluation.evaluating(networks.generator):
            made = list(networks.generator.sample(2).shape[1:])
        if made != list(images.shape[1:]):
            raise ValueError(f"the generator must make images of shape {list(images.shape[1:])}; it made {made}")
    if networks.encoder is not None:
        return 0
    with evaluation.evaluating(networks.discriminator):
        output = networks.discriminator(images)
    parts = output if isinstance(output, tuple) else (output,)
    shapes = [list(part.shape) if isinstance(part, Tensor) else type(part).__name__ for part in parts]
    if len(shapes) != 2 or shapes[0] != [2, n_classes] or len(shapes[1]) != 2:
        raise ValueError(f"the discriminator must return ([2, {n_classes}], [2, F]) for 2 images; it returned {shapes}")
    return int(shapes[1][1])


def _players(modules: nn.ModuleDict, settings: Settings) -> dict[str, Player]:
    """The discriminator with its head and, where there is one, the generator with its encoder, in order of play."""
    judging = [modules[name] for name in ("discriminator", "real_head") if name in modules]
    generating = [modules[name] for name in ("generator", "encoder") if name in modules]
    players = {"discriminator": player(judging, settings.learning_rate, settings)}
    if generating:
        players["generator"] = player(generating, settings.learning_rate * settings.generator_rate, settings)
    return players


def player(modules: list[nn.Module], learning_rate: float, settings: Settings) -> Player:
    """A player that moves these networks with Adam, set as the settings say."""
    weights = [p for module in modules for p in module.parameters() if p.requires_grad]
    betas = settings.beta1, settings.beta2
    adam = torch.optim.Adam(weights, learning_rate, betas, settings.epsilon, settings.weight_decay, fused=True)
    return Player(adam, learning_rate)


def _batches(settings: Settings, parts: SemiSupervisedData) -> Batches:
    method, mixed = METHODS[settings.method], settings.label_mask
    pool = settings.batch_size if method.unlabelled or mixed else 0
    again = method.generator and not settings.reuse
    sizes = pool, settings.labelled_batch_size
    return Batches(parts, *sizes, settings.seed, settings.shift, mixed, method.strong_view, again)


def train(run: Run, record_every: int | None = None) -> Iterator[Record]:
    """Train to the end; a record every `record_every` steps, by default a twentieth of the run. The second door."""

    def validate(modules: nn.ModuleDict) -> dict[str, float]:
        return {"validation_error": evaluation.error_rate(modules["discriminator"], *run.data.validation)}

    settings = run.settings
    every = max(1, settings.steps // 20) if record_every is None else record_every
    evaluate = validate if METHODS[settings.method].classifies and len(run.data.validation.labels) else None
    return training.train(run.state, run.batches.at, settings.steps, settings.hold, every, evaluate, settings.last_rate)


def finish(run: Run) -> RunResult:
    """Read the test set, once, with averaged weights; the third door."""
    averaged, parts, state, method = run.state.averaged, run.data, run.state, METHODS[run.settings.method]
    if method.encoder:  # batch norm takes its last statistics from 10,000 images and latents
        generator = cast(models.Generator, averaged["generator"])
        evaluation.settle(averaged["encoder"], as_images(parts.pool[:10_000]))
        evaluation.settle(generator, generator.latent(10_000))
    error = interval = confusion = None
    if method.classifies:
        labels = parts.test.labels
        predictions = evaluation.predict(averaged["discriminator"], parts.test.images)
        wrong = int((predictions != labels).sum())
        error, interval = wrong / len(labels), evaluation.wilson_interval(wrong, len(labels))
        confusion = evaluation.confusion_matrix(predictions, labels, parts.n_classes).tolist()
    versions = {"python": platform.python_version(), "sgan_lib": version("sgan-course")}
    versions |= {name: version(name) for name in ("torch", "torchvision")}
    device = str(parts.pool.device)
    return RunResult(run.settings, error, interval, confusion, state.history, state.seconds, device, versions, averaged)


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
    observe: Callable[[Record, nn.ModuleDict], None] | None = None,
    checkpoint: str | Path | None = None,
    network: str | models.Networks | None = None,
    **overrides: Any,
) -> RunResult:
    """Train one method on one split and measure its test error once, at the end, with averaged weights.

    Args:
        method, dataset, preset: names; see `METHODS`, `data.DATASETS`, `PRESETS`.
        n_labels: labelled images, balanced over the classes to within one.
        seed, split_seed: of weights, batches and noise; of which images are labelled, by default the same.
        device: "auto", "cpu", "cuda" or "mps".
        progress: show a bar with the numbers that one wants to watch.
        record_every: steps between records; by default a twentieth of the run.
        observe: called with each record and the averaged networks.
        checkpoint: file to save to at each record, and to resume from, to the last bit, if it is there.
        network: a name, by default the data set's, or `models.Networks` of your own, of which copies are trained.
        overrides: any other field of `Settings`, for example `steps=500`.

    Returns what was found, with the averaged networks in `modules`; errors are fractions in [0, 1]. Raises ValueError
    or TypeError for a bad argument, before anything is trained; DivergenceError where training diverges.
    """
    split = seed if split_seed is None else split_seed
    settings = resolve(method, dataset, preset, network, n_labels=n_labels, seed=seed, split_seed=split, **overrides)
    chosen = choose_device(device)
    asked = asdict(settings) | {"device": chosen.type}
    name = f"{method}, {dataset}, {n_labels} labels, seed {seed}"
    with reproducible(settings), tqdm(total=settings.steps, desc=name, unit="step", disable=not progress) as bar:
        prepared = prepare(settings, None, chosen, network)
        if checkpoint is not None and Path(checkpoint).exists():
            load_checkpoint(prepared.state, Path(checkpoint), asked)
        for record in train(prepared, record_every):
            bar.update(record.step - bar.n)
            bar.set_postfix({name: f"{value:.3g}" for name, value in (record.terms | record.scores).items()})
            if observe is not None:
                with forked_random():  # what an observer draws does not change the run
                    observe(record, prepared.state.averaged)
            if checkpoint is not None:  # last: what is saved has been observed, so a resumed run skips no record
                save_checkpoint(prepared.state, Path(checkpoint), asked)
        return finish(prepared)


def repeat(n_seeds: int, first_seed: int = 0, **arguments: Any) -> list[RunResult]:
    """`run` for several seeds, each with its own split; networks are dropped to save memory."""
    seeds = range(first_seed, first_seed + check_whole_number("n_seeds", n_seeds, at_least=1))
    return [replace(run(seed=seed, **arguments), modules=None) for seed in seeds]
