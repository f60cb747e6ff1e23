# 3.12 and 3.11 first: for them every dependency has a ready-made wheel.
PYTHON ?= $(firstword $(foreach python,python3.12 python3.11 python3,\
	$(shell $(python) -c 'import sys; sys.version_info >= (3, 11) and print("$(python)")' 2>/dev/null)))
BIN = .venv/bin
CLIENTS = tests/clients
INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes
COMPILE = CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe \
	--strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options

.PHONY: help run test check soak bench format messages lock clean
.DELETE_ON_ERROR:

help:
	@echo "make run      set up, migrate, seed the demo community and serve"
	@echo "make test     set up and run all tests"
	@echo "make check    format, lint, types, import rules, schema, migrations, tests"
	@echo "make soak     whole what test samples: random cases, crashes, isolation"
	@echo "make bench    measure beside other servers (ONLY=fanout|mutations|queries|scale|soak|storm|strangers)"
	@echo "make format   rewrite the code to the format that check expects"
	@echo "make messages bring the code's messages into the catalogues of models/locale"
	@echo "make lock     renew the requirements files after a change to pyproject.toml"

run: .venv/run.stamp
	@$(BIN)/python main.py migrate
ifneq ($(LINLI_MODE),production)
	@$(BIN)/python main.py seed
endif
	@exec $(BIN)/python main.py

test: .venv/dev.stamp clients
	@$(BIN)/python -m pytest $(ARGS)

check: .venv/dev.stamp
	@echo "== format" && $(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@echo "== lint" && $(BIN)/ruff check --quiet .
	@echo "== types" && $(BIN)/mypy --no-error-summary
	@echo "== imports" && $(BIN)/lint-imports --no-logo >.venv/imports.log || { cat .venv/imports.log; exit 1; }
	@echo "== schema" && $(BIN)/python main.py schema | diff -u schema.graphql - \
		|| { echo "schema.graphql differs; if the change is meant: $(BIN)/python main.py schema >schema.graphql"; exit 1; }
	@echo "== migrations" && $(BIN)/python main.py check-migrations
	@echo "== tests" && $(MAKE) --no-print-directory test ARGS="--durations=10 $(ARGS)"

soak: .venv/dev.stamp
	@LINLI_SOAK=yes $(BIN)/python -m pytest -m soak --durations=10 $(ARGS)
	@$(BIN)/python -m bench.soak

bench: .venv/dev.stamp
	@set -e; for each in $(or $(ONLY),$(patsubst bench/%/__main__.py,%,$(wildcard bench/*/__main__.py))); do \
		$(BIN)/python -m bench.$$each $(ARGS); done

format: .venv/dev.stamp
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

messages: .venv/dev.stamp
	@$(BIN)/pybabel --quiet extract --no-default-keywords --keywords=Message --add-location=file \
		--sort-by-file --output-file=.venv/linli.pot models subscriptions resolvers schema demo
	@$(BIN)/pybabel --quiet update --domain=linli --input-file=.venv/linli.pot --output-dir=models/locale \
		--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --no-wrap

lock: .venv/dev.stamp
	@$(COMPILE) --output-file=requirements.txt pyproject.toml
	@$(COMPILE) --extra=dev --constraint=requirements.txt --output-file=requirements-dev.txt pyproject.toml

clean:
	@rm -rf .venv $(CLIENTS)/node_modules .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

.venv/python.stamp:
	@test -n "$(PYTHON)" || { echo "Linli needs Python 3.11 or newer (make run PYTHON=/path/to/python)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Linli needs Python 3.11 or newer")'
	@echo "Creating .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/run.stamp: requirements.txt | .venv/python.stamp
	@echo "Installing dependencies"
	@$(INSTALL) --requirement requirements.txt
	@touch $@

.venv/dev.stamp: requirements-dev.txt | .venv/python.stamp
	@echo "Installing dependencies and test tools"
	@$(INSTALL) --requirement requirements-dev.txt
	@touch $@ .venv/run.stamp

# Real JavaScript clients are tested where Node.js is at hand; elsewhere their tests skip.
.PHONY: clients
clients:
	@if ! test -f $(CLIENTS)/package-lock.json; then :; \
	elif ! command -v npm >/dev/null; then echo "No npm: the JavaScript client tests will be skipped"; \
	elif ! test $(CLIENTS)/node_modules/.package-lock.json -nt $(CLIENTS)/package-lock.json; then \
		echo "Installing the JavaScript clients"; \
		(cd $(CLIENTS) && npm ci --silent --no-audit --no-fund) \
			|| echo "npm ci failed: the JavaScript client tests will be skipped"; \
	fi
