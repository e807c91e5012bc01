"""What a run found, as an object and as a JSON file."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import pandas as pd
from torch import nn

from sgan_lib.methods import METHODS
from sgan_lib.runtime import check_choice, check_number, write_whole
from sgan_lib.settings import Settings
from sgan_lib.training import Record


@dataclass(frozen=True)
class RunResult:
    """What a run found; numbers that no run can have are refused. All but `modules` goes through JSON unchanged."""

    settings: Settings
    test_error: float | None  # fraction in [0, 1]; None for the plain GAN, which classifies nothing
    test_error_interval: tuple[float, float] | None  # 95 %, Wilson: how well the test set measures this one network
    confusion_matrix: list[list[int]] | None  # true class by row
    history: list[Record]
    seconds: float  # of training, without evaluation
    device: str
    versions: dict[str, str]
    modules: nn.ModuleDict | None = field(default=None, compare=False, repr=False)  # averaged networks

    def __post_init__(self) -> None:
        check_choice("method", self.settings.method, METHODS)
        check_number("seconds", self.seconds)
        check_number("test_error", 0.0 if self.test_error is None else self.test_error, at_most=1)
        matrix = self.confusion_matrix or []
        if not self.history or any(len(row) != len(matrix) for row in matrix):
            raise ValueError("history must hold at least one record, and confusion_matrix as many columns as rows")

    def history_table(self) -> pd.DataFrame:
        """The history: one row per record, one column per number."""
        rows = [{**asdict(r), **r.terms, **r.scores} for r in self.history]
        return pd.DataFrame(rows).drop(columns=["terms", "scores"])

    def to_json(self, path: str | Path) -> None:
        """Write to `path`, whole or not at all."""
        content = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "modules"}
        content |= {"settings": asdict(self.settings), "history": [asdict(record) for record in self.history]}
        write_whole(Path(path), json.dumps(content, indent=1) + "\n")

    @classmethod
    def from_json(cls, path: str | Path) -> "RunResult":
        """Read what `to_json` wrote. Raises ValueError where the file does not hold a result."""
        try:
            content = json.loads(Path(path).read_text("utf-8"))
            if wrong := set(content) ^ {f.name for f in fields(cls) if f.name != "modules"}:
                raise ValueError(f"too many fields or too few: {', '.join(sorted(wrong))}")
            content["settings"] = Settings(**content["settings"])
            content["history"] = [Record(**record) for record in content["history"]]
            if content["test_error_interval"] is not None:
                content["test_error_interval"] = tuple(content["test_error_interval"])
            return cls(**content)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} does not hold a RunResult: {error}") from error
