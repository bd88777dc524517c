# Everything below works on a machine with Python 3.11+ and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Tests in parallel: the processes under test mostly wait, so more workers than two cores.
WORKERS ?= 5

# The runner sets lock_timeout itself; counters and versions of one guild or row need no 64 bits.
SQUAWK_EXCLUDE := require-lock-timeout,require-statement-timeout,prefer-bigint-over-int,prefer-bigint-over-smallint

.DEFAULT_GOAL := help
.PHONY: help setup run test bench lint format lock clean

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(VENV)/.ready ## build .venv from the hashed locks

PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-compile

# Three steps with a line each, so that somebody who waits sees what for. A pip of the day first: those that come
# with Python 3.11 take twice as long over an index. What pip would compile one by one is compiled on all processors.
$(VENV)/.ready: requirements-pip.lock requirements-dev.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON). Gatehouse needs Python 3.11 or newer."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Gatehouse needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "[1/3] creating the virtual environment $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "[2/3] installing the locked packages (a minute on the first run)"
	@$(PIP) --require-hashes -r requirements-pip.lock
	@$(PIP) --require-hashes -r requirements-dev.lock
	@echo "[3/3] installing gatehouse itself"
	@$(PIP) --no-build-isolation --editable .
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m compileall -qq -j 0 $(VENV)/lib app ingester sandbox || true
	@touch $@

run: setup ## start the whole system on the sandbox and print the page's URL; Ctrl-C stops it
	@exec $(BIN)/gatehouse sandbox up

# Tests start hundreds of processes: none of them should compile the code anew.
test: export PYTHONDONTWRITEBYTECODE =
test: setup ## run the test suite in parallel
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder $(ARGS)

bench: setup ## measure: ratios within one run
	@$(BIN)/python -m tests.bench $(ARGS)

lint: setup ## ruff, mypy --strict, import contracts, SQL linter
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/squawk --assume-in-transaction --exclude $(SQUAWK_EXCLUDE) sql/migrations/*.sql

format: setup ## format the code
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

lock: ## rewrite the locks from pyproject.toml (needs the package index)
	@test -x .gatehouse-lock/bin/uv || { $(PYTHON) -m venv .gatehouse-lock && .gatehouse-lock/bin/pip install --quiet uv; }
	@echo pip | .gatehouse-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --output-file requirements-pip.lock -
	@.gatehouse-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --no-header --output-file requirements.lock pyproject.toml
	@.gatehouse-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --no-header --constraints requirements.lock --extra dev \
	  --output-file requirements-dev.lock pyproject.toml

clean: ## remove what was built here, and the local data
	@rm -rf $(VENV) .gatehouse .gatehouse-lock build *.egg-info
