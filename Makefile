# Each target does its own set-up: a virtual environment in .venv, the install with
# constraints.txt, then the work. Only Python 3.11 or later and make are needed, no compiler.

PYTHON ?= python3
BIN := .venv/bin
# What `make test` installs: every capability, the benchmarks' rivals, the tests' tools.
EXTRAS ?= all,bench,dev
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Workers must not fight over cores.
export OMP_NUM_THREADS := 1

.PHONY: demo test soak format clean
.DEFAULT_GOAL := demo

demo: .venv/.demo
	$(BIN)/zhufeng demo -o zhufeng-demo

test: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -n 2

soak: .venv/.test
	$(BIN)/pytest -m soak
	$(BIN)/pytest -n 2 --hypothesis-profile=anew

format: .venv/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv zhufeng-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Zhufeng needs Python 3.11 or later; name one: make PYTHON=python3.11"; exit 2; }
	@$(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo "Python's venv is missing; on Debian: apt install python3-venv"; exit 2; }

.venv/.demo: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[corpus,offline-models,train]'
	@touch $@

.venv/.test: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[$(EXTRAS)]'
	@touch $@ .venv/.demo
