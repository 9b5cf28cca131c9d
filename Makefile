# Everything sets itself up: Python >= 3.11 with venv is all that must be there.
# Choose another interpreter with `make PYTHON=python3.12 …`.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
# Three processes for two cores, the smallest machine we support: a third of the time a test waits for nodes of its own.
# Who has nothing left takes over from the others, so that the long files of process tests are not last.
PYTEST_ARGS ?= -n 3 --dist worksteal

BIN := $(VENV)/bin
PY  := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
CODE := protocols resolver registry node
RUN_STAMP := $(VENV)/.run-stamp
DEV_STAMP := $(VENV)/.dev-stamp
LANE_STAMP := $(VENV)/.lane-stamp
ASAN_DIR := build/asan
# Hundreds of processes are started here, nodes and commands. Without bytecode kept each would compile all of it anew:
# a fifth of a whole test run.
unexport PYTHONDONTWRITEBYTECODE
export PIP_ROOT_USER_ACTION = ignore
export PIP_NO_INPUT = 1

.DEFAULT_GOAL := help
.PHONY: help demo serve test check fix nightly asan lane bench lock clean format lint types imports
.NOTPARALLEL:
.DELETE_ON_ERROR:

help: ## list these targets
	@echo "Biaojie, a secondary node for identifier resolution. Targets:"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)$$/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) \
	  | while IFS='|' read -r name text; do printf '%-16s %s\n' "$$name" "$$text"; done

demo: $(RUN_STAMP) $(LANE_STAMP) ## start three nodes on a real sample and show them at work (ARGS=--exit ends by itself)
	$(BIN)/biaojie demo $(ARGS)

serve: $(RUN_STAMP) $(LANE_STAMP) ## run a node (ARGS="--config DIR/node.toml"; without, an embedded default)
	$(BIN)/biaojie serve $(ARGS)

test: $(DEV_STAMP) $(LANE_STAMP) ## run the tests (ARGS="tests/protocols -k udp" narrows them)
	$(PY) -m pytest $(PYTEST_ARGS) $(ARGS)

check: format lint types imports test ## format, lint, types, import contracts, tests: all that CI asks

format: $(DEV_STAMP)
	@echo "== format"
	$(BIN)/ruff format --check .

lint: $(DEV_STAMP)
	@echo "== lint"
	$(BIN)/ruff check .
	$(PY) hatch_build.py --strict

types: $(DEV_STAMP)
	@echo "== types"
	$(BIN)/mypy

imports: $(DEV_STAMP)
	@echo "== import contracts"
	$(BIN)/lint-imports --no-logo

fix: $(DEV_STAMP) ## repair what a machine can: format, lint, the reference pages
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(PY) docs/reference.py

nightly: $(DEV_STAMP) $(LANE_STAMP) ## the long fuzz and crash runs
	HYPOTHESIS_PROFILE=nightly $(PY) -m pytest -m "nightly or not nightly" --timeout 3600 $(ARGS)

lane: $(DEV_STAMP) ## compile the optional compiled part of the hot path, or say why not
	@rm -f $(LANE_STAMP)
	@$(MAKE) --no-print-directory $(LANE_STAMP)

# In a copy of the tree: the Python that loads a sanitized module needs the sanitizer before everything else, and
# whoever works in this tree meanwhile does not have it. Leaks are not looked for: Python keeps much until its end.
asan: $(DEV_STAMP) ## the tests of the compiled part under AddressSanitizer and UBSan (gcc; ARGS narrows them)
	rm -rf $(ASAN_DIR) && mkdir -p $(ASAN_DIR)
	cp -r $(CODE) bench tests deploy docs hatch_build.py pyproject.toml $(ASAN_DIR)
	cd $(ASAN_DIR) && $(abspath $(PY)) hatch_build.py --sanitize --needed
	cd $(ASAN_DIR) && LD_PRELOAD="$$($${CC:-gcc} -print-file-name=libasan.so) $$($${CC:-gcc} -print-file-name=libubsan.so)" \
	  ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	  PYTHONMALLOC=malloc BIAOJIE_NEEDS_LANE=1 $(abspath $(PY)) -m pytest -p no:cacheprovider -k "not python" \
	  --ignore tests/lane/test_build.py $(or $(ARGS),tests/lane tests/node/listeners)

bench: $(DEV_STAMP) $(LANE_STAMP) ## measure beside NSD, Knot, nginx, Redis and bare echoes (ARGS="--path udp" narrows it)
	$(BIN)/biaojie bench compare $(ARGS)

lock: $(DEV_STAMP) ## resolve the dependencies anew into requirements/
	sh requirements/lock.sh $(BIN)/pip-compile

clean: ## remove the environment, caches and build products
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	rm -rf node/lane/*.so node/lane/.build-*
	find $(CODE) tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# The environment a node needs: the locked packages, the locked build back-end, and the project itself,
# built without the network and without isolation.
$(RUN_STAMP): requirements/run.txt requirements/build.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Biaojie needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>/dev/null || echo not there)." >&2; \
	  echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(PY) -m pip --version >/dev/null 2>&1 || { echo "== making $(VENV)"; $(PYTHON) -m venv --clear $(VENV); }
	@echo "== installing the locked packages"
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --require-hashes -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# What is tested is made of the sources at hand. Where it cannot be made, one line says so and everything runs without;
# with BIAOJIE_NEEDS_LANE in the environment (CI), that is a failure.
$(LANE_STAMP): $(RUN_STAMP) hatch_build.py $(wildcard node/lane/*.c node/lane/*.h)
	@$(PY) hatch_build.py $(if $(BIAOJIE_NEEDS_LANE),--needed)
	@touch $@

$(DEV_STAMP): $(RUN_STAMP) requirements/dev.txt
	@echo "== installing the tools"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
