# `make demo` and `make test` need python3 (3.11 to 3.13) with venv, and nothing else.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
# Torch is no part of the locks: one version, from wherever pip finds it, is needed by the tests alone.
TORCH ?= torch==2.13.0

.PHONY: help demo unit test test-all lint format docs lock package chaos bench clean

help: ## Show this help.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(STAMPS)/venv:
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 14), "Koebin needs Python 3.11 to 3.13"'
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/runtime: $(STAMPS)/venv requirements/runtime.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(STAMPS)/dev: $(STAMPS)/runtime requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(STAMPS)/runtime ## Set up, then narrate examples/ through a broker, a worker and a local store.
	@env $$(env | sed -n 's/^\(KOEBIN_[A-Za-z_0-9]*\)=.*/-u \1/p') PATH="$(abspath $(BIN)):$$PATH" bash examples/demo.sh

# Every process of the tests imports hundreds of modules: byte code is kept, whatever the environment says.
unit test test-all: export PYTHONDONTWRITEBYTECODE =
ARGS ?=
# By file, in the order of collection: those that wait long come first, so that no process ends long after the others.
SPREAD := --dist loadfile --no-loadscope-reorder
unit: $(STAMPS)/dev ## The fast tests alone, which start no process; ARGS="-k marks" chooses among them.
	$(BIN)/python -m pytest -q -n 2 tests/unit -m "not slow and not process" $(ARGS)

test: $(STAMPS)/dev lint ## Set up, lint, and run the tests but for those that wait long; ARGS="-k marks" chooses.
	$(BIN)/python -m pytest -q -n 3 $(SPREAD) -m "not slow" $(ARGS)

test-all: $(STAMPS)/dev lint ## All tests: further faults, recycling, TLS, a thousand ticks.
	$(BIN)/python -m pytest -q -n 2 $(SPREAD) $(ARGS)

lint: $(STAMPS)/dev ## ruff, mypy --strict and import-linter.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMPS)/dev ## Format the code.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(STAMPS)/docs: $(STAMPS)/venv requirements/docs.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/docs.txt
	@touch $@

docs: $(STAMPS)/docs ## Build the documentation with its API reference into site/.
	$(BIN)/mkdocs build --quiet
	@! grep -rnoE '<(script|link|img|iframe)[^>]+(src|href)="(https?:)?//[^"]*' site || { echo "a page asks another server for something" >&2; exit 1; }

lock: $(STAMPS)/venv ## Resolve the dependencies anew.
	$(BIN)/python -m pip install --quiet uv
	bash requirements/lock.sh $(BIN)/uv

package: $(STAMPS)/venv ## Build wheel and sdist into dist/, and try them in empty environments.
	bash requirements/package.sh $(BIN)/python

RUNS ?= 20
SEED ?= 1
chaos: $(STAMPS)/dev ## Break a running queue RUNS times and print what was recovered, and how fast.
	$(BIN)/python -m tests.chaos --runs $(RUNS) --seed $(SEED)

bench: $(STAMPS)/dev ## Measure, and write docs/performance.md.
	$(BIN)/python -m benchmarks

clean: ## Remove what was installed and built.
	rm -rf $(VENV) build dist out site .mypy_cache .ruff_cache .pytest_cache .hypothesis
