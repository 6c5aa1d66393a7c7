# `make help` lists the targets. Each sets up what it needs first; variables on the command line reach the processes.
PYTHON ?= python3
START = $(PYTHON) config/run/bootstrap.py

.PHONY: help run test lint fmt bench drill messages manage setup lock clean
help: ## What there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

run: ## Everything on this machine, with the demo (PORT=8000 SANDBOX=1 DEMO=1 LOGS=0); Ctrl-C stops it
	@$(START) run

test: ## The whole suite, or a part: make test ARGS="tests/core -x"
	@$(START) test $(if $(ARGS),'$(subst ','\'',$(ARGS))')

lint: ## Style, types, import layers, templates, migrations
	@$(START) lint

fmt: ## Format the code
	@$(START) fmt

bench: ## Measure the media process and the dialler
	@$(START) bench $(if $(ARGS),'$(subst ','\'',$(ARGS))')

drill: ## Kill processes, and have all fail at random for three minutes; look what is left
	@$(START) test '-m "drill or storm"'

messages: ## Collect new texts for translation, compile the catalogues
	@$(START) messages

manage: ## Django's command line: make manage ARGS="createsuperuser"
	@$(START) manage $(if $(ARGS),'$(subst ','\'',$(ARGS))')

setup: ## Only install
	@$(START) setup

lock: ## Pin anew what the direct requirements bring along
	@$(START) lock

clean: ## Remove all that was installed or made here, the demo's data too
	rm -rf .venv node_modules var .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
