"""Notebook 00: the promise at full length, on ten splits of `digits`."""

import pandas as pd
import tables
from matplotlib.figure import Figure

from sgan_lib import sweep
from sgan_lib.course import plotting

METHODS = ("supervised", "sgan", "feature_matching")
COLUMNS = f"method dataset n_labels seed preset {tables.FOUND}"


def draw(table: pd.DataFrame) -> Figure:
    """The errors by method."""
    means = 100 * table.groupby("method")["test_error"].mean()
    title = f"With 50 labels, the GAN cuts the error from {means['supervised']:.1f} % to {means['sgan']:.1f} %"
    return plotting.errors_by_method(table, title)


FIGURES: tables.Figures = {
    "digits_50_labels": tables.Table(
        lambda: sweep.grid(METHODS, "digits", (50,), range(10), "standard"), COLUMNS, draw=draw,
        decimals={"test_error": 4, "seconds": 1},
    ),
}  # fmt: skip

if __name__ == "__main__":
    tables.main(__doc__, FIGURES)
