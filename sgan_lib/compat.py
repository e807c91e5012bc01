"""Let torchvision be imported beside a CPU build of torch.

Where pip pairs a CPU build of torch with torchvision's CUDA wheel, `import torchvision` stops at "operator
torchvision::nms does not exist", because the wheel's compiled operators cannot be loaded. Nothing here uses them, but
torchvision registers shape rules for two of them at import; declaring those two is enough for data sets, transforms and
`make_grid`. On builds that match, this does nothing.
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
