# %% [markdown]
# # 09 · Scaling up: many runs, larger data, and when to stop
#
# <!-- Open in Colab: `make badges REPOSITORY=owner/name` puts the badge here -->
#
# <!-- numbers: runs behind notebook 05 -->
# **One run took you a few seconds. The figure of notebook 05 rests on 805 of them, and SVHN would need weeks on this
# machine. How do you run hundreds of experiments so that a crash costs one of them, and how do you know beforehand what
# the next size will cost?** This notebook turns a notebook into a function, hands a grid of them to a sweep and to a
# cluster, kills it in the middle on purpose, and measures what work costs as it grows.
#
# **After this notebook you can**
# - *run* a notebook with parameters, and *notice* when a parameter did not arrive;
# - *plan*, *run*, *interrupt* and *resume* a [sweep](glossary.md#sweep), on one machine or on a Dask cluster;
# - *estimate* time and memory of a larger experiment from a small measurement, and *decide* how many
#   [splits](glossary.md#split) it needs;
# - *say* when a GAN is the wrong tool.
#
# **Before you start**: notebook [05](05_label_scarcity.ipynb) (label scarcity). **Time**: about 3 minutes of computing
# on two CPU cores, 55 minutes of reading and exercises.
#
# **Stored and live**: the sweeps of parts 1 to 3 and the measurements of part 5 run here. The times of part 4 are from
# `figures/benchmark.csv` (made by `make bench`), the comparison of part 6 from `figures/label_scarcity.csv`, the first
# picture from these two and from the tables of notebook [04](04_feature_matching.ipynb).

# %% tags=["colab"]
# In Colab, this cell installs the course's library and keeps Colab's own torch. Elsewhere it does nothing.
import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

if "google.colab" in sys.modules:
    library = [os.environ.get("SGAN_REPOSITORY", "")]
    for path in Path().glob("*.zip"):  # the course's folder as a zip, if you have uploaded it
        inside = [name for name in zipfile.ZipFile(path).namelist() if name.endswith("sgan_lib/__init__.py")]
        if inside:
            zipfile.ZipFile(path).extractall("course")
            library = [str(Path("course", inside[0]).parents[1].resolve())]
    if importlib.util.find_spec("sgan_lib"):
        library = []
    if library == [""]:
        raise RuntimeError("upload the course's folder as a zip (folder symbol at the left), and run this cell again")
    pure_python = ["anywidget", "jaxtyping", "lightning-utilities", "psygnal", "torchmetrics", "wadler-lindig"]
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*install, *pure_python, *library], check=True)

# %% tags=["imports"]
import json
import logging
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd

if "google.colab" in sys.modules:  # what this notebook needs beside the library
    more = ["papermill", "ansicolors", "tenacity", "distributed", "zict", "tblib", "sortedcontainers"]
    subprocess.run([*install, *more], check=True)
import papermill

from sgan_lib import experiments, sweep, training
from sgan_lib.course import exercises, plotting, runner, stored, widgets

plotting.use_course_style()

# %% tags=["parameters"]
preset = "quick"  # where the settings of the runs come from: quick, standard or paper
seed = 0  # first seed of the small sweeps: weights, batches, and which images are labelled
steps = 200  # training steps of each of their runs
n_seeds = 2  # splits in them
n_labels = 20  # labelled images of `digits` in them
repeats = 15  # steps over which part 5 takes the time

# %% [markdown]
# ## The answer as a picture
#
# How long is one run of [feature matching](glossary.md#feature-matching), on one core?


# %% tags=["nbval-ignore-output"]
def of_matching(table):
    """The rows of a stored table that are about feature matching."""
    return stored.stored_table(table).query("method == 'feature_matching'")


least = of_matching("label_scarcity.csv").groupby("dataset")["seconds"].min()
curves, of_paper = of_matching("mnist_100_labels.csv"), of_matching("mnist_100_labels_paper.csv")
bench = stored.stored_table("benchmark.csv")
rates = bench.query("what == 'real images a second' and threads == 1 and method == 'feature_matching'")
speed = rates.set_index("network")["value"]  # images a second on one core, labelled and unlabelled
run_times = {"digits, 1,500 steps": least["digits"], "MNIST, 3,000 steps": least["mnist"],
             "MNIST, 24,000 steps": curves.query("step == steps")["cpu_seconds"].mean(),
             "MNIST, preset paper": of_paper["cpu_seconds"].mean(),
             "SVHN, as published": 658_800 * 200 / speed["svhn"]}  # fmt: skip

# %% tags=["nbval-ignore-output"]
units = {"weeks": 7 * 24 * 3600, "hours": 3600, "minutes": 60, "seconds": 1}
words = [next(f" {t / size:.2g} {unit}" for unit, size in units.items() if t > size) for t in run_times.values()]
figure, axes = plotting.new_figure(8, 2.6)
panel = axes[0, 0]
panel.plot(list(run_times.values()), list(run_times), "o", color=plotting.COLOURS["blue"])
for time_of_run, name, in_words in zip(run_times.values(), run_times, words, strict=True):
    panel.annotate(in_words, (time_of_run, name), (6, 0), textcoords="offset points", va="center")
panel.set(xscale="log", xlim=(1, 1e8), xlabel="seconds of one core", title="One method, from seconds to weeks")
panel.invert_yaxis()
figure

# %% [markdown]
# **Figure.** Five dots on a logarithmic axis: the time of one core that one run takes, from seconds to weeks. 7
# seconds, 1.4 minutes, 10 minutes and 38 minutes were measured (the first two are the quickest of many runs, since a
# busy machine is slower; MNIST in [bfloat16](glossary.md#bfloat16), `paper` in `mixed`); the 5.2 weeks of SVHN are an
# estimate from the time of a few steps. Between the
# first and the last lies a factor of 450,000.
#
# ## 1 · A notebook as a function
#
# A notebook with one cell tagged `parameters` is a function: [papermill](glossary.md#papermill) copies it, puts a cell
# with your values behind the tagged one, executes the copy from the top, and keeps it with all its outputs. Here is the
# smallest such notebook.

# %%
folder = Path(tempfile.mkdtemp(prefix="scaling-"))
tiny = nbformat.v4.new_notebook(cells=[
    nbformat.v4.new_code_cell("n_labels = 50", metadata={"tags": ["parameters"]}),
    nbformat.v4.new_code_cell("print(f'training with {n_labels} labels')"),
])  # fmt: skip
tiny.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
nbformat.write(tiny, folder / "tiny.ipynb")


def printed_by(executed):
    """All that the cells of an executed notebook printed."""
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs).strip()


# %%
widgets.predict(
    "scaling.slip",
    "The next cell calls the notebook twice. The second call has a slip: it asks for n_label instead of n_labels. Then it",
    choices=["stops with an error", "trains with 20 labels", "trains with 50 labels"],
)

# %% tags=["result", "nbval-check-output"]
quiet = {"progress_bar": False, "extra_arguments": ["--log-level=50"]}
logging.getLogger("papermill").setLevel(logging.ERROR)  # its log would give the answer away
for values in ({"n_labels": 20}, {"n_label": 20}):
    executed = papermill.execute_notebook(folder / "tiny.ipynb", folder / "copy.ipynb", values, **quiet)
    print(f"{values}: {printed_by(executed)}")
last = {"50": "trains with 50 labels", "20": "trains with 20 labels"}[printed_by(executed).split()[2]]
widgets.reveal(
    "scaling.slip", last, "Papermill puts a cell with n_label = 20 behind the tagged one, and nobody reads it."
)

# %% [markdown]
# Papermill notes "Passed unknown parameter: n_label" in its log, which nobody reads in a night of 400 runs, and goes
# on. A table built from such copies has a row labelled "20" with the result of 50. That is why the course never calls
# papermill directly: `runner.run_notebook` compares the names and types with the tagged cell first.

# %% tags=["nbval-check-output"]
try:
    runner.run_notebook(folder / "tiny.ipynb", {"n_label": 20}, folder / "out")
except ValueError as error:
    print(f"refused: {error}")

# %% [markdown]
# The notebook that the sweep executes is `notebooks/run_experiment.ipynb`: one method, one split, one result. Any
# copy of it can be opened and run again alone.
#
# ## 2 · A grid of them
#
# A sweep is the product of methods, numbers of labels and seeds; each point executes that notebook in a kernel of its
# own. Two lines describe it, and a dry run says what would happen.


# %%
def shell(*words):
    """Run `python -m` with these words, as you would in a terminal; print what it prints (the progress bar aside)."""
    done = subprocess.run([sys.executable, "-m", *map(str, words)], capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.strip() and "watch it at" not in line]
    print("\n".join(lines).replace(str(folder), "…"))
    return done


seeds = range(seed, seed + n_seeds)
grid = ["--dataset", "digits", "--methods", "supervised", "sgan", "--n-labels", n_labels, "--seeds", *seeds]
grid += ["--preset", preset, "--set", f"steps={steps}", "--device", "cpu", "--out", folder / "sweep"]

# %% tags=["nbval-ignore-output"]
planned = shell("sgan_lib.sweep", *grid, "--dry-run")

# %% [markdown]
# By now every setting of every run has been resolved: its name, type and range are checked, and so is whether the
# method works with these networks. A typing error costs a second, not a night.
#
# Now start it, and do what power cuts do. The cell starts the sweep as a process, waits until two runs are done, and
# kills it with signal 9, which no program can catch.

# %%
widgets.predict(
    "scaling.resume",
    "Four runs were asked for, on two workers. The sweep is killed once two are done. How many will a second call have to run?",
    choices=["none", "those without a result", "all four"],
)

# %% tags=["nbval-ignore-output"]
command = [sys.executable, "-m", "sgan_lib.sweep", *map(str, grid), "--workers", "2"]
first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while len(list((folder / "sweep").glob("*/result.json"))) < 2 and first.poll() is None:
    time.sleep(0.05)
first.kill()
first.wait()
kept = {path: path.read_text() for path in sorted((folder / "sweep").glob("*/result.json"))}
print(f"{len(kept)} results are there")

# %% tags=["result", "nbval-ignore-output"]
second = shell("sgan_lib.sweep", *grid, "--workers", "2")

# %% tags=["result", "nbval-check-output"]
after = {path: path.read_text() for path in sorted((folder / "sweep").glob("*/result.json"))}
print("exit code", second.returncode, "and", len(after), "results")
print("results from before the kill untouched:", all(after[path] == text for path, text in kept.items()))
print("half-written files:", len(list((folder / "sweep").rglob("*.partial"))))
again = "all four" if any(after[path] != text for path, text in kept.items()) else "those without a result"
widgets.reveal("scaling.resume", again, "A folder with a result is done, and the sweep leaves it alone.")

# %% [markdown]
# The second call ran what was missing and nothing else. (Mind the table's t-intervals: of two runs Student's t is 12.7.
# The course quotes none of fewer than five.) Three habits make that work, and you can have them in any project: a run
# writes its result *last*, under another name first, and renames it (a rename is whole or not at all); the folder's
# name says what the run is, so "is it done?" is a question to the disk and not to a memory; and whoever writes holds
# a lock that the system takes away when the process dies.

# %%
widgets.quiz("scaling", "rename")

# %% [markdown]
# A run that *fails* is a different matter from a sweep that dies. Ask for a learning rate of a million:

# %% tags=["nbval-ignore-output"]
bad = ["--methods", "supervised", "--n-labels", n_labels, "--seeds", seed, "--set", "learning_rate=1e6"]
failing = shell("sgan_lib.sweep", *bad, "--device", "cpu", "--out", folder / "failing")

# %% tags=["nbval-check-output"]
print("exit code", failing.returncode)
for path in sorted((folder / "failing").glob("*/failure.json")):
    print(path.parent.name, "->", json.loads(path.read_text())["reason"].split(":")[0])

# %% [markdown]
# The loss passed the limit of the library's guard, the run stopped there and said what to try, and the sweep went on
# (here there was nothing to go on with). It left its reason in `failure.json`, the notebook as far as it came, a row
# in the table, and an exit code that a night job can act on. A gap in a table that nobody explains is the
# alternative, and it is how failed seeds vanish from averages.
#
# A sweep prints the address of the **dashboard** of its [Dask scheduler](glossary.md#dask-scheduler) when it starts: a
# page that shows live which worker does what. Start `make sweep` in a terminal and open it. Each bar of its "task
# stream" is a run; a row without a bar is an idle [worker](glossary.md#worker). The picture to look for is one long bar
# at the end beside empty rows. It has a cure:
#
# ### Exercise 1: the last run
#
# **Why.** Runs of 400 seconds and of 20 seconds in one grid, two workers: the order decides when you go home. Each
# worker takes the next run of the list when it is free. Return when the last run ends.


# %% tags=["nbval-check-output"]
def makespan(seconds, workers):
    """A list of run times in the order of the list, and a number of workers -> the time until all are done."""
    raise NotImplementedError  # a number of seconds


# exercises.hint("scaling.makespan")  # delete the first # for a hint; run twice for two
exercises.check("scaling.makespan", makespan)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def makespan(seconds, workers):
#     free_at = [0] * workers
#     for duration in seconds:
#         free_at[free_at.index(min(free_at))] += duration
#     return max(free_at)
#
#
# exercises.check("scaling.makespan", makespan)
# ```
#
# Try it: `makespan([20] * 20 + [400], 2)` is 600, `makespan([400] + [20] * 20, 2)` is 400. The longest first.
# </details>
#
# ## 3 · A cluster
#
# Dask's scheduler and workers are processes, on this machine or on others; the sweep is a client that sends them runs
# and writes down what comes back. The workers need the library installed, and no shared disk. Here are a scheduler
# and two workers as three processes. On real machines you type the same three commands, one a machine.

# %% tags=["nbval-ignore-output"]
card = folder / "scheduler.json"
local = ["--scheduler-file", str(card), "--no-dashboard"]
roles = {
    "scheduler": ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *local],
    "worker 1": ["distributed.cli.dask_worker", "--nthreads", "1", *local],
    "worker 2": ["distributed.cli.dask_worker", "--nthreads", "1", *local],
}
silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
cluster = [subprocess.Popen([sys.executable, "-m", *words], **silent) for words in roles.values()]
try:
    while not card.exists() and cluster[0].poll() is None:
        time.sleep(0.05)
    address = json.loads(card.read_text())["address"]
    started = time.perf_counter()
    over_there = shell("sgan_lib.sweep", *grid[:-1], folder / "cluster", "--scheduler", address)
    elapsed = time.perf_counter() - started
finally:  # no process outlives the cell, whatever went wrong in it
    for process in reversed(cluster):
        process.terminate()
        process.wait()

# %% tags=["nbval-check-output"]
here, there = (sweep.collect(folder / name).set_index("run") for name in ("sweep", "cluster"))
print("the same runs:", sorted(here.index) == sorted(there.index))
print("the same test errors, digit by digit:", (here["test_error"] == there.loc[here.index, "test_error"]).all())

# %% tags=["nbval-ignore-output"]
training_time = there["seconds"].sum()
print(f"{len(there)} runs in {elapsed:.0f} s, of which training took {training_time:.0f} s on both workers together")

# %% [markdown]
# The errors agree digit by digit, since seeds, threads and settings travel with a run. (On another kind of processor
# the last digits may differ.) The time is another matter. (The estimate counts one worker, because the sweep does not
# ask a cluster how many it has.) In the stored run most of it is start-up: the two workers', once, and for every run a
# new kernel that imports torch. More workers share it, but do not make it smaller. The rule of thumb:
# let a run last ten times its start-up, and the start-up no longer matters. The runs of notebook 04 last ten minutes.

# %%
widgets.quiz("scaling", "start_up")

# %% [markdown]
# Before the first run the sweep asks each worker for its versions. A worker without the library, or with another
# version of it or of torch, is named and left out. A run that kills its worker is tried four times by Dask and then
# marked as failed; the other runs go on.
#
# **Who may use your cluster.** A Dask worker runs whatever reaches its scheduler. A sweep on your own machine listens
# on 127.0.0.1 only, so no other machine can connect; another user *of the same machine* can. On a shared machine, and
# for a cluster across machines, use certificates. Dask reads their places from its configuration, so the sweep needs
# no option for them:
#
# ```
# export DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=true
# export DASK_DISTRIBUTED__COMM__TLS__CA_FILE=ca.pem
# for role in SCHEDULER WORKER CLIENT; do
#     export DASK_DISTRIBUTED__COMM__TLS__${role}__CERT=own.pem DASK_DISTRIBUTED__COMM__TLS__${role}__KEY=own.key
# done
# dask scheduler --protocol tls                                     # on one machine
# dask worker tls://HOST:8786 --nthreads 1                          # on the others
# python -m sgan_lib.sweep --scheduler tls://HOST:8786 --out runs/cluster
# ```
#
# ## 4 · A GPU, and half the bits
#
# `device="auto"` takes a GPU if there is one, and `precision="bfloat16"` halves the bits of the numbers that enter each
# matrix product, where the processor has instructions for it. Both change time, not the method. (Nearly: in bfloat16
# the last tanh of a generator loses its small gradients, as [A1](A1_case_studies.ipynb), section 3, shows;
# `precision="mixed"`, a form of [mixed precision](glossary.md#mixed-precision), leaves that one function to float32.)
# What do they bring?

# %% tags=["nbval-check-output"]
steps_taken = bench[bench["what"].isin(["textbook", "ours", "ours in bfloat16"]) & (bench["threads"] == 1)]
print(steps_taken[["what", "network", "method", "value", "unit"]].to_string(index=False))

# %% [markdown]
# Milliseconds for a step on one core of an AMD EPYC server, networks of Salimans' MNIST pair (`mlp`) and of a
# tutorial's two-head pair (`upsample`). "Textbook" is a step written the way most published code is; the head of
# `tests/benchmarks/textbook.py` says what differs. Half the bits bring a factor of 1.5 here, and nothing on a processor
# without the instructions, so `precision` is a setting and not a default.
#
# **On a GPU** these numbers do not hold, and no run of this course was made on one. A step of the MNIST pair is a few
# dozen small kernels, and starting one costs a GPU some microseconds whatever its size. So small networks should gain
# little, and the large convolutions of the SVHN pair most. Measure before you rent: one short `experiments.run` with
# `device="cuda"` and one with `device="cpu"`, and compare their `seconds`.
#
# ## 5 · What work costs as it grows
#
# Time first. A step handles a batch; how does its time grow with the batch? And with the width of the layers?

# %%
widgets.predict(
    "scaling.batch",
    "Twice the unlabelled images in a batch; 50 labelled ones stay. How does the time of a step change?",
    choices=["less than twice", "twice", "more than twice"],
)


# %%
def step_time(network, batch_size, method="feature_matching", dataset="mnist"):
    """Least seconds of a training step on this machine, one thread; whatever else runs can only add to it."""
    settings = experiments.resolve(method, dataset, preset, network, batch_size=batch_size, threads=1)
    with experiments.reproducible(settings):
        run, taken = experiments.prepare(settings), []
        for step in range(repeats + 2):
            batch, begin = run.batches.at(step), time.perf_counter()
            training.training_step(run.state, batch)
            taken.append(time.perf_counter() - begin)
    return min(taken[2:])


# %% tags=["result", "nbval-ignore-output"]
sizes = [10, 25, 50, 100, 200]
times = {name: [1000 * step_time(name, size) for size in sizes] for name in ("mlp_small", "mlp")}
slopes = {name: np.polyfit(sizes, values, 1) for name, values in times.items()}
for name, (slope, constant) in slopes.items():
    print(f"{name}: about {constant:.1f} ms a step and {slope:.3f} ms an image")
figure = plotting.curves({name: (sizes, values) for name, values in times.items()}, "A step has a price of its own",
                         "unlabelled images a batch", "milliseconds a step")  # fmt: skip
for line in figure.axes[0].lines:
    line.set_marker("o")
figure.axes[0].set(xlim=(0, None), ylim=(0, None))
figure

# %% [markdown]
# **Figure.** Time of a step against the unlabelled images in a batch, one thread. From 25 images on both lines are
# nearly straight, and neither would start at zero: a step has a price of its own. It has the 50 labelled images in it,
# and the work on weights, which Adam reads and writes for 10 images as for 200. (How it divides was not measured.) The
# pair with wider layers, `mlp`, takes longer.

# %% tags=["result", "nbval-ignore-output"]
factor = times["mlp"][-1] / times["mlp"][-2]
print(f"mlp, 200 images instead of 100: {factor:.2f} times the time")
outcome = "less than twice" if factor < 1.95 else "twice" if factor < 2.05 else "more than twice"
widgets.reveal("scaling.batch", outcome, "A step has a price of its own, which is paid once for any batch.")

# %% [markdown]
# So twice the unlabelled images cost less than twice the time. (It does not follow that large batches are better: a
# step is one update, whatever its batch.)
#
# Now memory. The library keeps a data set's images as it found them, as bytes, and makes floats of a batch at a time.
# Which of these sets fits into the 12 GB of free Colab as bytes, and which as floats?

# %% tags=["nbval-check-output"]
sets = {"MNIST": (60_000, 28 * 28), "SVHN": (73_257, 3 * 32 * 32), "CIFAR-10": (50_000, 3 * 32 * 32),
        "SVHN with the extra set": (604_388, 3 * 32 * 32), "ImageNet at 64×64": (1_281_167, 3 * 64 * 64)}  # fmt: skip
memory = pd.DataFrame(
    {
        name: {"as bytes, GB": count * size / 1e9, "as floats, GB": 4 * count * size / 1e9}
        for name, (count, size) in sets.items()
    }
).T
print(memory.round(2).to_string())

# %% [markdown]
# As bytes all but the last fit, as floats SVHN with its extra images fits only if nothing copies them. For the last row
# neither will do; there one reads from disk in shuffled shards, which this library does not.

# %%
widgets.quiz("scaling", "bytes")

# %% [markdown]
# And what does a whole run take? That was measured:

# %% tags=["nbval-check-output"]
of_runs = bench[bench["unit"] == "MB"].pivot(index=["dataset", "network"], columns="what", values="value")
print(of_runs.sort_values("peak memory of a run").round().astype(int).rename_axis(columns=None).to_string())

# %% [markdown]
# Of these megabytes 470 are there before the first image: torch and what it brings. MNIST's images are 55 more with the
# test set, those of `mnist_rgb` 215. The rest is weights, their average, Adam's two moments for each, and the
# activations of a batch; how it divides was not measured. Eight runs side by side need eight times the whole, imports
# included.
#
# And the whole experiment. What would the published runs cost here? The images of the published protocol, labelled and
# not, at the measured speed of one core of the machine that the stored benchmark was made on. These are
# **estimates**.

# %% tags=["nbval-check-output"]
published = {"MNIST, Salimans' protocol": ("mlp", 180_000, 200), "SVHN, Salimans' protocol": ("svhn", 658_800, 200),
             "the small SVHN pair here, standard": ("svhn_small", 4000, 64)}  # fmt: skip
for name, (network, n_steps, images) in published.items():
    hours = n_steps * images / speed[network] / 3600
    print(f"{name:36} {hours:7.1f} hours a run, {10 * hours:8,.1f} for ten splits, on one core")

# %% [markdown]
# MNIST as published, in float32 and without the short cuts of `paper` above, is an afternoon a run. SVHN as published
# is 880 hours, five weeks, and ten splits are a year: not on this machine. A GPU that trains such convolutions fifty
# times as fast (an assumption; measure yours) makes eighteen hours of a run. The small pair fits into minutes, and that
# is why [10](10_your_data.ipynb) uses it. Scaling *down* until an experiment can be repeated ten times is often worth
# more than one run at full size.
#
# ### Exercise 2: how many splits?
#
# **Why.** Ten splits cost ten times one. How many do you *need*? If the [paired
# differences](glossary.md#paired-difference) have the standard deviation `sd`, their mean over n splits has the
# [standard error](glossary.md#standard-error) sd/√n. Return the smallest n for which 1.96 standard errors are at most
# the `difference` that you want to see with even odds.


# %% tags=["nbval-check-output"]
def splits_needed(sd, difference):
    """Both in percentage points -> the smallest whole number of splits."""
    raise NotImplementedError  # a whole number


# exercises.hint("scaling.splits_needed")  # delete the first # for a hint; run twice for two
exercises.check("scaling.splits_needed", splits_needed)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# import math
#
#
# def splits_needed(sd, difference):
#     return math.ceil((1.96 * sd / difference) ** 2)
#
#
# exercises.check("scaling.splits_needed", splits_needed)
# ```
#
# Half the difference, four times the splits. (For few splits the factor should come from Student's t distribution and
# is larger: 2.78 at five. And with this n a true difference of exactly that size is still missed every other time; to
# see it four times out of five, put 2.8 = 1.96 + 0.84 in place of 1.96. Take the answer as a lower bound.)
# </details>
#
# With it, the stored runs on `digits` say what they could have shown: twenty splits, four numbers of labels, the SGAN
# beside feature matching and beside consistency.

# %%
widgets.predict(
    "scaling.visible",
    "In how many of these eight comparisons is the mean difference as large as what twenty splits show with even odds?",
    choices=["none", "1 to 4", "5 to 8"],
)

# %% tags=["result", "nbval-check-output"]
runs = stored.stored_table("label_scarcity.csv").query("dataset == 'digits'")
errors = 100 * runs.pivot(index=["n_labels", "split_seed"], columns="method", values="test_error")
needed = exercises.worked("scaling.splits_needed", splits_needed)
rows = []
for rival in ("feature_matching", "consistency"):
    for n, gains in (errors["sgan"] - errors[rival]).groupby("n_labels"):
        smallest = 1.96 * gains.sem()
        rows.append({"SGAN minus": rival, "labels": n, "splits": len(gains), "points": gains.mean(), "sd": gains.std(),
                     "visible from": smallest, "splits for half a point": needed(gains.std(), 0.5)})  # fmt: skip
rows = pd.DataFrame(rows)
print(rows.round(2).to_string(index=False))
n_visible = int((rows["points"].abs() >= rows["visible from"]).sum())
in_words = "none" if n_visible == 0 else "1 to 4" if n_visible < 5 else "5 to 8"
widgets.reveal(
    "scaling.visible", in_words, "The differences scatter more from split to split than their means are large."
)

# %% [markdown]
# Whether the SGAN is better than either on `digits` is not known from this table. At 20 labels the differences between
# SGAN and feature matching scatter by 3.53 points; to see half a point there with even odds would take 192 splits.
#
# ## 6 · When not to use a GAN
#
# The fastest step is the one you do not take. Here is what seven methods bring on `digits` with 50 labels, same
# network, same splits, and [label spreading](glossary.md#label-spreading), which needs no network.

# %% tags=["nbval-check-output"]
spreading = stored.stored_table("simple_baselines.csv").query("method == 'label_spreading' and dataset == 'digits'")
fifty = pd.concat([runs, spreading]).query("n_labels == 50")
bill = fifty.groupby("method").agg(error=("test_error", "mean"), splits=("seed", "nunique"))
bill["error, %"] = (100 * bill.pop("error")).round(1)
print(bill.sort_values("error, %").to_string())

# %% [markdown]
# The first four rows are within half a point: three GANs, and one method without a generator. Consistency trains a
# single network, without a generator that could collapse, and its distance from the SGAN, at every number of labels, is
# smaller than these splits can show. [Consistency](glossary.md#consistency) alone is told which distortions keep the
# class.
#
# <!-- numbers: changes that keep the class -->
# On MNIST with 100 labels consistency (convolutions, shifts) has 1.26 %, feature matching (dense) 1.94 % in as many
# minutes (ten splits; notebook [05](05_label_scarcity.ipynb), part 5).
#
# Do **not** train a GAN for its classifier when
# - **labels are cheap**: read the curve of notebook [05](05_label_scarcity.ipynb) horizontally. If a day of labelling
#   brings as much as the GAN, label;
# - **you have tens of thousands of labels**: at 30,000 MNIST labels the N+1 form shows no gain and two heads lose, for
#   six times the computing ([03](03_sgan.ipynb), three splits);
# - **you know which changes keep the class**: then try a consistency method first, beside the same network alone;
# - **a [pretrained network](glossary.md#pretrained-network) exists** for your kind of images: its features with a
#   linear classifier are the baseline to beat. This course has no such network to show;
# - **the unlabelled images are not of your classes**: part 7 of notebook [05](05_label_scarcity.ipynb) measures what
#   foreign images do;
# - **nobody will look after it**: a GAN can collapse or diverge on the next data set.
#
# What speaks for a GAN is narrow. With 50 labels of `digits` (settings chosen with 400) it has fewer errors than the
# same network alone, not clearly fewer than label spreading; with 100 labels of MNIST it is far ahead of that. So it is
# a *candidate* where labels are few, unlabelled images are plenty and of the same kind, and neither a pretrained
# network nor known changes are at hand. Spectra or medical slices may be such a case. No experiment of this course
# shows that it wins there. Compare it with simple baselines first, as [10](10_your_data.ipynb) does.

# %%
widgets.quiz("scaling", "spectra")

# %% [markdown]
# ### Exercise 3: which tool?
#
# **Why.** You will be asked. For each situation say what comes first, by the rules above: "label more", "supervised",
# "consistency", or "compare": a GAN beside simple baselines on the labels at hand.

# %% tags=["nbval-check-output"]
situations = {
    "20,000 labelled photos of screws, 30,000 without labels, all ten types": None,
    "60 labelled and 50,000 unlabelled street numbers; small shifts and contrast do not change a number": None,
    "40 labelled and 100,000 unlabelled spectra of a new sensor; nobody knows which changes keep the class": None,
    "100 labels; the next 1,000 cost an afternoon of one person": None,
}
# exercises.hint("scaling.which_tool")  # delete the first # for a hint; run twice for two
exercises.check("scaling.which_tool", situations)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# situations = {
#     "20,000 labelled photos of screws, 30,000 without labels, all ten types": "supervised",
#     "60 labelled and 50,000 unlabelled street numbers; small shifts and contrast do not change a number": "consistency",
#     "40 labelled and 100,000 unlabelled spectra of a new sensor; nobody knows which changes keep the class": "compare",
#     "100 labels; the next 1,000 cost an afternoon of one person": "label more",
# }
# exercises.check("scaling.which_tool", situations)
# ```
#
# For the spectra nothing here was measured, so the answer is a measurement and not a method. The street numbers need
# one too, after that first try: on the coloured digits of [10](10_your_data.ipynb) consistency is behind the SGAN.
# </details>
#
# ## What you found
#
# - Papermill lets a misspelt parameter pass; a checked call does not.
# - A sweep was killed with signal 9 after two of four runs. The second call ran the other two; the two results from
#   before stayed as they were, and nothing was half written.
# - A run that diverged left its reason and stopped nothing else.
# - The same runs on a cluster of three processes gave the same test errors, digit by digit.
# - As published, SVHN would take five weeks of one core a run.
# - Twenty splits of `digits` cannot tell the SGAN from feature matching, or from consistency, at any number of
#   labels; with 20 labels, half a point between the first two would need 192, for even odds.
#
# **Still open.** Everything here is one machine's CPU. What a GPU changes, two runs will tell you where there is one;
# whether the order of the methods is the same on SVHN and CIFAR-10 at full size, nobody has measured in this course.
# The sweep will run it, `--dataset svhn --preset paper`, at five weeks of one core for every run.
#
# **Read on.** Oliver et al. 2018, *Realistic Evaluation of Deep Semi-Supervised Learning Algorithms*
# (arXiv:1804.09170): equal budgets for all. Sohn et al. 2020, *FixMatch* (arXiv:2001.07685). The documentation of
# papermill and of `dask.distributed`.
#
# Ten questions to close, and how far you are:

# %%
widgets.quiz("scaling")

# %%
exercises.progress()

# %% [markdown]
# **Next**: [10 · Your data](10_your_data.ipynb), on a folder of your own.

# %% tags=["headline", "nbval-ignore-output"]
print(f"headline: {len(after)} runs survived a kill, {len(there)} ran on a cluster with the same errors")
