"""What this machine brings for the course."""

import os
import platform
import sys

import torch

from sgan_lib import data
from sgan_lib.runtime import choose_device


def environment_report() -> list[str]:
    """One line per check: each says "fine", or what to do."""
    lines = [_line("Python", sys.version_info >= (3, 11), platform.python_version(), "install Python 3.11 or later")]
    lines.append(_line("torch", True, f"{torch.__version__} on {choose_device().type}, {os.cpu_count()} CPU cores", ""))
    try:
        whole = len(data.load("mnist", n_labels=100).test.images) == 10_000
        lines.append(_line("data", whole, "MNIST came with the library and is whole", "reinstall the library"))
    except data.DataError as error:
        lines.append(_line("data", False, "", str(error)))
    return lines


def _line(name: str, fine: bool, what: str, advice: str) -> str:
    return f"{name:<8} {'fine: ' + what if fine else 'NOT fine: ' + advice}"
