"""Notebook 00: the promise at full length, on ten splits of `digits`."""

import pandas as pd
import tables
from matplotlib.figure import Figure

from sgan_lib import sweep
from sgan_lib.course import plotting

METHODS = ("supervised", "sgan", "feature_matching")
COLUMNS = f"method dataset n_labels seed preset {tables.FOUND}"


def draw(table: pd.DataFrame) -> Figure:
    """The errors by method, label spreading among them, on the same splits."""
    simple = tables.read("simple_baselines").query("dataset == 'digits' and n_labels == 50 and seed < 10")
    table = pd.concat([table, simple.query("method == 'label_spreading'")])
    means = 100 * table.groupby("method")["test_error"].mean()
    gain = f"from {means['supervised']:.1f} % to {means['sgan']:.1f} %"
    title = f"50 labels: an SGAN cuts the error {gain}, label spreading to {means['label_spreading']:.1f} %"
    return plotting.errors_by_method(table, title)


FIGURES: tables.Figures = {
    "digits_50_labels": tables.Table(
        lambda: sweep.grid(METHODS, "digits", (50,), range(10), "standard"), COLUMNS, draw=draw,
        decimals={"test_error": 4, "seconds": 1},
    ),
}  # fmt: skip

if __name__ == "__main__":
    tables.main(__doc__, FIGURES)
