.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
SOURCES := core execution ops resolvers schema server tables tests piccolo_migrations piccolo_conf.py

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

lock: ## pin every dependency again, newest versions first
	uv pip compile pyproject.toml --upgrade $(LOCK_OPTIONS) --output-file requirements.lock
	uv pip compile pyproject.toml --group dev --constraint requirements.lock $(LOCK_OPTIONS) --output-file requirements-dev.lock

LOCK_OPTIONS := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet
