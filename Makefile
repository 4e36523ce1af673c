PYTHON ?= python3
BIN := .venv/bin
# One thread for each worker: the workers share the cores already.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal

.PHONY: demo check test coverage lint types clean

demo: .venv/installed
	$(BIN)/fewscan demo

# The fast part of the tests: what to run after every change.
check: .venv/installed lint types
	$(PYTEST) -m "not slow"

test: .venv/installed lint types
	$(PYTEST)

coverage: .venv/installed
	$(PYTEST) --cov --cov-report term

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed
	$(BIN)/mypy

.venv/installed: pyproject.toml constraints.txt
	@echo "installing into .venv (a few minutes, once)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv
