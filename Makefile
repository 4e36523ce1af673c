PYTHON ?= python3
BIN := .venv/bin
# One thread for each worker: the workers share the cores already. What one process has compiled the others read, also where the
# environment forbids it.
PYTEST = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal

.PHONY: demo check test compiled faults coverage lint types wheel hashes clean

demo: .venv/installed
	$(BIN)/fewscan demo

# The fast part of the tests: what to run after every change.
check: .venv/installed lint types
	$(PYTEST) -m "not slow"

test: .venv/installed lint types
	$(PYTEST)

# What tests import is compiled once, and not by each of their processes.
compiled: .venv/installed
	$(PYTEST) --numprocesses 0 --collect-only --quiet > /dev/null

# Damaged files and settings, and kills: minutes; see benchmarks/faults.
FAULTS = --files 20000 --settings 2500 --kills 5 --kills-at-changes 5
faults: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.faults $(FAULTS)

coverage: .venv/installed
	$(PYTEST) --cov --cov-report term

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed
	$(BIN)/mypy

# Built, installed anew, and used from outside the checkout.
wheel: .venv/installed
	supply/wheel.sh

.venv/installed: supply/install.sh pyproject.toml constraints.txt requirements-ci.txt
	@echo "installing into .venv (a few minutes, once)"
	supply/install.sh $(PYTHON)
	touch $@

# After a change of constraints.txt, with https://pypi.org/project/uv installed.
hashes:
	grep -v '^torch==' constraints.txt | uv pip compile --quiet --no-deps --generate-hashes --only-binary :all: --no-header \
		--no-annotate --output-file requirements-ci.txt -

clean:
	rm -rf .venv
