"""Notebook 03: MNIST at few labels and at half of them, one pair of networks for all methods, three splits."""

import tables

from sgan_lib import sweep

METHODS = ("supervised", "sgan", "two_head")
COLUMNS = f"method dataset network n_labels seed preset {tables.FOUND}"
FIGURES: tables.Figures = {
    "sgan_half_of_labels": tables.Table(
        lambda: sweep.grid(METHODS, "mnist", (100, 30_000), range(3), "standard", network="dcgan"), COLUMNS
    ),
}

if __name__ == "__main__":
    tables.main(__doc__, FIGURES)
