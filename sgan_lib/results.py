"""What a run found, as an object and as a JSON file."""

import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from sklearn.metrics import confusion_matrix
from torch import Tensor, nn

from sgan_lib import evaluation
from sgan_lib.baselines import BASELINES
from sgan_lib.data import Preparation, SemiSupervisedData
from sgan_lib.methods import METHODS
from sgan_lib.models import Networks
from sgan_lib.networks import row_of
from sgan_lib.runtime import check_choice, check_number, check_path, check_whole_number, forked_random, write_whole
from sgan_lib.saved import read_file, write_file
from sgan_lib.settings import Settings
from sgan_lib.training import Record


@dataclass(frozen=True)
class RunResult:
    """What a run found; numbers that no run can have are refused.

    All but the networks, and what one needs to use them, goes through JSON unchanged; `save` keeps these too.
    """

    settings: Settings
    test_error: float | None  # fraction in [0, 1]; None where nothing is classified or tested
    test_error_interval: tuple[float, float] | None  # 95 %, Wilson: how well the test set measures this one network
    confusion_matrix: list[list[int]] | None  # true class by row
    history: list[Record]
    seconds: float  # of training, without evaluation
    device: str
    versions: dict[str, str]
    modules: nn.ModuleDict | None = field(default=None, compare=False, repr=False)  # averaged networks
    class_names: tuple[str, ...] = field(default=(), compare=False, repr=False)
    preparation: Preparation | None = field(default=None, compare=False, repr=False)  # of new images, for the networks
    notes: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)  # of the caller's, for `save`

    def __post_init__(self) -> None:
        check_choice("method", self.settings.method, (*METHODS, *BASELINES))
        check_number("seconds", self.seconds)
        check_number("test_error", 0.0 if self.test_error is None else self.test_error, at_most=1)
        for bound in self.test_error_interval or ():
            check_number("test_error_interval", bound, at_most=1)
        matrix = self.confusion_matrix or []
        for count in chain(*matrix):
            check_whole_number("confusion_matrix", count, at_least=0)
        for value in chain(*({**record.terms, **record.scores}.values() for record in self.history)):
            check_number("history", value, at_least=-1e9)
        if not self.history or any(len(row) != len(matrix) for row in matrix):
            raise ValueError("history must hold at least one record, and confusion_matrix as many columns as rows")

    def history_table(self) -> pd.DataFrame:
        """The history: one row per record, one column per number."""
        rows = [{**asdict(r), **r.terms, **r.scores} for r in self.history]
        return pd.DataFrame(rows).drop(columns=["terms", "scores"])

    def to_json(self, path: str | Path) -> None:
        """Write to `path`, whole or not at all."""
        write_whole(path, json.dumps(self._content(), indent=1) + "\n")

    def _content(self) -> dict[str, Any]:
        content = {f.name: getattr(self, f.name) for f in fields(self) if f.compare}
        return content | {"settings": asdict(self.settings), "history": [asdict(record) for record in self.history]}

    @classmethod
    def from_json(cls, path: str | Path) -> "RunResult":
        """Read what `to_json` wrote. Raises ValueError where the file does not hold a result."""
        try:
            return cls._of_content(json.loads(check_path("path", path).read_text("utf-8")))
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise ValueError(f"{path} does not hold a RunResult: {error}") from error

    @classmethod
    def _of_content(cls, content: Any) -> "RunResult":
        if wrong := set(content) ^ {f.name for f in fields(cls) if f.compare}:
            raise ValueError(f"too many fields or too few: {', '.join(sorted(wrong))}")
        read = {"settings": Settings(**content["settings"]), "history": [Record(**r) for r in content["history"]]}
        interval = content["test_error_interval"]
        return cls(**content | read | {"test_error_interval": interval and tuple(interval)})

    def save(self, path: str | Path) -> None:
        """Write to `path`, whole or not at all: networks in full precision, what new images go through, and all else.

        Raises ValueError where the networks have been dropped, as `repeat` does.
        """
        if self.modules is None or self.preparation is None:
            raise ValueError("modules must hold the networks to save them; this result has none")
        model = {"class_names": self.class_names, "preparation": asdict(self.preparation), "notes": self.notes}
        write_file(path, "model", {"result": self._content()} | model, self.modules.state_dict())

    @classmethod
    def load(cls, path: str | Path, network: nn.Module | Networks | None = None) -> "RunResult":
        """Read what `save` wrote. `network`: untrained networks of the caller's own, where such were trained.

        Raises ValueError where the file is foreign or damaged, or has the weights of other networks.
        """
        content, weights = read_file(path, "model")
        try:
            result, names = cls._of_content(content["result"]), tuple(content["class_names"])
            read: Any = {k: tuple(row) if isinstance(row, list) else row for k, row in content["preparation"].items()}
            prepared = Preparation(*(read[field.name] for field in fields(Preparation)))  # an older file lacks some
            notes, method = dict(content["notes"]), METHODS[result.settings.method]
            n_classes = len(names) if method.classifies else 1
            n_features = weights["real_head.logit.weight"].shape[1] if method.real_head else 0
            with forked_random():  # the weights that are drawn here are replaced
                networks = row_of(network or result.settings.network)[1].build(prepared.shape, n_classes)
                modules = method.modules(networks, n_classes, n_features).eval()
            modules.load_state_dict(weights)
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(f"network must be as the one in {path}, a model of this version; {error}") from error
        return replace(result, modules=modules, class_names=names, preparation=prepared, notes=notes)


def found_on_test(
    settings: Settings, data: SemiSupervisedData, predict: Callable[[Tensor], Tensor] | None, history: list[Record],
    networks: nn.ModuleDict | None,
) -> RunResult:  # fmt: skip
    """The result of a run, with what a classifier of images, where there is one, makes of the test set."""
    error = interval = confusion = None
    if predict is not None and (n_test := len(data.test.labels)):
        predictions, k = predict(data.test.images), max(2, data.n_classes)
        wrong = int((predictions != data.test.labels).sum())
        error, interval = wrong / n_test, evaluation.wilson_interval(wrong, n_test)
        counts = confusion_matrix(data.test.labels.cpu(), predictions.cpu(), labels=range(k))
        confusion = counts[: data.n_classes, : data.n_classes].tolist()
    versions = {"python": platform.python_version(), "sgan_lib": version("sgan-course")}
    versions |= {"cpu_threads": str(torch.get_num_threads())} | {n: version(n) for n in ("torch", "torchvision")}
    prepared = data.preparation or Preparation(data.image_shape)
    return RunResult(settings, error, interval, confusion, history, history[-1].seconds, str(data.pool.device),
                     versions, networks, data.class_names, prepared)  # fmt: skip
