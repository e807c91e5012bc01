# The course's commands. Each first makes the virtual environment in .venv if it is missing or out of date.
# Needs: make, and Python 3.11 or newer with venv (another interpreter: `make course PYTHON=python3.12`).

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
OLD_WIDGETS := .venv/colab-widgets# the version that Colab has, for tests only
# Kernels and tests run side by side, one per core: one thread each, or they wait for each other in spin loops.
ONE_THREAD := OMP_NUM_THREADS=1
COURSE := $(ONE_THREAD) $(BIN)/python -m sgan_lib.course run $(NOTEBOOKS) $(if $(PRESET),--preset $(PRESET))
NBVAL := SGAN_PROGRESS= $(ONE_THREAD) $(BIN)/pytest notebooks --nbval-lax --nbval-current-env --nbval-cell-timeout 600 \
	--dist loadscope -n 2 --timeout 900

.DEFAULT_GOAL := help
.PHONY: help setup course lab test play check bench notebooks figures sweep clean badges

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | awk -F '\t' '{printf "make %-10s %s\n", $$1, $$2}'

setup: $(STAMP) ## make the virtual environment .venv with everything installed

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is missing or older than Python 3.11. Name a newer one: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12"; \
		exit 1; } >&2
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) has no venv module. Install it (Debian, Ubuntu: apt install python3-venv)."; exit 1; } >&2
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,sweep]'
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $(OLD_WIDGETS) ipywidgets==7.7.1 ipython_genutils==0.2.0
# no pop-up that asks for news, and no question to PyPI whether there is a newer JupyterLab
	$(BIN)/jupyter labextension disable --level=sys_prefix @jupyterlab/apputils-extension:announcements 2>/dev/null
	@touch $@

course: $(STAMP) ## run every notebook (PRESET=standard, NOTEBOOKS="00_start_here 03_sgan") and print the table
	@$(COURSE)

lab: $(STAMP) ## open your own copies of the notebooks, in my/, in JupyterLab
	@$(BIN)/python -m sgan_lib.course copy my
	$(BIN)/jupyter lab --notebook-dir=. --LabApp.default_url=/lab/tree/my/00_start_here.ipynb

test: check ## run all checks and tests: units with coverage, whole processes, a browser, every notebook
	$(ONE_THREAD) $(BIN)/pytest -n 2 --dist worksteal -m "not play" --cov --cov-report=term --cov-fail-under=90
	WIDGETS=7.7.1 PYTHONPATH=$(OLD_WIDGETS) $(ONE_THREAD) $(BIN)/pytest \
		tests/course/test_widgets.py tests/course/test_choices.py -W ignore::DeprecationWarning
	$(NBVAL)

play: $(STAMP) ## play the whole course in a browser: every exercise wrong and then right, every question
	$(ONE_THREAD) $(BIN)/pytest tests/browser/test_play.py

check: $(STAMP) ## lint, formatting, types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(STAMP) ## measure training steps, memory and a sweep into figures/benchmark.csv, ten minutes (ARGS=--quick)
	$(BIN)/python tests/benchmarks/bench.py $(ARGS)

notebooks: $(STAMP) ## build notebooks/*.ipynb from notebooks/src/*.py (NOTEBOOKS="03_sgan")
	$(ONE_THREAD) $(BIN)/python notebooks/build.py $(NOTEBOOKS)

figures: $(STAMP) ## measure what the CSVs of the figures lack, and draw the figures (hours from nothing)
	for script in figures/make/nb*.py; do $(ONE_THREAD) $(BIN)/python $$script $(ARGS) || exit; done

sweep: $(STAMP) ## run methods × labels × seeds into runs/sweep, what is missing of it (ARGS="--dataset mnist ...")
	$(ONE_THREAD) $(BIN)/python -m sgan_lib.sweep $(ARGS)

badges: $(STAMP) ## set the Colab badges (REPOSITORY=owner/name; otherwise GITHUB_REPOSITORY or the git remote)
	$(BIN)/python notebooks/build.py --badges $(REPOSITORY)

clean: ## remove the virtual environment and caches; results in runs/ stay
	rm -rf .venv build dist .coverage *.egg-info .pytest_cache .mypy_cache .ruff_cache .benchmarks
	find . -name __pycache__ -prune -exec rm -rf {} +
