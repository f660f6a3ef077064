# The front door. `make` alone prints the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Programs built for people to run; tests use the development profile.
PROFILE ?= quick
BIN := target/$(PROFILE)

.PHONY: help up down status logs build test test-rust test-browser lint deny fmt tidy check docs manifests image loadtest bench-queue clean

help: ## Prints the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | while IFS=$$'\t' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

up: ## Builds everything and runs it on this machine; prints the address and the logins
	@sh deploy/tools.sh run
	@$(MAKE) --no-print-directory build
	@exec $(BIN)/youtility up $(ARGS)

down: ## Stops what `make up` started
	@$(BIN)/youtility down

status: ## Shows what runs and whether it is ready
	@$(BIN)/youtility status

logs: ## Prints the logs; ARGS="web --follow" for one process
	@$(BIN)/youtility logs $(ARGS)

build: ## Builds all programs (profile quick: optimised, without link-time optimisation)
	@sh deploy/tools.sh build
	cargo build --profile $(PROFILE) --bins

test: ## Runs every test: Rust, then the journeys in a browser
	@sh deploy/tools.sh test
	@$(MAKE) --no-print-directory test-rust
	@$(MAKE) --no-print-directory test-browser

test-rust: ## Runs the Rust tests on a PostgreSQL of their own
	@status=0; \
	if command -v cargo-nextest >/dev/null 2>&1; then cargo nextest run --workspace --no-fail-fast || status=$$?; \
	else cargo test --workspace --no-fail-fast || status=$$?; fi; \
	cargo run --quiet --package testkit -- stop; \
	exit $$status

test-browser: ## Runs the journeys in headless Chromium against a system of their own
	cargo build --bins
	cd services/gateway/journeys && npm ci --silent && npm test

lint: ## Format, clippy without warnings, documentation links, tidy
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	@$(MAKE) --no-print-directory tidy

deny: ## Checks licences, sources and banned crates (cargo install cargo-deny)
	cargo deny check bans licenses sources

fmt: ## Formats the Rust code
	cargo fmt --all

tidy: ## Checks directions, sizes, names, SQL, words, problem codes, generated documents
	cargo xtask tidy

docs: ## Writes the generated documents
	cargo xtask docs

manifests: ## Renders and validates the Kubernetes manifests
	cargo build --bins
	bash k8s/validate.sh

check: lint test manifests ## Everything CI runs

image: ## Builds the container image with buildah, as target/image.oci
	bash deploy/image.sh

loadtest: ## Runs the load scenarios against a system of their own and writes a report
	bash loadtest/run.sh

bench-queue: ## Measures the task queue beside its peers and writes docs/BENCHMARKS.md; QUICK=1 for a look
	bash loadtest/queue/run.sh bench

clean: ## Removes the running system's files; the build stays
	@if [ -x $(BIN)/youtility ]; then $(BIN)/youtility down --remove-data; fi
