# Everything happens in a virtual environment inside the checkout, one for each
# version of Python. Nothing but Python (3.11 or newer), git and make is needed.

PYTHON ?= python3
WORKDIR ?= runs/demo
# Where prepared data sets are kept.
export TFDS_DATA_DIR ?= $(CURDIR)/.data

VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
VENV := .venv/$(VERSION)
BIN := $(VENV)/bin

.PHONY: help demo test lint types docs wheel hour python clean

help:
	@echo 'make demo    train joint and arm on real sensors and compare them'
	@echo 'make test    run the tests'
	@echo 'make lint    run the linter and the formatter check'
	@echo 'make types   run the type checker'
	@echo 'make docs    build the site, into site/'
	@echo 'make wheel   build wheel and sdist, install each into a clean environment, try'
	@echo 'make hour    what a new user does first, step by step, timed'
	@echo 'make clean   remove the environments, prepared data and caches'
	@echo 'PYTHON=python3.12 takes another interpreter (now: $(PYTHON) $(VERSION))'

demo: $(VENV)/.demo
	@echo '== training joint and arm on watch, into $(WORKDIR)'
	@$(BIN)/python -m experiments.demo --workdir=$(WORKDIR)

test: $(VENV)/.test
	@echo '== running the tests on Python $(VERSION)'
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.lint
	@echo '== ruff'
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.lint
	@echo '== mypy'
	@$(BIN)/mypy

# Without the notice that its theme prints on every build.
docs: export NO_MKDOCS_2_WARNING = 1
docs: $(VENV)/.docs
	@echo '== building the site, site/index.html'
	@$(BIN)/python -m mkdocs build --strict --quiet
wheel: $(VENV)/.demo
	@$(BIN)/python -m docs.checks.wheel

hour: $(VENV)/.demo
	@$(BIN)/python -m docs.checks.first_hour

clean:
	rm -rf .venv .data site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# One line for each thing that may be missing.
python:
	@command -v $(firstword $(PYTHON)) >/dev/null \
	  || { echo 'error: no $(PYTHON) here; install Python 3.11 or newer, or say make PYTHON=/path/to/python3'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'error: $(PYTHON) is Python $(VERSION), too old or broken; 3.11 or newer is needed: make PYTHON=python3.12'; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo 'error: $(PYTHON) has no venv module; on Debian and Ubuntu: apt install python$(VERSION)-venv'; exit 1; }

$(BIN)/python: | python
	@echo '== making the environment $(VENV)'
	@$(PYTHON) -m venv $(VENV)

# A stamp an extra, renewed when the dependencies change.
$(VENV)/.demo: EXTRAS = watch
$(VENV)/.test: EXTRAS = test,watch,media
$(VENV)/.lint: EXTRAS = lint,test,watch,media
$(VENV)/.docs: EXTRAS = docs
$(VENV)/.demo $(VENV)/.test $(VENV)/.lint $(VENV)/.docs: pyproject.toml | $(BIN)/python
	@echo '== installing the project with $(EXTRAS) (a minute or two)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRAS)]'
	@touch $@
