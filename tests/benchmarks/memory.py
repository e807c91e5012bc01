"""One run in a process of its own; prints the peak of its memory as JSON: memory.py METHOD DATASET NETWORK STEPS."""

import json
import sys
from pathlib import Path

from sgan_lib import experiments


def peak_megabytes() -> float:
    """The largest resident memory of this process so far, in units of 10⁶ bytes.

    Linux counts the parent's peak in `ru_maxrss` of a fresh process, so there the number comes from /proc.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


if __name__ == "__main__":
    method, dataset, network, steps = sys.argv[1:]
    imports = peak_megabytes()
    experiments.run(method, dataset, network=network, steps=int(steps), device="cpu")
    print(json.dumps({"imports": imports, "run": peak_megabytes()}))
