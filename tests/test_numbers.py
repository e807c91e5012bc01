"""The headline numbers of the README and of notebook 05 are those of the stored tables."""

import math
import re
from pathlib import Path

import pandas as pd
import pytest

from sgan_lib import plotting

ROOT = Path(__file__).resolve().parents[1]


def prose_of(name: str) -> str:
    """A text in one line, without the marks of comments, line breaks and bold type."""
    text = (ROOT / name).read_text("utf-8")
    return re.sub(r"\s+", " ", re.sub(r"^# ?", "", text, flags=re.MULTILINE)).replace("**", "")


def mean(table: pd.DataFrame, digits: int, **wanted: object) -> str:
    """The mean test error in percent of the rows with these values, as it would be written."""
    for column, value in wanted.items():
        table = table[table[column] == value]
    assert len(table) > 1
    return f"{100 * table['test_error'].mean():.{digits}f} %"


@pytest.fixture
def readme() -> str:
    return prose_of("README.md")


@pytest.mark.parametrize(("n_labels", "digits"), [(100, 1), (30_000, 2)])
def test_the_table_of_the_two_forms(readme: str, n_labels: int, digits: int) -> None:
    table = plotting.stored_table("sgan_half_of_labels.csv")
    cells = [mean(table, digits, n_labels=n_labels, method=method) for method in ("supervised", "sgan", "two_head")]
    assert f"| {n_labels:,} | {' | '.join(cells)} |" in readme


def test_the_central_result(readme: str) -> None:
    table = plotting.stored_table("mnist_100_labels.csv").query("step == steps")
    alone, matching = mean(table, 1, method="supervised"), mean(table, 2, method="feature_matching")
    assert f"it errs on {alone} alone and on {matching} with feature matching" in readme
    (paper,) = plotting.stored_table("mnist_100_labels_paper.csv")["test_error"]
    assert f"ends at {100 * paper:.2f} % on the one split run" in readme


def test_the_best_supervised_baseline(readme: str) -> None:
    table = plotting.stored_table("baseline_tuned.csv").query("preset == 'standard'")
    best = 100 * table.groupby(["network", "shift"])["test_error"].mean().min()
    assert f"reaches {best:.1f} % with 100 labels: notebook 02" in readme


@pytest.fixture
def scarcity() -> pd.DataFrame:
    """Mean test errors of the sweep in percent, by data set, number of labels and method."""
    table = plotting.stored_table("label_scarcity.csv")
    return 100 * table.groupby(["dataset", "n_labels", "method"])["test_error"].mean()


def test_the_findings_of_notebook_05(scarcity: pd.Series) -> None:
    prose = prose_of("notebooks/src/05_label_scarcity.py")
    digits, mnist = scarcity["digits"], scarcity["mnist"]
    alone, sgan = digits[50, "supervised"], digits[50, "sgan"]
    assert f"with 50 labels {alone:.1f} % alone, {sgan:.1f} % with the SGAN" in prose
    alone, matching = mnist[100, "supervised"], mnist[100, "feature_matching"]
    assert f"with 100 labels {alone:.1f} % alone and {matching:.1f} % with feature matching" in prose
    bad, none = mnist[20, "bad_gan"], mnist[20, "supervised"]
    assert f"*worse than the supervised network*, {bad:.1f} % against {none:.1f} %" in prose
    assert bad > none


def test_notebook_05_trades_errors_for_labels(scarcity: pd.Series) -> None:
    """The supervised curve, straight in both logarithms, at the SGAN's error with 50 labels."""
    curve, sgan = scarcity["digits"].xs("supervised", level="method"), scarcity["digits", 50, "sgan"]
    (few, high), (many, low) = ((n, curve[n]) for n in (100, 200))
    assert low < sgan < high
    worth = few * (many / few) ** (math.log(high / sgan) / math.log(high / low))
    assert f"reaches with about {5 * round(worth / 5)}" in prose_of("notebooks/src/05_label_scarcity.py")


def test_who_draws_better() -> None:
    """The verdict of notebook 04, part 7: SGANs are ahead at the first look and behind at the last, on every seed."""
    looks = plotting.stored_table("sample_quality.csv").query("method != 'feature_matching'")
    first, last = (looks[looks["step"] == step] for step in (looks["step"].min(), looks["step"].max()))
    for early, late in zip(first.groupby("seed"), last.groupby("seed"), strict=True):
        assert early[1].loc[early[1]["digit_frechet"].idxmax(), "method"] == "gan"
        assert late[1].loc[late[1]["digit_frechet"].idxmin(), "method"] == "gan"
    means = last.groupby(["method", "n_labels"])["digit_frechet"].mean()
    prose = prose_of("notebooks/src/04_feature_matching.py")
    sgans = [f"{means['sgan', n]:.0f}" for n in (100, 1000, 59_000)]
    assert f"{means['gan', 100]:.0f} for the plain GAN, {sgans[0]}, {sgans[1]} and {sgans[2]} with 100" in prose


def test_the_factors_of_the_benchmark(readme: str) -> None:
    measured = plotting.stored_table("benchmark.csv").set_index(["what", "network", "threads"])["value"]
    names = ("textbook step / our step", "textbook step / our step in bfloat16", "matrix products / our step")
    one, two = ([measured[name, "mlp", threads] for name in names] for threads in (1, 2))
    assert f"{one[0]:.1f} times as long as ours, and {one[1]:.1f} times with" in readme
    assert f"are {one[2]:.0f} % of our step (one thread; with" in readme
    assert f"two threads {two[0]:.1f}, {two[1]:.1f} and {two[2]:.0f} %)" in readme
    heads = [measured["textbook step / our step", "upsample", threads] for threads in (1, 2)]
    assert f"two-head pair the factor is {heads[0]:.1f} ({heads[1]:.1f})" in readme
