"""The headline numbers of the README and of notebook 05 are those of the stored tables."""

import math
import re
from pathlib import Path

import pandas as pd
import pytest

from sgan_lib import data, evaluation, plotting

ROOT = Path(__file__).resolve().parents[1]
IN_WORDS = {1: "one", 3: "three", 4: "four", 5: "five", 8: "eight", 16: "sixteen", 20: "twenty"}


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
    prose = prose_of("notebooks/src/04_feature_matching.py")
    for runs, verb in (("paper", "end"), ("rounded", "ended")):
        table_of_runs = plotting.stored_table(f"mnist_100_labels_{runs}.csv")
        errors = 100 * table_of_runs.set_index("seed")["test_error"].sort_index()
        *others, last = (f"{error:.2f}" for error in errors)
        each = f"{', '.join(others)} and {last} %"
        splits = f" on splits 0 to {len(errors) - 1}"
        assert f"{verb} at {each}{splits}, on average {errors.mean():.2f} %" in prose
        if runs == "paper":
            assert f"end at {errors.mean():.2f} % (mean of {IN_WORDS[len(errors)]} splits: {each})" in readme
            assert f"on average {errors.mean():.2f} %, and {errors.drop(2).mean():.2f} % without split 2" in prose
    longer = plotting.stored_table("mnist_100_labels_longer.csv").set_index("seed")["test_error"]
    short = table.query("method == 'feature_matching' and seed < 2").set_index("seed")["test_error"]
    pairs = [" and ".join(f"{100 * errors[seed]:.2f}" for seed in (0, 1)) for errors in (longer, short)]
    assert "120,000, end at {} % on splits 0 and 1, where 24,000 end at {} %".format(*pairs) in prose


def test_the_mistakes_of_the_central_result() -> None:
    curves = plotting.stored_table("mnist_100_labels.csv").query("step == steps and method == 'feature_matching'")
    every_run = plotting.stored_table("mnist_100_labels_mistakes.csv")
    mistakes = every_run.query("seed < 5")
    assert (mistakes.groupby("seed").size() / 10_000).tolist() == curves.sort_values("seed")["test_error"].tolist()
    labels = data.load("mnist", 100).test.labels
    assert labels[every_run["image"].tolist()].tolist() == every_run["label"].tolist()
    prose = prose_of("notebooks/src/04_feature_matching.py")
    sevens, others = (mistakes.query(f"label {sign} 7").groupby("seed").size() for sign in ("==", "!="))
    assert f"nearly the same number of mistakes, {others.min()} to {others.max()}." in prose
    elsewhere = every_run.query("seed > 4 and label == 7").groupby("seed").size()
    assert f"Split 103 loses {elsewhere[103]}, as split 2 does, and split 102 loses {elsewhere[102]}." in prose
    well = sevens[[0, 3, 4]]
    assert f"splits 0, 3 and 4 lose {well.min()} to {well.max()}, split 1 loses {sevens[1]} and split 2" in prose


def test_the_lost_start() -> None:
    every_start = plotting.stored_table("mnist_100_labels_starts.csv").query("step == 2000")
    starts, without = every_start[every_start["reuse"]], every_start[~every_start["reuse"]]
    lost = starts["feature_matching"] > 10
    lost_runs = starts[lost].sort_values("split_seed")
    assert [*zip(lost_runs["split_seed"], lost_runs["seed"], strict=True)] == [(2, 2), (206, 206)]
    prose = prose_of("notebooks/src/04_feature_matching.py")
    parts = ((starts[~lost]["adversarial"], 2), (starts[~lost]["feature_matching"], 1))
    ranges = [f"{values.min():.{digits}f} to {values.max():.{digits}f}" for values, digits in parts]
    assert (
        f"in nine of the eleven rows the discriminator's loss is {ranges[0]} and the matching loss {ranges[1]}" in prose
    )
    assert (len(starts), lost.sum()) == (11, 2)
    real_or_fake, matching = (
        [f"{x:.{d}f}" for x in lost_runs[n]] for n, d in (("adversarial", 3), ("feature_matching", 0))
    )
    assert f"almost without fail ({' and '.join(real_or_fake)})" in prose
    assert f"those of the real images ({' and '.join(matching)})" in prose
    there = " and ".join(f"{loss:.1f}" for loss in without.sort_values("split_seed")["feature_matching"])
    assert f"both start like all others ({there})" in prose


def test_the_luck_on_the_split_that_lacks_a_crossed_seven(readme: str) -> None:
    records = plotting.stored_table("mnist_100_labels_luck.csv")
    ends = records.query("step == steps").set_index(["split_seed", "seed", "reuse"])
    wrong = ends[[f"wrong_{digit}" for digit in range(10)]]
    errors = wrong.sum(axis=1) / 100  # of 10,000 images, in percent
    stored = plotting.stored_table("mnist_100_labels_paper.csv").set_index("seed")["test_error"]
    assert errors[2, 2, True] == pytest.approx(100 * stored[2])  # the same run, made twice
    three = [f"{errors[2, seed, True]:.2f}" for seed in (2, 208, 209)]
    assert "end at {}, {} and {} %".format(*three) in readme
    prose = prose_of("notebooks/src/04_feature_matching.py")
    for seed in (208, 209):
        sevens, percent = wrong["wrong_7"][2, seed, True], errors[2, seed, True]
        assert re.search(rf"Seed {seed}\b[^.:]* {sevens} [^.:]*: {percent:.2f} %", prose)
    others = wrong.drop(columns="wrong_7").sum(axis=1)
    assert f"Of everything else all five misread about as much, {others.min()} to {others.max()} images" in prose
    for seed in (208, 209):  # the mean of the table's five splits, had this seed been taken for split 2
        assert f"with seed {seed} {(100 * stored.drop(2).sum() + errors[2, seed, True]) / 5:.2f} %" in prose
    whole_runs = [plotting.stored_table(f"mnist_100_labels_{table}.csv") for table in ("rounded", "paper")]
    runs = 100 * pd.concat(whole_runs).set_index("split_seed")["test_error"]
    easy = runs.drop([1, 2])
    hard = pd.concat([runs[[1, 2]], errors.drop((2, 2, True))])
    found, lost = hard[hard < 1.5], hard[hard > 1.5]
    assert f"all {IN_WORDS[len(easy)]} runs on splits 0, 3 and 4 end at {min(easy):.2f} to {max(easy):.2f} %" in prose
    parts = [f"{IN_WORDS[len(runs)]} end at {min(runs):.2f} to {max(runs):.2f} %" for runs in (found, lost)]
    assert f"of the {IN_WORDS[len(hard)]} on splits 1 and 2, {parts[0]} and {parts[1].replace('end ', '')}" in prose


def test_the_best_supervised_baseline(readme: str) -> None:
    table = plotting.stored_table("baseline_tuned.csv").query("preset == 'standard'")
    best = 100 * table.groupby(["network", "shift"])["test_error"].mean().min()
    assert f"reaches {best:.1f} % with 100 labels: notebook 02" in readme


@pytest.fixture
def scarcity() -> pd.DataFrame:
    """Mean test errors of the sweep in percent, by data set, number of labels and method."""
    table = plotting.stored_table("label_scarcity.csv")
    return 100 * table.groupby(["dataset", "n_labels", "method"])["test_error"].mean()


NOTEBOOK_05 = "notebooks/src/05_label_scarcity.py"


def test_the_findings_of_notebook_05(scarcity: pd.Series) -> None:
    prose = prose_of(NOTEBOOK_05)
    digits, mnist = scarcity["digits"], scarcity["mnist"]
    alone, sgan = digits[50, "supervised"], digits[50, "sgan"]
    assert f"with 50 labels {alone:.1f} % alone, {sgan:.1f} % with the SGAN" in prose
    alone, matching = mnist[100, "supervised"], mnist[100, "feature_matching"]
    assert f"with 100 labels {alone:.1f} % alone and {matching:.1f} % with feature matching" in prose


def test_the_order_of_the_methods_on_mnist(scarcity: pd.Series) -> None:
    prose, means = prose_of(NOTEBOOK_05), scarcity["mnist"]
    table = plotting.stored_table("label_scarcity.csv").query("dataset == 'mnist'")
    errors = table.pivot(index=["n_labels", "seed"], columns="method", values="test_error")
    assert (errors.loc[20].idxmin(axis=1) == "two_head").all()
    assert f"is best on each of the five splits ({means[20, 'two_head']:.1f} %)" in prose
    assert f"consistency second ({means[20, 'consistency']:.1f} %)" in prose
    worse = errors["bad_gan"] > errors["supervised"]
    assert [list(worse[n].index[worse[n]]) for n in (20, 25)] == [[0, 1], [2, 4]]
    assert f"no GAN at all ({means[20, 'bad_gan']:.1f} against {means[20, 'supervised']:.1f} %)" in prose
    halved = [f"{100 * errors['bad_gan'][n, 0]:.1f}" for n in (20, 25)]
    assert "({} to {} %)".format(*halved) in prose
    others = errors.drop(columns=["supervised", "pseudo_label"]).drop(index=[20, 25])
    assert others.lt(errors["supervised"].drop(index=[20, 25]), axis=0).all(axis=None)
    at_100 = [f"{means[100, method]:.1f}" for method in ("sgan", "feature_matching", "bad_gan", "supervised")]
    assert "{}, {} and {} % against {} %".format(*at_100) in prose
    assert f"needs 1,000 labels for that ({means[1000, 'supervised']:.1f} %)" in prose
    assert abs(means[1000, "supervised"] - means[100, "feature_matching"]) < 0.1
    gain = means[25, "supervised"] - means[25, "sgan"]
    assert f"Ours gains {gain:.1f} at 25, and its baseline is the reason: {means[25, 'supervised']:.1f} %" in prose
    factors = [means[n, "supervised"] / means[n].min() for n in (50, 100, 200, 1000)]
    assert [round(factor) for factor in factors[:3]] == [3, 3, 3]
    assert factors[3] < 2
    assert f"with this dense pair they bring {means[100, 'supervised'] - means[100, 'two_head']:.0f} points" in prose


@pytest.fixture
def worth(scarcity: pd.Series) -> int:
    """Labels that bring the supervised network to the SGAN's error with 50, on a straight line in both logarithms."""
    curve, sgan = scarcity["digits"].xs("supervised", level="method"), scarcity["digits", 50, "sgan"]
    (few, high), (many, low) = ((n, curve[n]) for n in (100, 200))
    assert low < sgan < high
    return 5 * round(few * (many / few) ** (math.log(high / sgan) / math.log(high / low)) / 5)


def test_notebook_05_and_the_readme_trade_errors_for_labels(readme: str, worth: int) -> None:
    splits = plotting.stored_table("label_scarcity.csv").groupby("dataset")["seed"].nunique().map(IN_WORDS)
    prose = prose_of(NOTEBOOK_05)
    assert f"reaches with about {worth}" in prose
    same = "an SGAN with 50 labels is as good as the supervised network with about"
    assert f"On `digits` ({splits['digits']} splits) {same} {worth};" in readme
    assert f"on MNIST ({splits['mnist']} splits of the dense network" in readme
    assert f"{splits['digits']} splits of `digits` (1,500 steps), and {splits['mnist']} of MNIST" in prose


def test_the_cautions_of_notebook_05() -> None:
    """Part 3: two methods on the same splits; part 4: with shifts for all."""
    prose, table = prose_of(NOTEBOOK_05), plotting.stored_table("label_scarcity.csv").query("dataset == 'digits'")
    errors = 100 * table.pivot(index=["n_labels", "seed"], columns="method", values="test_error")
    alone, pseudo = (errors.loc[100][method] for method in ("supervised", "pseudo_label"))
    better, worse = (alone > pseudo).sum(), (alone < pseudo).sum()
    counts = IN_WORDS[better], IN_WORDS[len(alone)], IN_WORDS[worse]
    assert "better on {} of the {} splits and worse on {}".format(*counts) in prose
    for values in (alone, pseudo, alone - pseudo):
        low, high = evaluation.bootstrap_interval(values.tolist())
        assert f"{low:.1f} to {high:.1f}" in prose
    ahead = errors.loc[20]["sgan"] - errors.loc[20]["consistency"]
    assert f"After 17 splits consistency is ahead by {ahead[:17].mean():.1f} points" in prose
    assert f"After twenty it is {ahead.mean():.1f}, and zero" in prose
    assert evaluation.bootstrap_interval(ahead[:17].tolist())[0] > 0 > evaluation.bootstrap_interval(ahead.tolist())[0]
    shifted = plotting.stored_table("label_scarcity_shifts.csv")
    same = table.query("n_labels == 50").merge(shifted[["method", "seed"]], on=["method", "seed"])
    before, after = (100 * rows.groupby("method")["test_error"].mean() for rows in (same, shifted))
    assert f"gains a point ({before['supervised']:.1f} to {after['supervised']:.1f} %)" in prose
    assert f"the SGAN goes from {before['sgan']:.1f} to {after['sgan']:.1f} %" in prose
    gain, less = (errors["supervised"] - errors["sgan"] for errors in (before, after))
    assert f"{gain:.1f} points without shifts and {less:.1f} with them" in prose


def test_the_runs_that_notebook_09_counts() -> None:
    runs = len(plotting.stored_table("label_scarcity.csv"))
    assert f"notebook 05 rests on {runs} of them" in prose_of("notebooks/src/09_scaling_up.py")


def test_the_gain_with_20_labels_that_notebook_00_quotes(scarcity: pd.Series) -> None:
    of_n = [scarcity["digits", n] for n in (20, 50)]
    points = [errors["supervised"] - errors["sgan"] for errors in of_n]
    shares = [100 * gain / errors["supervised"] for gain, errors in zip(points, of_n, strict=True)]
    said = "{:.1f} against {:.1f}, and as a share of the error a little smaller, {:.0f} % against {:.0f} %"
    assert said.format(*points, *shares) in prose_of("notebooks/src/00_start_here.py")


def test_what_notebook_06_says_of_features_with_few_labels(scarcity: pd.Series) -> None:
    prose = prose_of("notebooks/src/06_bigan.py")
    stored = plotting.stored_table("bigan_features.csv").query("classifier == 'linear' and preset == 'standard'")
    error = 100 * (1 - stored.groupby(["representation", "layer", "n_labels"])["accuracy"].mean())
    judge, hidden, pixels = (
        error["latent_regressor", "discriminator"],
        error["bigan", "hidden"],
        error["pixels", "pixels"],
    )
    assert f"errs on {hidden[100]:.1f} % with 100 labels, on pixels on {pixels[100]:.1f} %" in prose
    assert f"errs on {judge[20]:.1f} % with 20 labels and on {judge[100]:.1f} % with 100" in prose
    before = error["random", "discriminator"]
    assert f"the linear classifier errs on {before[20]:.1f} and {before[100]:.1f} %" in prose
    table = plotting.stored_table("label_scarcity.csv").query("dataset == 'mnist' and seed < 3")
    trained = 100 * table.groupby(["n_labels", "method"])["test_error"].mean()
    assert f"no longer ({judge[1000]:.2f} against {trained[1000, 'supervised']:.2f} %)" in prose
    assert trained[100, "supervised"] > judge[100]
    assert trained[1000, "supervised"] < min(error.xs(1000, level="n_labels"))
    at_20 = [f"{trained[20, method]:.1f}" for method in ("sgan", "feature_matching", "consistency", "two_head")]
    assert (
        "SGAN's {} and feature matching's {} %, and more than the {} % of consistency and the {} %".format(*at_20)
        in prose
    )


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
    assert f"two-head pair the factor is {heads[0]:.1f} with one thread and {heads[1]:.1f} with two" in readme
    factor, seconds = (
        measured[name, "mlp_digits", 1] for name in ("sweep, one worker / two workers", "sweep with two workers")
    )
    assert f"takes {seconds:.0f} s with two workers, {factor:.1f} times as fast as with one" in readme
