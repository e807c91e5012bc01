"""What the scripts of this folder share: tables of runs, what their CSVs lack, pictures drawn from them.

A table is a CSV in figures/. A script says which runs it is to hold, and those that it lacks are run: plain ones by the
sweep, which keeps each result in runs/figures, the others as tasks, whose rows are added as soon as they are there. So
a stop loses only what was under way. To measure a table or to draw a picture anew, delete its file.
"""

import argparse
import os
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import as_completed
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

import dask
import pandas as pd
import torch
from distributed import Client
from matplotlib.figure import Figure
from torch import Tensor, nn
from tqdm.auto import tqdm

from sgan_lib import evaluation, models, sweep
from sgan_lib.course import plotting
from sgan_lib.runtime import write_whole
from sgan_lib.saved import write_file
from sgan_lib.settings import Settings

FIGURES = Path(__file__).resolve().parents[1]
RUNS = FIGURES.parent / "runs" / "figures"  # results of the sweep, and checkpoints of long runs
ASSETS = Path(str(models.ASSETS))
FOUND = "split_seed steps validation_error test_error seconds device torch"  # the last columns of several tables
TIMED = "split_seed device torch step validation_error test_error cpu_seconds"  # of others

# Dask's workers give memory back whenever 64 kB are free: a training step then takes almost twice as long.
KEEP_MEMORY = {f"distributed.nanny.pre-spawn-environ.MALLOC_{name}_THRESHOLD_": 2**25 for name in ("TRIM", "MMAP")}

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A CSV of figures/: its runs, its columns, how rows are measured, and the picture of the same name.

    Columns are separated by blanks. Those that are settings tell the runs apart, and the table is sorted by them, the
    data set first. `measure` makes rows from a run's settings; without it there is one row, from the sweep's result,
    where `step` is the last step, and `cpu_seconds` the seconds of training, of one thread.
    """

    runs: Callable[[], Iterable[Any]]  # as from `sweep.grid`
    columns: str
    measure: Callable[[Any], list[Row]] | None = None
    draw: Callable[[pd.DataFrame], Figure] | None = None
    decimals: Mapping[str, int] = field(default_factory=lambda: {"seconds": 1, "cpu_seconds": 1})  # of a sweep's rows

    def key(self, run: Any) -> Row:
        """What tells a run from the others."""
        settings = getattr(run, "settings", run)
        names = sorted(self.columns.split(), key=lambda name: name != "dataset")
        return {name: getattr(settings, name) for name in names if hasattr(settings, name)}

    def rows(self, runs: list[Any], workers: int) -> Generator[list[Row], None, None]:
        """The rows of these runs as they end, `workers` at a time."""
        if self.measure is None:
            results = sweep.run(runs, RUNS, workers)
            results = results.assign(step=results["steps"], cpu_seconds=results["seconds"])
            yield cast(list[Row], results.round(dict(self.decimals)).to_dict("records"))
            return
        one_thread_each = {"n_workers": min(workers, len(runs)), "threads_per_worker": 1, "processes": True}
        with dask.config.set(KEEP_MEMORY), Client(**one_thread_each, dashboard_address="127.0.0.1:0") as client:
            submit = client.get_executor(pure=False).submit
            tasks = {submit(_on_one_thread, self.measure, getattr(run, "settings", run)): self.key(run) for run in runs}
            for task in tqdm(as_completed(tasks), total=len(tasks), unit="run"):
                yield [tasks[task] | row for row in task.result()]


def _on_one_thread(measure: Callable[[Any], list[Row]], settings: Any) -> list[Row]:
    torch.set_num_threads(1)
    return measure(settings)


class Once(NamedTuple):
    """What is made where its file is missing, and then stays as it is: a picture of a run, weights of a network."""

    path: Path
    make: Callable[[], None]


Figures = Mapping[str, Table | Once]


def read(name: str) -> pd.DataFrame:
    """A table as it is stored; one without rows where there is no file."""
    path = FIGURES / f"{name}.csv"
    return pd.read_csv(path) if path.exists() else pd.DataFrame()


def missing_runs(name: str, table: Table) -> list[Any]:
    """The runs that the CSV lacks. SystemExit where it holds others than the table is to hold."""
    wanted = {tuple(map(str, table.key(run).values())): run for run in table.runs()}
    names, stored = list(table.key(next(iter(wanted.values())))), read(name)
    done = {tuple(map(str, row.values())) for row in stored[names].to_dict("records")} if len(stored) else set()
    if stale := done - set(wanted):
        raise SystemExit(f"{name}.csv holds {len(stale)} other runs than are asked for now: delete them, or the file")
    return [run for key, run in wanted.items() if key not in done]


def update(name: str, table: Table, workers: int) -> None:
    """Run what the CSV lacks, and draw the picture where it is missing or its table has new rows."""
    missing = missing_runs(name, table)
    with closing(table.rows(missing, workers)) as found:  # a stop ends the cluster at once, not when it is collected
        for rows in found if missing else ():
            whole = pd.DataFrame([*read(name).to_dict("records"), *rows])[table.columns.split()]
            whole = whole.sort_values(list(table.key(missing[0])), kind="stable")
            write_whole(FIGURES / f"{name}.csv", whole.to_csv(index=False))
    picture = FIGURES / f"{name}.png"
    if table.draw and (missing or not picture.exists()):
        table.draw(read(name)).savefig(picture)


def main(description: str | None, figures: Figures) -> None:
    """The command line of a script: bring its figures up to date, all of them or those named, in their order."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("names", nargs="*", help=f"any of {', '.join(figures)}; default: all")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="runs at a time (%(default)s)")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(figures)):
        parser.error(f"no figure named {', '.join(unknown)}; there are {', '.join(figures)}")
    torch.set_num_threads(1)
    plotting.use_course_style()
    for name in [name for name in figures if name in options.names or not options.names]:
        figure = figures[name]
        if isinstance(figure, Table):
            update(name, figure, options.workers)
        elif not figure.path.exists():
            figure.make()


def sampled(generator: Any, n: int, classes: Tensor | None = None) -> Tensor:
    """n images, always of the same latents, and of `classes` where they are given."""
    latents = generator.latent(n, torch.Generator().manual_seed(0)).split(500)
    asked = [None] * len(latents) if classes is None else classes.split(500)
    return torch.cat([evaluation.generate(generator, *part) for part in zip(latents, asked, strict=True)])


def store_network(network: nn.Module, path: Path, settings: Settings, **notes: object) -> None:
    """Put a trained network among the library's assets, with notes on how it was trained."""
    made = {"trained by": f"figures/make/{Path(sys.argv[0]).name} {path.stem}", "settings": asdict(settings)}
    halves = {name: each.half() if each.is_floating_point() else each for name, each in network.state_dict().items()}
    write_file(path, "network", {**notes, **made, "torch": torch.__version__}, halves)
