# One place for every habit; .ci/run and tools/pipeline.sh call it.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
COMPILE := $(BIN)/python -m compileall -qq -j0 $(VENV)/lib || true  # some files are templates, no Python
RECIPE ?= resnet50d_best

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-browser format check test test-slow test-faults test-gpu verify docs demo leaderboard

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

setup: $(STAMP)  ## .venv with what runs need; takes no time when nothing changed
setup-dev: $(DEV)  ## and with what checks, tests and docs need

# pip puts opencv-python and -headless into one folder, in no certain order; the headless one needs no libGL, so it is
# laid on top. pip compiles its files on one core, which takes longer than to install them.
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11, or make setup PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	$(PIP) --force-reinstall --no-deps opencv-python-headless
	@$(COMPILE)
	@touch $@

$(DEV): $(STAMP)
	$(PIP) -e '.[dev]'
	@$(COMPILE)
	@touch $@

# For CI, on Debian as root; elsewhere the tests of the page are skipped where there is no Chromium.
setup-browser:  ## Chromium and its driver, for the tests of the page
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; }

format: setup-dev  ## rewrite the code in the house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: setup-dev  ## lint, format and types; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# These are of the CPU, also where there is a GPU: its sums differ in their last bits.
test: setup-dev  ## the fast tests, on all cores
	CUDA_VISIBLE_DEVICES= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not gpu" -n auto --maxprocesses 8 --dist loadfile

test-slow: setup-dev  ## the long ones: whole pipelines, dry runs at the paper's size, the page in a browser
	CUDA_VISIBLE_DEVICES= $(BIN)/python -m pytest -m "slow and not gpu" -n auto --maxprocesses 4 --dist loadfile

test-faults: setup-dev  ## kills, full disks, two processes on one folder; part of test-slow
	CUDA_VISIBLE_DEVICES= $(BIN)/python -m pytest tests/test_faults.py

test-gpu: setup-dev  ## those that need a CUDA device, the whole pipeline on tier smoke among them; made for four minutes
	$(BIN)/python -m pytest -m gpu -n 4 --dist worksteal

verify: setup  ## score the stored outputs of all committed results again, and compare
	$(BIN)/python tools/leaderboard.py verify

docs: setup-dev  ## the documentation as a site, build/site/index.html; a broken link or anchor is an error
	$(BIN)/mkdocs build --quiet

demo: setup  ## the whole pipeline on the embedded benchmark: make demo RECIPE=resnet50d_best
	tools/pipeline.sh $(RECIPE)

leaderboard: setup  ## results/ -> LEADERBOARD.md, leaderboard.csv, and .html, .json, .tex, which git ignores
	$(BIN)/python tools/leaderboard.py
