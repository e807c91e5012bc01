"""Many runs: a grid of methods × numbers of labels × seeds, each run a notebook of its own, side by side on Dask.

python -m sgan_lib.sweep --dataset mnist --methods supervised sgan --n-labels 20 50 --seeds 0 1 2 --out runs/mnist

Read `plan` (what is to run), `running` (how it runs) and `folder` (what it leaves behind), in that order.
"""

from sgan_lib.sweep.folder import Claim, State, collect, read_state, stored_results, summarise, write_csv
from sgan_lib.sweep.plan import Estimate, Run, estimate, grid
from sgan_lib.sweep.running import Ended, Pool, connect, execute, find_template, run_all

__all__ = [
    "Claim",
    "Ended",
    "Estimate",
    "Pool",
    "Run",
    "State",
    "collect",
    "connect",
    "estimate",
    "execute",
    "find_template",
    "grid",
    "read_state",
    "run_all",
    "stored_results",
    "summarise",
    "write_csv",
]
