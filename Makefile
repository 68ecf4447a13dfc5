# What a person does with a checkout. `make run` needs Python 3.11 or newer, make, and nothing else.
#   make run                the whole system with its demo warehouse    (ARGS=--empty: without the demo)
#   make test               linters and all tests                       (ARGS="tests/edge -k spool": some of them)
#   make bench              measure, one JSON line a figure             (FIGURE=ingest: one group)
#   make clean              forget what the run keeps                   (make distclean: what was installed, too)

VENV := .venv
BIN  := $(VENV)/bin
SEARCH := python3 python3.14 python3.13 python3.12 python3.11 python
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(firstword $(foreach p,$(SEARCH),$(shell command -v $(p) >/dev/null 2>&1 && $(p) -c '$(NEW_ENOUGH)' 2>/dev/null && echo $(p))))
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
NPM := $(BIN)/python -m stowage.parts.node
.DEFAULT_GOAL := help
.PHONY: help run test lint format openapi bench kills clean distclean lock install install-dev

help:
	@sed -n 's/^#   //p' Makefile

run: $(VENV)/.base
	@STOWAGE_STOP_WITH_PARENT=1 exec $(BIN)/stowage run $(ARGS)

test: lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ARGS)

kills: $(VENV)/.dev   # the long form of the crash tests: minutes, not seconds
	$(BIN)/python -m pytest -m slow $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if [ -f dashboards/package.json ]; then echo "$(NPM) (screens)"; $(NPM) install-locked && $(NPM) run -s check; fi

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

openapi: $(VENV)/.base   # after a change of the API: the document that the screens' types are made of
	$(BIN)/python -W ignore -m backend.app --openapi > dashboards/openapi.json

bench: $(VENV)/.dev
	@$(BIN)/python -m tests.bench $(FIGURE)

clean:
	@$(or $(PYTHON),python3) stowage/forget.py

distclean: clean
	rm -rf $(VENV) dashboards/node_modules dashboards/dist

install: $(VENV)/.base
install-dev: $(VENV)/.dev

# --- installing: pinned and hashed, once; the stamp is older than its list when something must be done

$(VENV)/.python:
	@[ -n "$(PYTHON)" ] || { echo "Stowage needs Python 3.11 or newer: install it (Debian: apt install python3 python3-venv)"; exit 1; }
	@echo "making the virtual environment $(VENV) with $$($(PYTHON) --version)"
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python's venv module is not complete: install it (Debian: apt install python3-venv)"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@touch $@

$(VENV)/.base: requirements/base.txt requirements/build.txt pyproject.toml | $(VENV)/.python
	@echo "installing what Stowage needs (the first time: about 250 MB of downloads)"
	$(PIP) install --require-hashes --no-deps -r requirements/build.txt -r requirements/base.txt
	@$(PIP) install -q --no-index --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.base
	@echo "installing what the tests and linters need"
	$(PIP) install -q --require-hashes --no-deps -r requirements/dev.txt
	@touch $@

lock:   # needs uv; keeps what is pinned unless a .in file asks for something else (ARGS=--upgrade: newest)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv"; exit 1; }
	@for list in build base dev tryton; do echo "requirements/$$list.txt"; \
	  uv pip compile -q --universal --generate-hashes --no-header --allow-unsafe --python-version 3.11 $(ARGS) \
	    requirements/$$list.in -o requirements/$$list.txt || exit 1; done
