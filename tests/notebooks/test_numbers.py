"""The numbers in the prose are those of the stored tables.

Above a paragraph with such numbers, in the README, CONTRIBUTING or a notebook's source, stands a line
`<!-- numbers: NAME -->`.
The tests compute the numbers and look for them, as they are written, in the paragraph of that name.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from sgan_lib import comparison, data, evaluation, models, saved
from sgan_lib.course.stored import stored_table

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "notebooks" / "src").glob("*.py"))]
PROSE = "\n\n".join(re.sub(r"^# ?", "", path.read_text("utf-8"), flags=re.MULTILINE) for path in SOURCES)
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
         "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"]  # fmt: skip


def numbers_in(name: str) -> Counter[str]:
    """The numbers of the paragraph of this name, as they are written; "five" counts as "5"."""
    [paragraph] = re.findall(rf"^<!-- numbers: {name} -->\n(.+?)\n\n", PROSE, re.MULTILINE | re.DOTALL)
    tokens = re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?|[a-z]+", paragraph.lower())
    written = (str(WORDS.index(token)) if token in WORDS else token for token in tokens)
    return Counter(token for token in written if token[0].isdigit())


def states(name: str, *expected: str | int) -> None:
    """The paragraph of this name has each of these numbers, as often as it is given here, and no other decimals."""
    asked, said = Counter(map(str, expected)), numbers_in(name)
    missing, other = asked - said, [number for number in (said - asked).elements() if "." in number]
    assert not missing, f"the paragraph {name!r} lacks {', '.join(missing.elements())}"
    assert not other, f"nothing is said here of {', '.join(other)} in the paragraph {name!r}"


def written(values: Iterable[float], digits: int) -> list[str]:
    """The values as prose writes them, with so many digits after the point."""
    return [f"{value:.{digits}f}" for value in values]


def error_of(table: str, *by: str, where: str = "seed >= 0") -> pd.Series:
    """Test errors in percent of a stored table: the mean of the rows that agree in these columns."""
    return 100 * stored_table(table).query(where).groupby(list(by))["test_error"].mean()


def test_every_tagged_paragraph_is_checked() -> None:
    tags = re.findall(r"^<!-- numbers: (.+) -->$", PROSE, re.MULTILINE)
    assert [name for name in tags if f'states("{name}",' not in Path(__file__).read_text("utf-8")] == []


def test_the_two_forms_of_the_sgan() -> None:
    error = error_of("sgan_half_of_labels.csv", "n_labels", "method").unstack()[["supervised", "sgan", "two_head"]]
    states("two forms", 100, *written(error.loc[100], 1), "30,000", *written(error.loc[30_000], 2))
    every = error_of("sgan_half_of_labels.csv", "n_labels", "seed", "method").unstack()
    gains = every[["sgan", "two_head"]].rsub(every["supervised"], axis=0)
    few, many = gains.loc[100], gains.loc[30_000]
    assert evaluation.mean_interval(few["two_head"].tolist())[0] < 0 < few["two_head"].mean()
    assert evaluation.mean_interval(many["sgan"].tolist())[0] < 0 < evaluation.mean_interval(many["sgan"].tolist())[1]
    both = written([few["sgan"].mean(), *abs(few["two_head"])], 1)
    states("two forms compared", *both, f"{baseline():.1f}", 100, "30,000")
    spread = error_of("simple_baselines.csv", "method", where="dataset == 'mnist' and n_labels == 100")
    others = [f"{baseline():.1f}", f"{spread['label_spreading']:.1f}", 100]
    means = written([*error.loc[100, ["supervised", "sgan"]]], 1)
    states("100 labels, two forms", *means, *written(abs(few["two_head"]), 1), *others)
    states("30,000 labels, two forms", *written(abs(many.mean()), 2), f"{100 - error.loc[30_000, 'supervised']:.1f}")
    assert many["sgan"].min() < 0 < many["sgan"].max()
    assert many["two_head"].max() < 0
    seconds = stored_table("sgan_half_of_labels.csv").query("n_labels == 30_000").groupby("method")["seconds"].mean()
    assert round(seconds[["sgan", "two_head"]].min() / seconds["supervised"]) == 6


def test_which_form_of_the_sgan_is_ahead() -> None:
    ahead = {dataset: by_split(dataset) for dataset in ("digits", "mnist")}
    ahead = {dataset: errors["two_head"] - errors["sgan"] for dataset, errors in ahead.items()}
    ends = {n: evaluation.mean_interval(ahead["mnist"][n].tolist()) for n in (20, 25, 50, 100, 1000)}
    ends |= {-n: evaluation.mean_interval(ahead["digits"][n].tolist()) for n in (20, 50, 200)}
    assert [n for n, (low, high) in ends.items() if low > 0] == [100, 1000, -20, -50, -200]
    assert [n for n, (low, high) in ends.items() if high < 0] == [20, 25]
    means = written([-ahead["mnist"][20].mean(), *(ahead["mnist"][n].mean() for n in (100, 1000))], 1)
    at_20 = by_split("mnist").loc[20]
    alone, gains = at_20["supervised"].mean(), [at_20["supervised"] - at_20[form] for form in ("sgan", "two_head")]
    assert all(evaluation.mean_interval(gain.tolist())[0] > 0 for gain in gains)
    said = written([gain.mean() for gain in gains], 1)
    states("twenty labels of MNIST", 20, len(at_20), "3,000", *said, 100)
    labels = [20, 50, 200, 20, 25, 50, 100, "1,000", 20]
    states("which form", *labels, *means, *bounds(ahead["mnist"][50], 1), f"{alone:.0f}")


def baseline() -> float:
    """The test error of the best supervised network, of those of notebook 02."""
    return error_of("baseline_tuned.csv", "network", "shift", where="preset == 'standard'").min()


def test_the_supervised_baseline() -> None:
    errors = error_of(
        "baseline_tuned.csv", "seed", "shift", where="network == 'cnn' and preset == 'standard'"
    ).unstack()
    gain = errors[0] - errors[2]
    assert (gain > 0).all()
    percent = written([*errors.mean(), gain.mean()], 1) + bounds(gain, 1)
    tuning = stored_table("baseline_tuning.csv").query("network == 'cnn'")
    best = tuning.pivot_table("validation_error", "learning_rate", "shift").idxmin()
    assert set(best) <= {tuning["learning_rate"].min(), tuning["learning_rate"].max()}  # at an edge
    states("supervised baseline", *percent, len(gain), "3,000", 600, 100, 100, 102)


def bounds(differences: pd.Series, digits: int) -> list[str]:
    """The ends of the 95 % t-interval of a mean as prose writes them: without their signs."""
    return [text.removeprefix("-") for text in written(evaluation.mean_interval(differences.tolist()), digits)]


def test_ten_splits_of_digits() -> None:
    errors = error_of("digits_50_labels.csv", "seed", "method").unstack()
    gain, rest = errors["supervised"] - errors["sgan"], errors["sgan"] - errors["feature_matching"]
    means = [gain.mean(), errors["supervised"].mean(), errors["sgan"].mean()]
    states("ten splits of digits", *written(means, 1), *bounds(gain, 1))
    states("the first picture", len(gain), f"{gain.mean():.1f}", *bounds(gain, 1))
    assert evaluation.mean_interval(rest.tolist())[0] < 0 < rest.mean()
    every_split = spreading_on_digits().loc[50]
    spread = every_split[errors.index]
    ahead = spread - errors["feature_matching"]
    low, high = evaluation.mean_interval(ahead.tolist())
    found = [*written([errors["feature_matching"].mean(), ahead.mean(), high], 1), f"{low:.2f}"]
    states("ten splits again", "3,000", *found, *bounds(rest, 1))
    short = every_split - by_split("digits").loc[50, "feature_matching"]
    expected = ["3,000", f"{low:.2f}", f"{high:.1f}", "1,500", f"{short.mean():.2f}", *bounds(short, 2), len(short) - 1]
    states("digits in short", *expected)
    behind = spread - errors["sgan"]
    states("ten splits and label spreading", f"{spread.mean():.1f}", *bounds(behind, 1))


def spreading_on_digits() -> pd.DataFrame:
    """Test errors in % of label spreading: a row per number of labels, a column per split."""
    where = "dataset == 'digits' and method == 'label_spreading'"
    return error_of("simple_baselines.csv", "n_labels", "seed", where=where).unstack()


def test_a_simple_baseline_with_50_labels() -> None:
    spread = spreading_on_digits().loc[50]
    behind = bounds(spread - by_split("digits").loc[50, "sgan"], 1)
    states("label spreading in short", len(spread), 50, f"{spread.mean():.1f}", *behind, "1,500")


def test_label_spreading_beside_the_gans() -> None:
    table, errors = spreading_on_digits(), by_split("digits")
    sgan, matching = (
        {n: table.loc[n] - errors.loc[n, name] for n in (20, 50, 100, 200)} for name in ("sgan", "feature_matching")
    )
    ends = [evaluation.mean_interval(ahead.tolist()) for gains in (sgan, matching) for ahead in gains.values()]
    assert [1 if low > 0 else -1 if high < 0 else 0 for low, high in ends] == [0, 0, 0, 1, -1, 0, 1, 1]
    assert sum(min(abs(low), abs(high)) <= 0.1 for low, high in ends if low * high > 0) == 2
    states("spreading against GANs", 100, 200, f"{sgan[200].mean():.2f}", 20, 100)


def of_standard() -> pd.DataFrame:
    """Errors at the end of the runs of preset standard, split by method."""
    return error_of("mnist_100_labels.csv", "seed", "method", where="step == steps").unstack()


def wrong_by_luck() -> pd.DataFrame:
    """Of each run made to see how much is luck, the mistakes at its end by digit; index: split, seed, reuse."""
    ends = stored_table("mnist_100_labels_luck.csv").query("step == steps").set_index(["split_seed", "seed", "reuse"])
    return ends[[f"wrong_{digit}" for digit in range(10)]]


def test_the_central_result() -> None:
    standard = of_standard()
    alone, matching = standard["supervised"].mean(), standard["feature_matching"]
    paper, rounded = (error_of(f"mnist_100_labels_{table}.csv", "seed") for table in ("paper", "rounded"))
    luck = wrong_by_luck().sum(axis=1)[2].xs(True, level="reuse") / 100  # errors of three seeds on split 2, in percent
    assert luck[2] == pytest.approx(paper[2])  # the same run, made twice
    same = [f"{alone:.1f}", f"{matching.mean():.2f}", f"{paper.mean():.2f}", *written(paper, 2)]
    factors = [f"{error / matching.mean():.0f}" for error in (alone, baseline())]
    states("gain on MNIST", *same[:2], factors[1], len(matching))
    assert factors[0] == "13"  # "a thirteenth"
    ends = ["100,000", "180,000", (paper < 1.05).sum(), "1.05", len(paper), "0.93", "0.065"]
    states("the published figure", *same[2:8], *bounds(paper, 2), *ends)
    states("nearly paper", len(rounded), *written([*rounded, rounded.mean()], 2), rounded.index[-1])
    states("the rule", f"{paper.mean():.2f}", 208, 209, *written((paper.drop(2).sum() + luck[[208, 209]]) / 5, 2))


def ends_of(table: str, where: str, digits: int = 2) -> tuple[list[str], pd.DataFrame]:
    """Runs at their last step, and what prose says of their errors: the mean and the ends of its interval."""
    ends = stored_table(f"{table}.csv").query(f"step == steps and {where}").set_index("split_seed")
    errors = 100 * ends["test_error"]
    return [f"{errors.mean():.{digits}f}", *bounds(errors, digits)], ends


def test_the_table_of_errors_with_100_labels() -> None:
    cells = [
        ("", "method == 'supervised'", 1),
        ("", "method == 'feature_matching'"),
        ("_paper", "preset == 'paper'"),
        ("_sooner", "steps == 16_000"),
        ("_sooner", "steps == 48_000"),
        ("_shifted", "network == 'cnn'"),
    ]
    expected = list[str | int]()
    for table, *which in cells:
        said, ends = ends_of(f"mnist_100_labels{table}", *which)
        expected += [*said, f"{ends['cpu_seconds'].mean() / 60:.0f}", len(ends)]
    states("100 labels of MNIST", *expected)


def test_feature_matching_in_minutes() -> None:
    expected: list[str | int] = [25, 0, 9]
    for steps in (16_000, 28_000, 48_000):
        said, ends = ends_of("mnist_100_labels_sooner", f"steps == {steps}")
        expected += [*said, f"{ends['cpu_seconds'].mean() / 60:.1f}", f"{steps:,}"]
        assert ends.index.tolist() == list(range(10))
        assert set(ends["test_error"].nlargest(2).index) == {1, 2}
        assert set(ends["precision"]) == {"float32" if steps == 16_000 else "mixed"}
    states("in minutes", *expected)


def test_which_gan_is_undecided() -> None:
    errors = error_of("label_scarcity_at_length.csv", "split_seed", "method", where="n_labels == 100").unstack()
    errors["feature_matching"] = error_of("mnist_100_labels_sooner.csv", "split_seed", where="step == steps == 16_000")
    assert errors.index.tolist() == list(range(5))
    gains = [errors[name] - errors["feature_matching"] for name in ("sgan", "bad_gan")]
    assert all(low < 0 < high for low, high in (evaluation.mean_interval(g.tolist()) for g in gains))
    assert gains[0].mean() < 0 < gains[1].mean()  # prose has the minus
    ends = [text for gain in gains for text in (f"{abs(gain.mean()):.2f}", *bounds(gain, 2))]
    fewest = error_of("label_scarcity_at_length.csv", "split_seed", "method", where="n_labels == 20").unstack()
    behind = [fewest[name] - fewest["feature_matching"] for name in ("sgan", "bad_gan")]
    assert all(low < 0 < high for low, high in (evaluation.mean_interval(each.tolist()) for each in behind))
    means = [*written(fewest[["sgan", "bad_gan"]].mean(), 1), f"{errors['sgan'].mean():.2f}", 20, 100]
    of_both = [text for each in behind for text in (f"{abs(each.mean()):.1f}", *bounds(each, 1))]
    states("other GANs at length", *means, *bounds(fewest["sgan"], 1), *of_both)
    states("which GAN", "16,000", 0, 4, *written(errors.mean(), 2), *ends)


def test_feature_matching_with_fewer_labels_and_more() -> None:
    where = "method == 'feature_matching'"
    at_length = error_of("label_scarcity_at_length.csv", "split_seed", "n_labels", where=where).unstack()
    sooner = error_of("mnist_100_labels_sooner.csv", "split_seed", where="step == steps == 16000")
    alone = error_of("label_scarcity.csv", "n_labels", where="dataset == 'mnist' and method == 'supervised'")
    assert [len(at_length), len(sooner)] == [5, 10]
    errors = {n: at_length[n] for n in at_length} | {100: sooner}
    ends = {n: evaluation.mean_interval(of_splits.tolist()) for n, of_splits in errors.items()}
    said = {n: written([of_splits.mean(), *ends[n]], 1 if n == 20 else 2) for n, of_splits in errors.items()}
    published = stored_table("published.csv").query("method == 'feature matching' and dataset == 'mnist'")
    theirs = published.set_index("n_labels")[["value", "spread"]]
    beside = written([*theirs["value"], *theirs["spread"][:2]], 2)
    beside.append(f"{errors[20].mean() - theirs['value'][20]:.1f}")
    states("at length", *said[20], *said[50], *said[100], *said[200], *beside, "16,000", "1,000", said[1000][0])
    scatter = written([alone[50], alone[20], at_length[20].min(), at_length[20].max()], 1)
    means = [said[n][0] for n in (50, 200, 1000)]
    states("fewer labels", *said[50], *said[20], *scatter, *means, f"{theirs['value'][50]:.2f}")
    assert ends[50][0] < theirs["value"][50] < ends[50][1]
    assert all(ends[n][0] > theirs["value"][n] for n in (100, 200))


def test_how_much_of_the_central_result_is_due_to_the_gan() -> None:
    spread = error_of("simple_baselines.csv", "seed", "method", where="dataset == 'mnist' and n_labels == 100")
    spread, matching = spread.unstack()["label_spreading"].dropna(), of_standard()["feature_matching"]
    ahead, minutes = (spread - matching).dropna(), of_same_minutes()
    published = stored_table("published.csv").query("dataset == 'mnist' and n_labels == 100").set_index("method")
    others = written(published.loc[["Ladder", "VAT"], "value"], 2)
    expected = [*written([spread.mean(), ahead.mean()], 1), *bounds(ahead, 1), *others, len(ahead), len(minutes)]
    difference = minutes["feature_matching"] - minutes["consistency"]
    states("due to the GAN", *expected, *written([*minutes.mean(), difference.mean()], 2), *bounds(difference, 2))


def of_same_minutes() -> pd.DataFrame:
    """Errors in percent of feature matching and of consistency after about six minutes: a row a split."""
    where = "step == steps == {}".format
    matching = error_of("mnist_100_labels_sooner.csv", "split_seed", where=where(16_000))
    rival = error_of("mnist_100_labels_shifted.csv", "split_seed", where=f"network == 'cnn' and {where(9_000)}")
    errors = pd.DataFrame({"feature_matching": matching, "consistency": rival})
    assert errors.index.tolist() == list(range(10))
    assert not errors.isna().any(axis=None)
    return errors


def test_consistency_with_what_suits_it_in_the_same_minutes() -> None:
    ends = stored_table("mnist_100_labels_shifted.csv").query("step == steps and network == 'cnn'")
    sooner = stored_table("mnist_100_labels_sooner.csv").query("step == steps == 16_000")
    minutes = [f"{table['cpu_seconds'].mean() / 60:.1f}" for table in (ends, sooner)]
    errors = of_same_minutes()
    means, ahead = written(errors.mean(), 2), errors["feature_matching"] - errors["consistency"]
    expected = [*means, *bounds(errors["consistency"], 2)]
    (mean, *_), longer = ends_of("mnist_100_labels_sooner", "steps == 32_000")
    behind = bounds(100 * longer["test_error"] - errors["consistency"], 2)
    twice = [mean, f"{longer['cpu_seconds'].mean() / 60:.1f}", means[1], *behind]
    states("same minutes", *minutes, *expected, f"{ahead.mean():.2f}", *bounds(ahead, 2), *twice)
    states("changes that keep the class", *means, 100, 10)


def test_feature_matching_and_consistency_on_one_network() -> None:
    trials = stored_table("shifted_tuning.csv").groupby(["method", "network", "learning_rate"])["validation_error"]
    assert set(trials.size()) == {3}
    assert dict(trials.count()[lambda counts: counts < 3]) == {("feature_matching", "cnn_pair", 0.003): 1}  # diverged
    ends = stored_table("mnist_100_labels_shifted.csv").query("step == steps")
    rates = ends.groupby(["method", "network"])["learning_rate"].unique().map(list)
    chosen = trials.sum(min_count=3).round(6).groupby(["method", "network"]).idxmin()
    assert [rates[cell] for cell in chosen.index] == [[best[2]] for best in chosen] == 3 * [[0.001]]  # inside the grid
    errors = 100 * ends.query("split_seed < 5").pivot(
        index="split_seed", columns=["network", "method"], values="test_error"
    )
    dense, convolutions = errors["mlp_cropped"], errors["cnn"].join(errors["cnn_pair"])
    gains = [each["consistency"] - each["feature_matching"] for each in (dense, convolutions)]
    assert (gains[0] > 0).all()
    assert (gains[1] < 0).all()
    said = [text for each, gain in zip((dense, convolutions), gains, strict=True)
            for text in (*written(each[["feature_matching", "consistency"]].mean(), 2), f"{abs(gain.mean()):.2f}",
                         *sorted(bounds(gain, 2)))]  # fmt: skip
    without = error_of("mnist_100_labels_sooner.csv", "split_seed", where="step == steps == 16_000 and split_seed < 5")
    by_shifts = without - dense["feature_matching"]
    without_shifts = [f"{without.mean():.2f}", f"{abs(by_shifts.mean()):.2f}", *bounds(by_shifts, 2)]
    states("one network", *said, len(errors), *without_shifts)


def test_the_mistakes_of_the_central_result() -> None:
    every_run = stored_table("mnist_100_labels_mistakes.csv")
    errors = every_run.query("seed < 5").groupby("seed").size() / 100
    assert errors.tolist() == pytest.approx(of_standard()["feature_matching"].tolist())
    labels = data.load("mnist", 100).test.labels
    assert labels[every_run["image"].tolist()].tolist() == every_run["label"].tolist()
    sevens, others = (every_run.query(f"label {sign} 7").groupby("seed").size() for sign in ("==", "!="))
    well, others = sevens[[0, 3, 4]], others[:5]
    states("one digit", others.min(), others.max(), *well.index, well.min(), well.max(), 1, sevens[1], 2, sevens[2])
    states("splits 102 and 103", 103, sevens[103], 102, sevens[102])


def test_a_crossed_seven_among_the_labels_is_no_answer_by_itself() -> None:
    runs = stored_table("mnist_100_labels_sevens.csv").pivot(index="split_seed", columns="labels", values="wrong_7")
    pairs = [(split, *runs.loc[split, ["as drawn", "one crossed"]].astype(int)) for split in (1, 2, 103)]
    pairs += [(split, *runs.loc[split, ["none crossed", "as drawn"]].astype(int)) for split in (0, 3, 4)]
    gains = pd.Series([without - with_it for _, without, with_it in pairs])
    low, high = evaluation.mean_interval(gains.tolist())
    assert low < 0 < high
    assert (gains > 0).sum() == 3
    told = [number for pair in pairs if pair[0] in (1, 2, 3, 103) for number in pair]
    many = [sum(pair[side] > 60 for pair in pairs) for side in (1, 2)]
    states("exchange", *told, *written([gains.mean(), -low, high], 0), len(pairs), *many)
    drawn = error_of("mnist_100_labels_sevens.csv", "split_seed", where="labels == 'as drawn'")
    before = error_of("mnist_100_labels_sooner.csv", "split_seed", where="step == steps == 16_000")
    uncropped = stored_table("mnist_100_labels_mistakes.csv").query("seed == 103 and label == 7")
    on_103 = [103, len(uncropped), int(runs["as drawn"][103])]
    states("story and luck", 1, *written([before[1], drawn[1]], 2), *on_103)


def test_the_lost_start() -> None:
    every_start = stored_table("mnist_100_labels_starts.csv").query("step == 2000").sort_values("split_seed")
    starts, without = every_start[every_start["reuse"]], every_start[~every_start["reuse"]]
    is_lost = starts["feature_matching"] > 10
    lost, kept = starts[is_lost], starts[~is_lost]
    assert [*zip(lost["split_seed"], lost["seed"], strict=True)] == [(2, 2), (206, 206)]
    ranges = kept[["adversarial", "feature_matching"]].agg(["min", "max"])
    expected = [len(kept), len(starts), *written(ranges["adversarial"], 2), *written(ranges["feature_matching"], 1)]
    expected += [len(lost), 2, 206, *written(lost["adversarial"], 3), *written(lost["feature_matching"], 0)]
    states("lost start", *expected, *written(without["feature_matching"], 1))


def test_luck_on_the_split_that_lacks_a_crossed_seven() -> None:
    wrong = wrong_by_luck()
    sevens, every = wrong["wrong_7"], wrong.sum(axis=1)
    others = every - sevens
    runs = [(n, sevens[2, n, True], every[2, n, True], f"{every[2, n, True] / 100:.2f}") for n in (208, 209)]
    seed_2 = (2, sevens[2, 2, True], sevens[2, 2, False])
    states("three seeds", *runs[0], *runs[1], *seed_2, others.min(), others.max(), len(others))
    whole = pd.concat([error_of(f"mnist_100_labels_{table}.csv", "seed") for table in ("rounded", "paper")])
    easy, hard = whole.drop([1, 2]), pd.concat([whole[[1, 2]], every.drop((2, 2, True)) / 100])
    parts = (easy, hard[hard < 1.5], hard[hard > 1.5])
    of_easy, of_good, of_bad = ((len(part), *written((part.min(), part.max()), 2)) for part in parts)
    states("whole runs", *of_easy, *sorted(set(easy.index)), len(hard), 1, 2, *of_good, *of_bad)


def test_who_draws_better() -> None:
    """SGANs are ahead at the first look and behind at the last, on every seed."""
    looks = stored_table("sample_quality.csv").query("method != 'feature_matching'")
    first, last = (looks[looks["step"] == step] for step in (looks["step"].min(), looks["step"].max()))
    assert set(first.loc[first.groupby("seed")["digit_frechet"].idxmax(), "method"]) == {"gan"}
    assert set(last.loc[last.groupby("seed")["digit_frechet"].idxmin(), "method"]) == {"gan"}
    means = last.groupby(["method", "n_labels"])["digit_frechet"].mean()
    wide = last.pivot(index="seed", columns=["method", "n_labels"], values="digit_frechet")
    behind = wide["sgan"].sub(wide["gan"][100], axis=0)
    early = first.pivot(index="seed", columns=["method", "n_labels"], values="digit_frechet")
    ahead = early["sgan"].rsub(early["gan"][100], axis=0)
    ends = [f"{end:,.0f}" for table in (ahead, behind) for end in (table.min().min(), table.max().max())]
    epochs = f"{last['step'].max() * 32 / 60_000:.1f}"
    states("who draws better", *written([means["gan", 100], *means["sgan"][[100, 1000, 59_000]]], 0), *ends, epochs)


def by_split(dataset: str) -> pd.DataFrame:
    return error_of("label_scarcity.csv", "n_labels", "seed", "method", where=f"dataset == '{dataset}'").unstack()


def worth_of_50_labels(left_out: int = -1) -> float:
    """How many labels bring the supervised network to the SGAN's error with 50? A straight line in both logarithms."""
    digits = by_split("digits").query("seed != @left_out").groupby("n_labels").mean()
    (high, low), sgan = digits["supervised"][[100, 200]], digits["sgan"][50]
    assert low < sgan < high
    return 100 * 2 ** (math.log(high / sgan) / math.log(high / low))


def test_labels_and_errors_are_traded() -> None:
    """The interval is the jackknife's, on the logarithm: a t-interval of what each split says (Tukey 1958)."""
    digits, mnist = (by_split(dataset).groupby("n_labels").mean() for dataset in ("digits", "mnist"))
    every = worth_of_50_labels()
    said = [20 * math.log(every) - 19 * math.log(worth_of_50_labels(split)) for split in range(20)]
    spread = [f"{math.exp(end):.0f}" for end in evaluation.mean_interval(said)]
    worth = 5 * round(every / 5)
    splits = stored_table("label_scarcity.csv").groupby("dataset")["seed"].nunique()
    at_50 = written(digits.loc[50, ["supervised", "sgan"]], 1)
    states("methods on digits", 50, at_50[1], worth, *spread)
    states("labels worth, in short", splits["digits"], 50, worth, *spread, 100)
    states("the sweep", splits["digits"], "1,500", splits["mnist"])
    at_100 = written(mnist.loc[100, ["supervised", "feature_matching"]], 1)
    at_length = error_of("mnist_100_labels_sooner.csv", "split_seed", where="step == steps == 16_000").mean()
    at_100.append(f"{at_length:.2f}")
    states("what notebook 05 found", splits["digits"], *at_50, *spread, splits["mnist"], *at_100, 20)
    states("runs behind notebook 05", len(stored_table("label_scarcity.csv")))
    gains = (digits["supervised"] - digits["sgan"])[[20, 50]]
    shares = 100 * gains / digits["supervised"][[20, 50]]
    states("gain with 20 labels", splits["digits"], *written(gains, 1), *written(shares, 0))


def test_the_order_of_the_methods_on_mnist() -> None:
    errors = by_split("mnist")
    mean = errors.groupby("n_labels").mean()
    assert (errors.loc[20].idxmin(axis=1) == "two_head").all()
    worse = errors["bad_gan"] > errors["supervised"]
    assert [list(worse[n].index[worse[n]]) for n in (20, 25)] == [[0, 1], [2, 4]]
    others = errors.drop(columns=["supervised", "pseudo_label"]).drop(index=[20, 25])
    assert others.lt(errors["supervised"].drop(index=[20, 25]), axis=0).all(axis=None)
    assert abs(mean["supervised"][1000] - mean["feature_matching"][100]) < 0.1
    assert all(
        round(mean["supervised"][100] / mean[name][100]) == 3 for name in ("sgan", "feature_matching", "bad_gan")
    )
    better = errors.loc[20, "supervised"] - errors.loc[20, "bad_gan"]
    low, high = evaluation.mean_interval(better.tolist())
    assert low < 0 < high
    gain = [f"{better[3]:.0f}", f"{better.mean():.1f}", *bounds(better, 1)]
    states("methods on MNIST", 0, 1, *gain, 3, len(better), f"{mean['two_head'][20]:.1f}")
    at_25 = mean["supervised"][25]
    theirs = (
        stored_table("published.csv")
        .query("source.str.startswith('Odena')")
        .pivot(index="n_labels", columns="method", values="value")
    )
    theirs = 100 * (1 - theirs.loc[[25, 1000], ["CNN baseline", "SGAN"]])
    of_odena = [*theirs.loc[25], *abs(theirs["CNN baseline"] - theirs["SGAN"])]
    states("published rows", *written([*of_odena, at_25 - mean["sgan"][25], at_25], 1))
    factor = mean["supervised"] / mean.min(axis=1)
    assert {round(factor[n]) for n in (50, 100, 200)} == {3}
    assert factor[1000] < 2
    at_1000 = mean.loc[1000, ["sgan", "two_head", "feature_matching", "bad_gan"]].min(), mean["supervised"][1000]
    states("best gain", f"{mean['supervised'][100] - mean['two_head'][100]:.0f}", *written(at_1000, 1))


def test_the_cautions_of_notebook_05() -> None:
    errors = by_split("digits")
    alone, pseudo = errors.loc[100, "supervised"], errors.loc[100, "pseudo_label"]
    parts = (alone, pseudo, alone - pseudo)
    bounds = written([bound for part in parts for bound in evaluation.mean_interval(part.tolist())], 1)
    states("paired", (alone > pseudo).sum(), len(alone), (alone < pseudo).sum(), *bounds)
    ahead = errors.loc[20, "sgan"] - errors.loc[20, "consistency"]
    states("looking again", 17, *written([ahead[:17].mean(), ahead.mean()], 1), len(ahead), len(ahead))
    lows = [evaluation.mean_interval(ahead[:n].tolist())[0] for n in (10, 17, 20)]
    assert [low > 0 for low in lows] == [False, True, False]
    shifted = error_of("label_scarcity_shifts.csv", "seed", "method").unstack()
    before, after = errors.loc[50].loc[shifted.index].mean(), shifted.mean()
    gains = [errors["supervised"] - errors["sgan"] for errors in (before, after)]
    ends = [errors[method] for errors in (before, after) for method in ("supervised", "sgan")]
    states("shifts for all", *written([*ends, *gains], 1))


def test_features_with_few_labels() -> None:
    of_splits = "split_seed < 3 and dataset == '{}'".format
    simple = error_of("simple_baselines.csv", "method", "n_labels", where=of_splits("mnist"))
    table = stored_table("bigan_features.csv").query("classifier == 'linear' and preset == 'standard'")
    error = 100 * (1 - table.groupby(["representation", "layer", "n_labels"])["accuracy"].mean())
    hidden, pixels = error["bigan", "hidden"], simple["linear"]
    means = written([hidden[100], pixels[100], (pixels - hidden)[1000]], 1)
    states("features with few labels", 100, 20, 3, "1,000", *means)
    judge, before = (error[name, "discriminator", 100] for name in ("latent_regressor", "random"))
    states("features of a discriminator", 100, *written([judge, before], 1))
    assert judge == error.xs(100, level="n_labels").min()
    methods = by_split("mnist").query("seed < 3").groupby("n_labels").mean().loc[100]
    longer = error_of("mnist_100_labels.csv", "method", where="step == steps and seed < 3")
    states("features against methods", "3,000", "24,000", *written([methods["sgan"], longer["sgan"]], 1))
    assert longer["sgan"] < methods["sgan"] < simple["label_spreading", 100] < judge
    simple = error_of("simple_baselines.csv", "method", where=f"{of_splits('digits')} and n_labels == 50")
    sgan = error_of("digits_50_labels.csv", "method", where="split_seed < 3")["sgan"]
    states("digits without labels", 3, *written([simple["linear"], simple["label_spreading"], sgan], 1), "3,000")


def test_what_the_order_of_a_class_does() -> None:
    table = stored_table("conditional_sgan.csv")
    groups = table.groupby(["n_labels", "method"])
    means, n_runs = groups[["sample_accuracy", "digit_frechet", "test_error"]].mean().unstack(), groups.size()
    assert n_runs.nunique() == 1
    right, error = 100 * means["sample_accuracy"]["conditional_sgan"], (100 * means["test_error"]).round(1)
    judge, _ = saved.read_file(str(models.ASSETS / "mnist_classifier.safetensors"), "network")
    judged = [*right, 100 * (1 - judge["test_error"])]
    states("as ordered", *(f"{n:,}" for n in right.index), *written(judged, 1), n_runs.max())
    assert (means["digit_frechet"]["conditional_sgan"] < means["digit_frechet"]["sgan"]).all()
    worst = table[table["method"] == "conditional_sgan"].nlargest(1, "digit_frechet").iloc[0]
    drawn = [*means["digit_frechet"].loc[100], worst["digit_frechet"]]
    states("drawn by order", 100, *written(drawn, 0), f"{worst['n_labels']:,}", f"{100 * worst['sample_accuracy']:.1f}")
    by_method = 100 * table.pivot(index=["n_labels", "seed"], columns="method", values="test_error")
    price = dict(iter((by_method["conditional_sgan"] - by_method["sgan"]).groupby("n_labels")))
    expected = [text for n in (20, 100) for text in (f"{price[n].mean():.1f}", *bounds(price[n], 1))]
    with_many = [text for n in (1000, 59_000) for text in bounds(price[n], 2)]
    each = written([price[59_000].max(), *price[59_000].sort_values().iloc[[0, -2]]], 1)
    said = [*written([*error.loc[20], *error.loc[100]], 1), *expected, f"{price[1000].mean():.2f}", *with_many, *each]
    states("price of the order", 20, 100, *said)
    assert price[20].mean() > price[100].mean() > price[1000].mean() == pytest.approx(1 / 3, abs=0.05)
    assert [evaluation.mean_interval(price[n].tolist())[0] > 0 for n in price] == [True, True, True, False]
    states("order in short", 100, 20, *written(right[[100, 20]], 1), *expected[3:])


def test_the_benchmark() -> None:
    measured = stored_table("benchmark.csv").set_index(["what", "network", "threads"])["value"].sort_index()
    textbook, in_bfloat16 = measured["textbook step / our step"], measured["textbook step / our step in bfloat16"]
    factors = [*textbook["mlp"], *in_bfloat16["mlp"], *textbook["upsample"]]
    speed_up, seconds = measured["sweep, one worker / two workers"], measured["sweep with two workers"]
    shares = measured["matrix products / our step", "mlp"]
    memory = measured["peak memory of a run"] / 1000
    tenths = [*factors, *speed_up, memory.min(), memory.max()]
    states("benchmark", *written(tenths, 1), *written([*shares, *seconds], 0))


def test_the_protocol_names_the_splits_of_every_table_and_keeps_tuning_apart() -> None:
    text = (ROOT / "figures" / "PROTOCOL.md").read_text("utf-8")
    listed = dict(re.findall(r"^\| `(\w+)\.csv` \| ([\d, to]+) \|", text, re.MULTILINE))
    tables = {path.stem: pd.read_csv(path) for path in (ROOT / "figures").glob("*.csv")}
    splits = {name: sorted(set(table["split_seed"].dropna().astype(int))) for name, table in tables.items()
              if "split_seed" in table}  # fmt: skip
    assert listed.keys() == splits.keys()
    for name, ranges in listed.items():
        bounds = [[int(bound) for bound in part.split(" to ")] for part in ranges.split(", ")]
        named = [split for low, high in ((each[0], each[-1]) for each in bounds) for split in range(low, high + 1)]
        assert named == splits[name], name
        assert {*range(100, 103)}.isdisjoint(named) != (name in ("baseline_tuning", "shifted_tuning"))


def test_the_decision_of_notebook_10() -> None:
    table = stored_table("own_data.csv")
    f1 = 100 * table.pivot(index="fold", columns="method", values="macro_f1")
    means, k = f1.mean(), len(f1)
    gans, simple = ["sgan", "feature_matching"], [method for method in f1 if method in comparison.BASELINES]
    best, rivals = means[simple].idxmax(), means.drop(gans)
    assert (means.idxmax(), best, rivals.idxmax()) == ("sgan", "linear", "supervised")

    def gain(method: str, other: str) -> list[float]:
        differences = f1[method] - f1[other]  # folds share training images, hence the second term (Nadeau & Bengio)
        half = stats.t.ppf(0.975, k - 1) * differences.std() * math.sqrt(1 / k + 1 / (k - 1))
        return [differences.mean(), differences.mean() - half, differences.mean() + half]

    of_gan, of_network, rest = gain("sgan", best), gain("supervised", best), gain("sgan", "supervised")
    assert all(low < 0 < high for _, low, high in (of_gan, rest))
    assert all(gain("supervised", method)[1] > 0 for method in simple)
    found = written([means["sgan"], means["supervised"], *of_gan, *of_network, *rest], 1)
    states("own data", *(text.removeprefix("-") for text in found))
