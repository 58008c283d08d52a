PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
LOCK   := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header
KAFKA  := org.apache.kafka:kafka_2.13:4.4.0 org.slf4j:slf4j-simple:1.7.36

.DEFAULT_GOAL := help
.PHONY: help setup demo run test e2e mails check fmt bench lock clean
MAKEFLAGS += --no-print-directory

help: ## Show this
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Install everything into .venv, exactly as locked (the other targets do it, too)
	@:

demo: $(STAMP) ## Start the stack and the services, and play four stories over two months
	@$(BIN)/python -m dev.demo

run: $(STAMP) ## Run the stack and the services until Ctrl-C (ARGS="--fresh --test-clock", ARGS=--help)
	@$(BIN)/python -m dev.run $(ARGS)

test: $(STAMP) ## Run the tests, in two processes with a stack each (ARGS="-n 0 -k dunning": in one)
	@$(BIN)/pytest --quiet --numprocesses 2 --dist loadfile $(ARGS)

e2e: $(STAMP) ## Run the whole system by docker compose, and tests against it from outside (ARGS="-k dunning")
	@$(BIN)/pytest --quiet $(ARGS) tests/e2e

mails: $(STAMP) ## Render every mail in every language to a page to look at
	@$(BIN)/python -m tests.notifier.gallery $(ARGS)

check: $(STAMP) ## Look for what is wrong without running it: format, lint, types, architecture, stale files
	@$(BIN)/ruff format --check --quiet . || { echo "Some files are not formatted. 'make fmt' does it." >&2; exit 1; }
	@$(BIN)/ruff check --quiet
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m offramp_schemas.generate --check
	@$(BIN)/python -m dev.env_example --check
	@$(BIN)/python -m tests.lifecycle.states_page --check
	@$(BIN)/python -m services.notifier.render_checks

fmt: $(STAMP) ## Format the code and mend what can be mended
	@$(BIN)/ruff check --quiet --fix-only
	@$(BIN)/ruff format --quiet .

bench: $(STAMP).bench ## Measure, against yardsticks in the same run
	@$(BIN)/python -m bench $(ARGS)

lock: $(STAMP) ## Write the locks anew, with the newest versions that requirements*.in allow
	@$(LOCK) --upgrade requirements.in --output-file requirements.txt
	@$(LOCK) --upgrade requirements-dev.in --constraints requirements.txt --output-file requirements-dev.txt
	@$(LOCK) --upgrade requirements-bench.in --constraints requirements-dev.txt --output-file requirements-bench.txt
	@$(BIN)/python -m dev.jars $(KAFKA) > kafka-jars.new && mv kafka-jars.new dev/kafka-jars.txt

clean: ## Remove what the tools left behind (not .venv, not the data of `make run`)
	@rm -rf build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

$(STAMP): requirements-dev.txt pyproject.toml schemas/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, and this is " + sys.version.split()[0] + ". Choose one: make PYTHON=...") if sys.version_info < (3, 11) else None'
	@echo "Installing into $(VENV). This takes about a minute, once." >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable schemas --editable .
	@touch $@

$(STAMP).bench: $(STAMP) requirements-bench.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-bench.txt
	@touch $@
