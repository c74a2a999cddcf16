.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test bench model torture differential lint format types explorer-types imports chromium explorer clients lock upgrade clean venv dev-venv
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
BIN := .venv/bin
BUILT := explorer/dist/.built
CLIENTS := tests/clients/node_modules/.installed
MESSAGES ?= 1000000
SECONDS ?= 6
ROUNDS ?= 3
PYTEST_OPTIONS ?= -q -n 2 --cov --cov-report=term

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: venv ## everything, on http://127.0.0.1:8000: database, migrations, demo workspace, server
	@if $(MAKE) --no-print-directory -q $(BUILT); then :; \
	elif ! command -v npm >/dev/null; then echo "npm is missing: a plainer page than GraphiQL serves"; \
	else $(MAKE) --no-print-directory $(BUILT) || echo "GraphiQL was not built: a plainer page serves"; fi
	@exec $(BIN)/python -m ops dev

differential: dev-venv ## the executor against graphql-core, on 30,000 random operations
	@DIFFERENTIAL=30000 $(BIN)/python -m pytest -q -n 2 tests/execution/test_differential.py

test: dev-venv chromium explorer $(CLIENTS) lint types explorer-types imports ## every check that a change must pass
	$(STEP) "tests, on a PostgreSQL of their own"
	@$(BIN)/python -m pytest $(PYTEST_OPTIONS)

model: dev-venv ## the model of all writes, for longer than the tests do: other ones each time
	@$(BIN)/python -m pytest -q -n 0 --hypothesis-profile=model tests/schema/test_writing_model.py

bench: dev-venv ## how fast requests are answered; MESSAGES=, SECONDS= of a run, ROUNDS=, DATA= and PEERS= (directories)
	@$(BIN)/python -m benchmarks.requests --messages $(MESSAGES) --seconds $(SECONDS) --rounds $(ROUNDS) \
	  $(if $(DATA),--data $(DATA)) $(if $(PEERS),--peers $(PEERS))

torture: dev-venv ## realtime, for FOR=300 seconds each; SEED=… is what chance was before
	@PARLEY_TEST_SECONDS=$(or $(FOR),300) PARLEY_TEST_SEED=$(SEED) $(BIN)/python -m pytest -q -n 0 -s tests/torture

lint: dev-venv ## format and style
	$(STEP) "format and style"
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: dev-venv
	$(STEP) "types"
	@$(BIN)/python -m mypy

explorer-types: $(BUILT)
	$(STEP) "types of the explorer"
	@cd explorer && npm run --silent check

imports: dev-venv
	$(STEP) "layers"
	@$(BIN)/python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

format: dev-venv ## rewrite what a tool can rewrite
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

explorer: $(BUILT) ## GraphiQL, into explorer/dist

clients: $(CLIENTS) ## clients in Node, for tests

lock: ## pin what pyproject.toml names; what is pinned stays as it is
	uv pip compile pyproject.toml $(UPGRADE) $(LOCK_OPTIONS) --output-file requirements.lock
	uv pip compile pyproject.toml --group dev --constraint requirements.lock $(UPGRADE) $(LOCK_OPTIONS) --output-file requirements-dev.lock

upgrade: UPGRADE := --upgrade
upgrade: lock ## pin the newest versions of all

clean: ## remove what was built; data in .data stays
	rm -rf .venv explorer/dist explorer/node_modules tests/clients/node_modules .coverage .*_cache .hypothesis
	find . -name __pycache__ -not -path './.data/*' -prune -exec rm -rf {} +

STEP = @printf '\n== %s\n'
LOCK_OPTIONS := --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet

# --- programs that checks need

chromium:
	@if ! command -v chromium >/dev/null; then \
	  if ! command -v apt-get >/dev/null; then echo "tests need chromium: install it"; exit 1; fi; \
	  if [ "$$(id -u)" = 0 ]; then sudo=; \
	  elif command -v sudo >/dev/null; then sudo=sudo; \
	  else echo "tests need chromium: run as root apt-get install chromium"; exit 1; fi; \
	  printf '\n== installing chromium\n'; \
	  $$sudo apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -q --no-install-recommends chromium; \
	fi

$(BUILT): $(shell find explorer -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
	@printf '\n== building GraphiQL\n'
	@cd explorer && npm ci --no-audit --no-fund --no-update-notifier \
	  && npm run build --silent -- --logLevel warn && touch dist/.built

$(CLIENTS): tests/clients/package.json tests/clients/package-lock.json
	@printf '\n== installing clients\n'
	@cd tests/clients && npm ci --no-audit --no-fund --no-update-notifier --silent && touch node_modules/.installed

# --- the virtual environment, as its lock says; a copy of the lock in it tells what it holds

TOO_OLD := import sys; sys.exit("Parley needs Python 3.11 or newer, this is %d.%d; choose one with: make PYTHON=python3.12 run" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)

# $(call INSTALL,lock)
define INSTALL
@if ! { $(BIN)/python -c '' && cmp -s $(1) .venv/$(1); } 2>/dev/null; then \
  $(PYTHON) -c '$(TOO_OLD)'; \
  $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || \
    { rm -rf .venv; echo "no virtual environment without Python's venv; on Debian: apt-get install python3-venv"; exit 1; }; \
  printf 'installing %s: ' $(1); \
  $(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r $(1) \
    | while read -r word name _; do \
        if [ "$$word" = Collecting ]; then printf '%s ' "$${name%%[=<>;]*}"; fi; \
        if [ "$$word" = Installing ]; then printf '… '; fi; \
      done; \
  echo done; \
  cp $(1) .venv/$(1); \
fi
endef

venv:
	$(call INSTALL,requirements.lock)

dev-venv:
	$(call INSTALL,requirements-dev.lock)
	@cp requirements.lock .venv/requirements.lock
