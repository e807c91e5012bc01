"""The command line of the sweep: python -m sgan_lib.sweep --help"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dask.system import CPU_COUNT
from tqdm import tqdm

from sgan_lib.experiments import BASELINES, METHODS, PRESETS
from sgan_lib.runtime import check_path, parse_settings, refusals_as_lines, run_command
from sgan_lib.sweep.folder import TABLE, summarise, write_csv
from sgan_lib.sweep.plan import grid
from sgan_lib.sweep.running import run, show_plan


def _command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sgan_lib.sweep",
        description="Run what is missing of methods × numbers of labels × seeds. Exit code 1: runs failed; 2: refused.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--dataset", default="digits", help="data set")
    add("--methods", nargs="+", default=["supervised", "sgan"], help=f"any of {', '.join((*METHODS, *BASELINES))}")
    add("--n-labels", nargs="+", type=int, default=[20, 50, 100], help="numbers of labelled images")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of training and split")
    add("--preset", default="quick", help=f"budget: {', '.join(PRESETS)}")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="for all runs, as shift=2; may be repeated")
    add("--device", default="auto", help="auto, cpu, cuda or mps")
    add("--out", type=Path, default=Path("runs/sweep"), help="folder of results")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, default=CPU_COUNT, help="runs at a time on this machine")
    where.add_argument("--scheduler", metavar="ADDRESS", help="run on a Dask cluster: tcp://HOST:PORT or tls://...")
    add("--notebook", type=Path, help="run this notebook in place of run_experiment")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="list the grid and estimate its time; run nothing")
    what.add_argument("--collect", action="store_true", help="write OUT/results.csv from what is there; run nothing")
    return parser


def _sweep(options: argparse.Namespace) -> int:
    """What the command line asks for. Raises ValueError, TypeError or OSError where it cannot be done."""
    out, device = check_path("--out", options.out), options.device
    if options.collect:
        print(f"{out / TABLE}: {len(write_csv(out))} runs")
        return 0
    asked = options.methods, options.dataset, options.n_labels, options.seeds, options.preset
    runs = grid(*asked, **parse_settings(options))
    if options.dry_run:
        show_plan(runs, out, options.workers, options.scheduler, device, print, options.notebook, every=True)
        return 0
    table = run(runs, out, options.workers, options.scheduler, device, tqdm.write, options.notebook, strict=False)
    print("\n" + summarise(table).round(2).to_string(index=False, na_rep=""))
    print("\nTest error in %, over seeds; low, high: 95 % t-interval of the mean. Every run:", out / TABLE)
    return 0 if (table["status"] == "done").all() else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0, 1 where a run failed, 2 where the request is refused or no cluster answers."""
    return refusals_as_lines(lambda: _sweep(_command_line().parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(run_command(main))
