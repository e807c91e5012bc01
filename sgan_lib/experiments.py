"""One experiment: `run`, or its three doors one by one, `prepare`, `train`, `finish`, in the context `reproducible`."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from sgan_lib import evaluation, models, runtime, training
from sgan_lib.baselines import BASELINES, fit_baseline, predict_baseline
from sgan_lib.checkpoints import load_checkpoint, save_checkpoint
from sgan_lib.data import DATASETS, POINTS, SHAPES, Batches, SemiSupervisedData, as_images, load
from sgan_lib.methods import METHODS, judge_pairs, pairs
from sgan_lib.networks import OWN, check_shape, default_network, row_of
from sgan_lib.results import RunResult, found_on_test
from sgan_lib.saved import checksum
from sgan_lib.settings import PRESETS, Settings
from sgan_lib.training import Player, Record, TrainingState, average_of


def resolve(
    method: str, dataset: str, preset: str = "quick", network: str | nn.Module | models.Networks | None = None,
    data: SemiSupervisedData | None = None, **given: Any,
) -> Settings:  # fmt: skip
    """What is given, then the network's recipe for the preset, then the defaults. Bad arguments are refused by name.

    `dataset` is a name or a folder, or the name of `data`, where there are some.
    """
    runtime.check_choice("method", method, (*METHODS, *BASELINES))
    given = {name: value for name, value in given.items() if name != "n_labels" or value is not None}
    if data is None and dataset not in DATASETS:
        data = _read_folder(dataset, method, network, None)
    elif data is not None and data.name not in (dataset, str(runtime.check_path("dataset", dataset).resolve())):
        raise ValueError(f"dataset must be {data.name!r}, the name of the data that are given; got {dataset!r}")
    dataset = dataset if data is None else data.name
    runtime.check_choice("preset", preset, PRESETS)
    known = [each.name for each in fields(Settings)]
    if unknown := [name for name in given if name not in known]:
        raise ValueError(f"run has no argument {unknown[0]!r}; the settings it takes are {', '.join(known)}")
    values = {"n_labels": len(data.labelled_in_pool.unique()) if data else 100, "seed": 0}
    values["split_seed"] = data.split_seed if data else given.get("seed", 0)
    named = {"method": method, "dataset": dataset, "preset": preset}
    if method in BASELINES:
        settled = Settings(**named | {n: given.get(n, value) for n, value in values.items()}, network="none", steps=1)
        if unused := [n for n, v in (given | {"network": network}).items() if v not in (None, getattr(settled, n))]:
            raise ValueError(f"{', '.join(unused)} must be left out for {method!r}, which trains no network")
        return settled
    shape = data.image_shape if data else SHAPES[dataset]
    name, row = row_of(default_network(dataset, preset, METHODS[method].encoder, shape) if network is None else network)
    METHODS[method].check_fits(name, row.generator, row.encoder)
    check_shape(name, row, shape)
    if METHODS[method].strong_view and (len(shape) == 1 or shape[0] not in (1, 3)):
        raise ValueError(f"method {method!r} needs images of 1 or 3 channels; those of {dataset!r} have shape {shape}")
    settings = Settings(**named | {"network": name} | values | row.settings(preset) | given)
    runtime.check_whole_number("shift", settings.shift, 0, (row.image_size or shape[-1]) if len(shape) == 3 else 0)
    return settings


@dataclass(frozen=True)
class Run:
    """A run that has been prepared: what it trains, and on what."""

    settings: Settings
    data: SemiSupervisedData
    state: TrainingState
    batches: Batches


def _read_folder(path: str, method: str, network: Any, n_labels: int | None, split_seed: int = 0) -> SemiSupervisedData:
    """A folder of images, in the size that the network wants."""
    size = row_of(network)[1].image_size if network is not None and method in METHODS else None
    return load(path, n_labels, split_seed, image_size=size)


@contextmanager
def reproducible(settings: Settings) -> Iterator[None]:
    """What the same result to the last bit needs, restored afterwards: seed, threads, arithmetic, cuDNN's algorithms.

    Random numbers and threads belong to the whole process, so that runs in several threads take turns here. Raises
    RuntimeError inside an autocast of the caller's, without gradients, and with another default device than the CPU.
    """
    half = torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda")
    if half or not torch.is_grad_enabled() or torch.get_default_device().type != "cpu":
        raise RuntimeError("a run must not start inside torch.autocast, no_grad, inference_mode or torch.device")
    same = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with runtime.seeded(settings.seed), runtime.plain_arithmetic(), runtime.threads(settings.threads), same:
        yield


def prepare(
    settings: Settings, data: SemiSupervisedData | None = None, device: torch.device | str = "cpu",
    network: str | nn.Module | models.Networks | None = None, start: nn.ModuleDict | None = None,
) -> Run:  # fmt: skip
    """Build networks, players, the average of weights and the batches; the first door.

    `data` and `network` are by default those that the settings name; own networks are copied. `start` has weights to
    start from. Raises ValueError or TypeError where networks cannot take the images, or lack what the method needs.
    """
    name, row = row_of(settings.network if network is None else network)
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
    if start is not None:
        try:
            modules.load_state_dict(start.state_dict())
        except (AttributeError, RuntimeError) as error:
            raise ValueError(f"start must hold networks like those of this run; {error}") from error
    elif not method.encoder:
        models.initialise_from_data(modules["discriminator"], images)
    players, average = _players(modules, settings), average_of(modules, settings.average_decay)
    halves = partial(torch.autocast, images.device.type, torch.bfloat16)
    autocast = nullcontext if settings.precision == "float32" else halves
    state = TrainingState(modules, players, average, lambda nets, batch: method.play(nets, batch, settings), autocast)
    pool = settings.batch_size if method.unlabelled or settings.label_mask else 0
    draws = settings.seed, settings.shift, settings.label_mask, method.strong_view
    again = method.generator and not settings.reuse
    return Run(settings, parts, state, Batches(parts, pool, settings.labelled_batch_size, *draws, again))


@torch.no_grad()
def _check_outputs(networks: models.Networks, images: Tensor, n_classes: int) -> int:
    """The width of the discriminator's features (0: it judges pairs), once two images have shown that shapes fit."""
    shape = list(images.shape[1:])
    if networks.generator is not None:
        with runtime.forked_random(), evaluation.evaluating(networks.generator, "the generator of network", "latents"):
            made = list(networks.generator.sample(2).shape[1:])
        if made != shape:
            raise ValueError(f"the generator must make images of shape {shape}; it made {made}")
    if networks.encoder is not None:
        nets = nn.ModuleDict(networks._asdict())
        with runtime.forked_random(), evaluation.evaluating(nets, "network", f"pairs with images of shape {shape}"):
            judge_pairs(nets, *pairs(nets, images))
        return 0
    with evaluation.evaluating(networks.discriminator, "the discriminator of network", f"images of shape {shape}"):
        output = networks.discriminator(images)
    parts = output if isinstance(output, tuple) else (output,)
    shapes = [list(part.shape) if isinstance(part, Tensor) else type(part).__name__ for part in parts]
    if len(shapes) != 2 or shapes[0] != [2, n_classes] or len(shapes[1]) != 2:
        raise ValueError(f"the discriminator must return ([2, {n_classes}], [2, F]) for 2 images; it returned {shapes}")
    if not all(part.isfinite().all() for part in parts):
        raise ValueError("the discriminator must return finite numbers; NaN or infinity may stand in its weights")
    return int(shapes[1][1])


def _players(modules: nn.ModuleDict, settings: Settings) -> dict[str, Player]:
    """The discriminator with its head and, where there is one, the generator with its encoder, in order of play."""
    sides = {"discriminator": ("real_head", 1.0), "generator": ("encoder", settings.generator_rate)}
    return {side: player([modules[name] for name in (side, beside) if name in modules], settings.learning_rate * factor,
                         settings) for side, (beside, factor) in sides.items() if side in modules}  # fmt: skip


def player(modules: list[nn.Module], learning_rate: float, settings: Settings) -> Player:
    """A player that moves these networks with Adam, set as the settings say."""
    weights = [p for module in modules for p in module.parameters() if p.requires_grad]
    if not weights:
        raise ValueError("network must have weights to train in each part; all weights of one are frozen")
    betas = settings.beta1, settings.beta2
    adam = torch.optim.Adam(weights, learning_rate, betas, settings.epsilon, settings.weight_decay, fused=True)
    return Player(adam, learning_rate)


def train(run: Run, record_every: int | None = None) -> Iterator[Record]:
    """Train to the end; a record every `record_every` steps, by default steps / 20, rounded up. The second door."""
    settings, held_out = run.settings, run.data.validation
    every = -(-settings.steps // 20) if record_every is None else record_every
    scored = METHODS[settings.method].classifies and len(held_out.labels)
    score = (lambda n: {"validation_error": evaluation.error_rate(n["discriminator"], *held_out)}) if scored else None
    return training.train(run.state, run.batches.at, settings.steps, every, score, settings.hold, settings.last_rate)


def finish(run: Run) -> RunResult:
    """Read the test set, once, with averaged weights; the third door."""
    averaged, parts, state, method = run.state.averaged, run.data, run.state, METHODS[run.settings.method]
    if method.encoder:  # batch norm takes its last statistics from 10,000 images and latents
        generator = cast(models.Generator, averaged["generator"])
        evaluation.settle(averaged["encoder"], as_images(parts.pool[:10_000]))
        evaluation.settle(generator, generator.latent(10_000))
    predict = partial(evaluation.predict, averaged["discriminator"]) if method.classifies else None
    return found_on_test(run.settings, parts, predict, state.history, averaged)


def run(
    method: str = "feature_matching", dataset: str | None = None, n_labels: int | None = None, seed: int = 0,
    preset: str = "quick", split_seed: int | None = None, device: str = "auto", progress: bool = False,
    record_every: int | None = None, observe: Callable[[Record, nn.ModuleDict], None] | None = None,
    checkpoint: str | Path | None = None, network: str | nn.Module | models.Networks | None = None,
    data: SemiSupervisedData | None = None, start: nn.ModuleDict | None = None, **overrides: Any,
) -> RunResult:  # fmt: skip
    """Train one method on one split and measure its test error once, at the end, with averaged weights.

    Args:
        method, dataset, preset: names; see `METHODS`, `baselines.BASELINES`, `data.DATASETS`, `PRESETS`. A data set, by
            default "mnist", may be a folder of images too, for which see `data.from_folder`.
        n_labels: labelled images, balanced over the classes to within one; by default 100, or all that a folder has.
        seed, split_seed: of weights, batches and noise; of which images are labelled, by default the same.
        device: "auto", "cpu", "cuda" or "mps".
        progress: show a bar with the numbers that one wants to watch.
        record_every: steps between records; by default a twentieth of all steps, rounded up.
        observe: called with each record and the averaged networks.
        checkpoint: file to save to at each record, and to resume from, to the last bit, if it is there.
        network: a name, by default the data set's, or your module or `models.Networks`: copied, weight norm set anew.
        data: data of your own, from `data.from_arrays` and its like, instead of dataset, n_labels and split_seed.
        start: networks of an earlier result, or trained ones of your own, to go on from; optimisers start afresh.
        overrides: any other field of `Settings`, for example `steps=500`; baselines take none.

    Returns what was found, with the averaged networks in `modules`; errors are fractions in [0, 1]. Raises ValueError
    or TypeError for a bad argument, before anything is trained; DivergenceError where training diverges.
    """
    if not isinstance(data, SemiSupervisedData | None):
        raise TypeError(f"data must be SemiSupervisedData, as data.from_arrays makes them; got {type(data).__name__}")
    if data is not None and (taken := (dataset, n_labels, split_seed)) != (None, None, None):
        raise ValueError(f"dataset, n_labels and split_seed must be None where data are given; got {taken}")
    if not (observe is None or callable(observe)):
        raise TypeError(f"observe must be a function of a record and networks; got {observe!r}")
    split = seed if split_seed is None else split_seed
    dataset = data.name if data else dataset or "mnist"
    if data is None and dataset not in DATASETS:
        data = _read_folder(dataset, method, network, n_labels, split)
    given = {"n_labels": n_labels, "seed": seed, "split_seed": data.split_seed if data else split}
    settings = resolve(method, dataset, preset, network, data, **given | overrides)
    chosen = runtime.choose_device(device)
    if method in BASELINES:
        if (checkpoint, observe, record_every, start) != (None,) * 4:
            raise ValueError(f"checkpoint, observe, record_every and start must be left out for {method!r}")
        data, started = data or load(settings.dataset, settings.n_labels, settings.split_seed), time.perf_counter()
        baseline = fit_baseline(settings.method, data)
        history = [Record(1, time.perf_counter() - started, {}, 0.0)]
        return found_on_test(settings, data, partial(predict_baseline, baseline), history, None)
    file = None if checkpoint is None else runtime.check_writable("checkpoint", checkpoint)
    name = f"{method}, {settings.dataset}, {settings.n_labels} labels, seed {seed}"
    with reproducible(settings), tqdm(total=settings.steps, desc=name, unit="step", disable=not progress) as bar:
        asked = asdict(settings) | {"device": chosen.type, "cpu_threads": torch.get_num_threads()}
        prepared = prepare(settings, data, chosen, network, start)
        if file is not None:
            asked |= {"data": prepared.data.digest(), "start": start and checksum("", start.state_dict())[:10]}
            asked["networks"] = checksum(repr(prepared.state.modules), {})[:10] if settings.network == OWN else None
            if file.exists():
                load_checkpoint(prepared.state, file, asked)
        for record in train(prepared, record_every):
            bar.update(record.step - bar.n)
            bar.set_postfix({name: f"{value:.3g}" for name, value in (record.terms | record.scores).items()})
            if observe is not None:
                with runtime.forked_random():  # what an observer draws does not change the run
                    observe(record, prepared.state.averaged)
            if file is not None:  # last: what is saved has been observed, so a resumed run skips no record
                save_checkpoint(prepared.state, file, asked)
        return finish(prepared)


def repeat(n_seeds: int, first_seed: int = 0, **arguments: Any) -> list[RunResult]:
    """`run` for several seeds, each with its own split unless that is given; networks are dropped to save memory."""
    if taken := {"checkpoint", "seed"} & {*arguments}:
        raise ValueError(f"{min(taken)} must be left out, as it is of one run; got {arguments[min(taken)]}")
    seeds = range(first_seed, first_seed + runtime.check_whole_number("n_seeds", n_seeds, at_least=1))
    return [replace(run(seed=seed, **arguments), modules=None) for seed in seeds]
