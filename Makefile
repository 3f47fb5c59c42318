# Every target sets up what it needs. Windows: run it in Git Bash or WSL, or follow docs/quickstart.md.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed


.PHONY: setup demo test test-formats lint bench docs clean

setup: $(STAMP)

$(STAMP): pyproject.toml requirements/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c requirements/constraints.txt -e ".[dev,formats]"
	@touch $(STAMP)

demo: setup
	$(BIN)/python examples/demo.py

test: setup
	$(BIN)/python -m pytest -n auto

# The formats with toolchains of their own, which are fetched when first run (8 GB, 13 on disk) and kept in the user's cache
# folder, or in YOLO_CACHE_DIR: a quarter of an hour on 2 cores. One format alone: make test-formats ONLY=rknn.
test-formats: setup
	YOLO_CACHE_DIR="$$($(BIN)/python -c 'from ultralytics.utils.env import user_cache_folder; print(user_cache_folder())')" \
	$(BIN)/python -m pytest tests/deploy -m formats --timeout=3600 $(if $(ONLY),-k $(ONLY))

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell ultralytics tests docs examples benchmarks README.md
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python docs/generate.py --check

docs: setup
	$(BIN)/python -m pip install --quiet -c requirements/constraints.txt -e ".[docs]"
	$(BIN)/mkdocs build --strict

bench: setup
	$(BIN)/python -m benchmarks

clean:
	rm -rf build dist site .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
