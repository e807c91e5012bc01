"""The weights that every method ends with after 25 steps: `python tests/lib/golden.py` writes tests/lib/golden.json.

Each case is a method on a network that it can use, on 8×8 digits or on a slice of MNIST, in float32 or mixed precision,
with and without reuse, with and without a label mask, on one CPU thread. Stored are a hash of all weights and of their
averages, sixteen of them, and the terms of the last step. On the processor and torch version that made the file, hashes
must be equal; elsewhere products differ in their last digits, and the sampled weights are compared.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch

from sgan_lib import data, experiments
from sgan_lib.methods import METHODS
from sgan_lib.networks import NETWORKS

FILE = Path(__file__).with_suffix(".json")
STEPS, SAMPLED = 25, 16
WITHOUT_GENERATOR = ("supervised", "pseudo_label", "consistency")
ON_DIGITS = ("mlp_digits", "mlp_2d", "mlp", "dcgan", "cnn", "bigan_digits")
ON_MNIST = ("mlp", "mlp_published", "mlp_small", "dcgan", "upsample", "svhn", "svhn_small", "cnn", "bigan_mlp",
            "bigan_mlp_small")  # fmt: skip
CONVOLUTIONAL = ("dcgan", "cnn", "upsample", "svhn", "svhn_small")  # bfloat16 is emulated on many CPUs, at a crawl


class Case(NamedTuple):
    method: str
    network: str
    dataset: str
    precision: str
    reuse: bool
    label_mask: bool

    @property
    def name(self) -> str:
        return "-".join(map(str, self))


def cases() -> Iterator[Case]:
    """All of them; what a case cannot differ in is left out: reuse without a generator, a mask without labels."""
    networks = [(network, "digits") for network in ON_DIGITS] + [(network, "mnist") for network in ON_MNIST]
    for (network, dataset), method in product(networks, METHODS):
        has_generator = method not in WITHOUT_GENERATOR
        if (method == "bigan") != network.startswith("bigan") or (network == "cnn" and has_generator):
            continue
        reuse = (True, False) if has_generator else (True,)
        masks = (False, True) if method not in ("bigan", "gan", "consistency") else (False,)
        for precision, again, mask in product(("float32", "mixed"), reuse, masks):
            if _is_affordable(Case(method, network, dataset, precision, again, mask)):
                yield Case(method, network, dataset, precision, again, mask)


def _is_affordable(case: Case) -> bool:
    """Large convolutional networks and mixed precision on any convolutional one: the plain variant only."""
    plain = case.reuse and not case.label_mask
    if case.precision == "mixed" and case.network in CONVOLUTIONAL:
        return plain and (case.network != "upsample" or case.method == "two_head") and case.network != "svhn"
    return plain or case.network != "svhn"


@cache
def slice_of(dataset: str, image_size: int | None) -> data.SemiSupervisedData:
    """Twenty labels and a small pool, the labelled images at its head, so that a mask finds some."""
    whole = data.load(dataset, 20, split_seed=3, validation=0, image_size=image_size)
    order = torch.cat([whole.labelled_in_pool, torch.arange(200)]).unique()
    where = torch.searchsorted(order, whole.labelled_in_pool)
    return replace(whole, pool=whole.pool[order], labelled_in_pool=where)


def weights_after(case: Case) -> tuple[list[torch.Tensor], dict[str, float]]:
    """All weights and buffers after the last step, those in training and averaged ones, and the last step's terms."""
    few = (4, 4) if case.network.startswith("svhn") else (12, 8)
    settings = experiments.resolve(
        case.method, case.dataset, "quick", case.network, n_labels=20, seed=5, split_seed=3, steps=STEPS, threads=1,
        precision=case.precision, reuse=case.reuse, label_mask=case.label_mask, batch_size=few[0],
        labelled_batch_size=few[1])  # fmt: skip
    parts = slice_of(case.dataset, NETWORKS[case.network].image_size)
    with experiments.reproducible(settings):
        run = experiments.prepare(settings, parts)
        *_, last = experiments.train(run, record_every=1)
    every = {f"now.{name}": tensor for name, tensor in run.state.modules.state_dict().items()}
    every |= {f"averaged.{name}": tensor for name, tensor in run.state.averaged.state_dict().items()}
    return [every[name].detach() for name in sorted(every)], last.terms


def measure(case: Case) -> dict[str, Any]:
    """What is stored of a case."""
    tensors, terms = weights_after(case)
    digest = hashlib.sha256(b"".join(tensor.contiguous().numpy().tobytes() for tensor in tensors)).hexdigest()
    floats = torch.cat([tensor.flatten() for tensor in tensors if tensor.is_floating_point()])
    sampled = floats[torch.linspace(0, len(floats) - 1, SAMPLED, dtype=torch.float64).long()]
    rounded = {name: float(f"{value:.7g}") for name, value in terms.items()}
    return {"hash": digest[:16], "weights": [float(f"{value:.7g}") for value in sampled.tolist()], "terms": rounded}


def machine() -> str:
    """What the last digits depend on: torch's version and the processor's kind."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = ("model name", "cpu family", "model", "stepping")
    found = dict(reversed([tuple(part.strip() for part in line.split(":", 1)) for line in lines if ":" in line]))
    kind = " ".join(found.get(name, "?") for name in names)
    return f"torch {torch.__version__}, {kind}, {torch.backends.cpu.get_cpu_capability()}"


def main() -> None:
    """Measure all cases, two at a time, and write the file; with `--check`, compare with it instead."""
    with get_context("spawn").Pool(2) as pool:
        every = list(cases())
        found = dict(zip((case.name for case in every), pool.map(measure, every, chunksize=1), strict=True))
    if "--check" in sys.argv:
        stored = json.loads(FILE.read_text())["cases"]
        wrong = [name for name in {**stored, **found} if stored.get(name) != found.get(name)]
        sys.exit(f"{len(wrong)} of {len(stored)} cases differ: {', '.join(wrong[:20])}" if wrong else 0)
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in found.items())
    FILE.write_text(f'{{\n "machine": {json.dumps(machine())},\n "cases": {{\n{rows}\n }}\n}}\n')


if __name__ == "__main__":
    main()
