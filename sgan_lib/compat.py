"""Let torchvision be imported beside a CPU build of torch.

Beside torchvision's CUDA wheel, whose operators a CPU build cannot load, `import torchvision` stops for lack of `nms`
and `qnms`. Nothing here uses them, and to declare them is enough. On builds that match, this does nothing.
"""

import importlib.util
from contextlib import suppress
from pathlib import Path

import torch


def declare_missing_operators() -> torch.library.Library | None:
    """Declare `torchvision::nms` and `qnms` where the compiled ones do not load; the result must stay referenced."""
    package = importlib.util.find_spec("torchvision")
    if package is None or package.origin is None:
        return None
    with suppress(OSError):
        if compiled := sorted(Path(package.origin).parent.glob("_C.*")):
            for operators in compiled:
                torch.ops.load_library(str(operators))
            return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


_declared = declare_missing_operators()
