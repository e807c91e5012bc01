"""Many runs: a grid of methods × numbers of labels × seeds, each run a notebook of its own, side by side on Dask.

Read `plan` (what is to run), `running` (how it runs) and `folder` (what it leaves behind), in that order.
"""

from sgan_lib.sweep.folder import collect, read_state, summarise, write_csv
from sgan_lib.sweep.plan import Run, estimate, grid
from sgan_lib.sweep.running import run

__all__ = ["Run", "collect", "estimate", "grid", "read_state", "run", "summarise", "write_csv"]
