# Kuvavaranto: every target does its own set-up; a second run starts in seconds.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
.NOTPARALLEL:

VENV := .venv
BIN := $(VENV)/bin
ENVIRONMENT := $(VENV)/.environment
EXTENSION := $(VENV)/.extension
LOAD := target/release/kuva-load
FLAME := target/tools/bin/inferno-flamegraph
INFERNO := 0.12.8
LOCKS := requirements/runtime.txt requirements/development.txt
RUST := Cargo.toml Cargo.lock $(shell find rust_core \( -name '*.rs' -o -name Cargo.toml \) -not -path '*/target/*' -not -path '*/tests/*' -not -path '*/benches/*' -not -path '*/fuzz/*' -not -path '*/load/*')
PIP := $(BIN)/python -m pip --disable-pip-version-check --require-virtualenv

# Both cargo and maturin build for this interpreter, or each would undo the other's build cache.
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
export CARGO_TERM_COLOR ?= auto
# Running as root, in a container or on CI, is fine: all goes into the virtual environment.
export PIP_ROOT_USER_ACTION := ignore

define step
@printf '\n\033[1m== %s\033[0m\n' '$(1)'
endef

.PHONY: help
help:  ## show this
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- set-up -------------------------------------------------------------------------------------

$(ENVIRONMENT): $(LOCKS) scripts/prerequisites
	$(call step,virtual environment: $(VENV))
	@python=$$(scripts/prerequisites $(PYTHON)); \
	"$$python" -m venv --clear $(VENV)
	@$(PIP) install --quiet --require-hashes --no-deps $(LOCKS:%=-r %)
	@$(PIP) check
	@touch $@

$(EXTENSION): $(ENVIRONMENT) $(RUST) pyproject.toml
	$(call step,release build of gateway._core)
	@PIP_QUIET=1 PATH="$(CURDIR)/$(BIN):$$PATH" VIRTUAL_ENV="$(CURDIR)/$(VENV)" $(BIN)/maturin develop --release --quiet >/dev/null
	@touch $@

.PHONY: setup
setup: $(EXTENSION)  ## virtual environment, pinned dependencies, release build of the extension

# --- using it -----------------------------------------------------------------------------------

.PHONY: demo
demo: $(EXTENSION)  ## start everything, send, fetch back, break it, compare (under 2 minutes)
	@$(BIN)/kuva demo $(ARGS)

.PHONY: serve
serve: $(EXTENSION)  ## run the gateway with embedded PostgreSQL on loopback (ARGS='--config kuva.toml')
	@$(BIN)/kuva serve $(ARGS)

$(LOAD): $(ENVIRONMENT) $(RUST) $(wildcard rust_core/load/Cargo.toml rust_core/load/src/*.rs)
	$(call step,release build of the load generator)
	@cargo build --locked --release --quiet --package kuva-load
	@touch $@

.PHONY: bench
bench: $(EXTENSION) $(LOAD)  ## measure beside DCMTK and Orthanc, installed where possible (ARGS=--quick: 3 minutes)
	@scripts/bench-peers
	@$(BIN)/kuva bench $(ARGS)

$(FLAME): $(ENVIRONMENT)
	$(call step,inferno, which draws flame graphs)
	@cargo install inferno --version $(INFERNO) --locked --quiet --root target/tools --bin inferno-collapse-perf --bin inferno-flamegraph
	@touch $@

.PHONY: profile
profile: $(EXTENSION) $(LOAD) $(FLAME)  ## flame graphs of the gateway under load, into benchmarks/results (needs perf)
	@$(BIN)/kuva flame $(ARGS)

# --- checking it --------------------------------------------------------------------------------

.PHONY: test
test: lint test-rust test-python  ## everything that CI checks: lint, then all tests

.PHONY: lint
lint: lint-python lint-rust  ## formatting, types, import contract, stubs, clippy

.PHONY: lint-python
lint-python: $(EXTENSION)
	$(call step,ruff)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	$(call step,mypy --strict)
	@$(BIN)/mypy
	$(call step,stubtest: the typed door to the core)
	@$(BIN)/stubtest gateway._core --concise --ignore-unused-allowlist --allowlist scripts/stubtest.allow
	$(call step,import contract)
	@$(BIN)/lint-imports --no-logo

.PHONY: lint-rust
lint-rust: $(ENVIRONMENT)
	$(call step,rustfmt)
	@cargo fmt --all --check
	$(call step,clippy)
	@cargo clippy --locked --workspace --all-targets -- -D warnings

.PHONY: test-rust
test-rust: $(ENVIRONMENT)
	$(call step,cargo test)
	@cargo test --locked --package kuva-core --package kuva-fuzz --package kuva-load

.PHONY: test-python
test-python: $(EXTENSION) $(LOAD)
	$(call step,pytest)
	@$(BIN)/pytest $(ARGS)

.PHONY: fuzz
fuzz: $(ENVIRONMENT)  ## fuzz the parsers for longer than the tests do (TARGET=pdu SECONDS=300; KEEP=keep minimises into the corpus)
	@scripts/fuzz $(or $(TARGET),all) $(or $(SECONDS),60) $(KEEP)

.PHONY: interop-peers
interop-peers:  ## install the foreign peers of the tests that are missing (Debian, as root; npm; cargo)
	$(call step,foreign peers)
	@scripts/interop-peers

.PHONY: check-fresh
check-fresh:  ## clone into a temporary folder and run `make demo` and `make test` there
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	git clone --quiet . "$$folder/kuvavaranto"; \
	cd "$$folder/kuvavaranto"; \
	env -u VIRTUAL_ENV -u MAKEFLAGS -u MAKELEVEL -u PYO3_PYTHON $(MAKE) demo; \
	env -u VIRTUAL_ENV -u MAKEFLAGS -u MAKELEVEL -u PYO3_PYTHON $(MAKE) test

# --- upkeep -------------------------------------------------------------------------------------

.PHONY: format
format: $(ENVIRONMENT)  ## rewrite the sources in the house's format
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .
	@cargo fmt --all

.PHONY: docs
docs: $(EXTENSION)  ## make the documents that are made from the program: docs/operating/refusals.md
	@$(BIN)/python scripts/document_refusals.py > docs/operating/refusals.md

.PHONY: requirements
requirements: $(ENVIRONMENT)  ## pin requirements/*.in again, with hashes and without any index's address
	@tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	$(BIN)/python -m venv "$$tools"; "$$tools/bin/pip" install --quiet pip-tools; \
	for name in runtime development; do \
	  env -u PIP_FIND_LINKS "$$tools/bin/pip-compile" --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe \
	    --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	    --output-file requirements/$$name.txt requirements/$$name.in; \
	done

.PHONY: clean
clean:  ## remove what was built (not the data folder .kuva)
	@rm -rf $(VENV) target gateway/_core*.so .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
