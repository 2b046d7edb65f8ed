# One door: every job of the project, each setting up what it needs in .venv first.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test lint type contracts check bench docs agreement conformance clean

demo: $(VENV)/.for-train
	PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo/demo.sh

test: $(VENV)/.for-dev
	$(BIN)/python -m pytest

lint: $(VENV)/.for-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: $(VENV)/.for-dev
	$(BIN)/mypy

contracts: $(VENV)/.for-dev
	$(BIN)/lint-imports

check: lint type contracts test

bench: $(VENV)/.for-bench
	$(BIN)/python -m benchmarks all

fuzz: $(VENV)/.for-dev
	$(BIN)/python -m tests.rules.fuzz --minutes 10

docs: $(VENV)/.for-dev
	$(BIN)/python -m pytest tests/docs

# A night's worth of random expressions through all three evaluators; `make agreement EXPRESSIONS=2000 SEED=7`.
EXPRESSIONS ?= 100000
SEED ?= 1
agreement: $(VENV)/.for-dev
	$(BIN)/python -m tests.rules.language.agreement --expressions $(EXPRESSIONS) --seed $(SEED)

conformance: $(VENV)/.for-dev
	$(BIN)/python -m tests.rules.language.conformance

clean:
	rm -rf $(VENV) .bench build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# A mark is made only after its install ended well, so an interrupted one is run again.
$(VENV)/.for-train: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[train]'
	touch $@

$(VENV)/.for-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[train,dev]'
	touch $@

$(VENV)/.for-bench: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[train,dev,bench]'
	touch $@
