# KSWiFi. `make up` runs it, `make demo` shows it, `make test` tests it. Works with GNU make 3.81 and later.
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev up demo app test soak check bench lock sbom

KSWIFI := .venv/bin/kswifi
RUN := .venv/bin
# Most tests wait for a server or a browser: four processes keep two cores busy. Long tests come first.
AT_ONCE := -n 4 --dist loadscope --no-loadscope-reorder

help:
	@echo 'make up      start KSWiFi here (server and lab), until Ctrl-C'
	@echo 'make demo    one session from its download to the cut-off, shown step by step'
	@echo 'make test    run all tests      make check  check style, types and architecture'
	@echo 'make soak    run the long tests (kills, seeds), and the unit tests on every Python here'
	@echo 'make app     minify the app, after a change of its scripts or styles (needs Node)'
	@echo 'make bench   measure speed      make setup  only make .venv'
	@echo 'make sbom    write the software bill of materials (CycloneDX) to dist/'

setup:
	@sh tools/setup.sh runtime

setup-dev:
	@sh tools/setup.sh dev

up: setup
	@exec $(KSWIFI) up

demo: setup
	@exec $(KSWIFI) demo $(DEMO)

app: setup-dev
	@sh tools/js/install.sh
	@$(RUN)/python -m tools.app_minify

check: setup-dev
	$(RUN)/ruff format --check src tests tools examples
	$(RUN)/ruff check src tests tools examples
	$(RUN)/mypy
	$(RUN)/lint-imports --no-logo
	$(RUN)/python -m tools.tidy
	@sh tools/app_check.sh

test: setup-dev
	@sh tools/test_needs.sh
	@# What fails while the machine is full is run again alone. A fault of the code fails both times.
	$(RUN)/python -m pytest $(AT_ONCE) $(TESTS) || { \
	  echo 'kswifi test: the failed tests are run again, one at a time'; \
	  $(RUN)/python -m pytest --last-failed --last-failed-no-failures none --maxfail 10 $(TESTS); }

soak: setup-dev
	@sh tools/test_needs.sh
	$(RUN)/python -m pytest $(AT_ONCE) -m soak --timeout 7200 $(TESTS)
	DATABASE_OF_TESTS=postgresql $(RUN)/python -m pytest $(AT_ONCE) tests/unit tests/contract tests/e2e
	$(RUN)/python -m tools.every_python

bench: setup
	@$(RUN)/python -m kswifi.bench

sbom: setup-dev
	@$(RUN)/python -m tools.sbom

lock: setup-dev
	@for part in uv runtime dev reader open5gs; do .venv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes \
	  --python-version 3.11 --no-header requirements/$$part.in -o requirements/$$part.txt || exit 1; done
