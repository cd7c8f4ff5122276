# Urna: start it, test it. `make` alone lists what there is. (GNU make 3.81, the one of macOS, will do.)

SERVERS = compose/local/servers

# Where rustup puts cargo, for shells that have not been told yet. (make 3.81 looks commands up on the
# old PATH, unless a shell of our choice does it.)
SHELL := bash
export PATH := $(PATH):$(HOME)/.cargo/bin

# A snapshot that is missing or differs fails its test. To accept what has changed: INSTA_UPDATE=always make test
INSTA_UPDATE ?= no
export INSTA_UPDATE

# The program is looked for where cargo puts it.
CARGO_TARGET_DIR ?= target

# How many minutes the first build takes on two cores.
RUN_MINUTES = 6
DEV_MINUTES = 4

# A build says what it does, but not how long it takes.
announce = [ -e '$(1)' ] || echo 'Building Urna: the first time it takes about $(2) minutes on two cores.' >&2

# WSL has a variable of this name, which says something else.
ifneq ($(origin NAME),command line)
NAME =
endif

.DEFAULT_GOAL := help
.PHONY: help run dev test test-fast test-integration test-e2e test-apart test-browser test-shuffled check drill sim bench down clean-data

help: ## This list
	@echo 'make TARGET, where TARGET is one of'
	@sed -n 's/^\([a-z0-9-]*\):.*## /    \1|/p' Makefile | awk -F '|' '{ printf "%-16s %s\n", $$1, $$2 }'
	@echo
	@echo 'Settings, for example: make run HTTP_PORT=8081 (all of them: $(SERVERS) --help)'

run: ## Start Urna on http://127.0.0.1:8080, and all it needs; Ctrl-C stops it
	@$(SERVERS) install
	@$(SERVERS) ports
	@$(call announce,$(CARGO_TARGET_DIR)/local/urna,$(RUN_MINUTES))
	@cargo build --locked --profile local -p bins --bin urna
	@exec $(SERVERS) run --deploy '$(CARGO_TARGET_DIR)/local/urna' '$(CARGO_TARGET_DIR)/local/urna'

# With --workspace the dependencies are those that the tests have built already.
dev: ## The same for those who change it: pages follow their templates at once, Rust is built again when it changes
	@$(SERVERS) install
	@$(SERVERS) ports
	@$(call announce,$(CARGO_TARGET_DIR)/debug/urna-dev,$(DEV_MINUTES))
	@cargo build --workspace --bin urna-dev --bin urna
	@exec $(SERVERS) run --deploy '$(CARGO_TARGET_DIR)/debug/urna' '$(CARGO_TARGET_DIR)/debug/urna-dev'

# For example: make test NAME='counted once'
test: ## Run all tests, those with a browser included; with NAME=words those whose name contains the words
	@tests/run all '$(NAME)'

test-fast: ## Run the tests that need no server, in seconds
	@tests/run fast '$(NAME)'

test-integration: ## Run the tests of actors by themselves against real servers
	@tests/run integration '$(NAME)'

test-e2e: ## Run the tests of the real binaries against real servers
	@tests/run end-to-end '$(NAME)'

test-apart: ## Run the end-to-end tests with each actor of urna in a process of its own
	@tests/run apart '$(NAME)'

test-browser: ## Run the tests with a real browser
	@tests/run browser '$(NAME)'

# For example: make test-shuffled SEED=7
test-shuffled: ## Run the end-to-end tests twice at once, each in an order of its own
	@tests/run shuffled '$(SEED)'

check: ## Format, lints, and who may use whom
	cargo fmt --all -- --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo test --locked --workspace --test house

# For example: make drill SECONDS=60 SEED=7
drill: ## Kill, pause and restart parts at random under load, and compare what voters were told with the log
	@unset NATS_URL DATABASE_URL REDIS_URL && \
	$(SERVERS) install && paths=$$($(SERVERS) paths) && eval "$$paths" && \
	cargo build --locked --workspace --bins && \
	exec '$(CARGO_TARGET_DIR)/debug/urna-drill' --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED))

# For example: make sim SECONDS=600, or make sim SEED=7 for one election with its trace
sim: ## Simulate elections of the shipped state machines, with every fault, each decided by its seed
	@cargo build --locked -p urna-sim && \
	exec '$(CARGO_TARGET_DIR)/debug/urna-sim' $(if $(SEED),--seed $(SEED),--seconds $(or $(SECONDS),60))

# For example: make bench BENCH='--runs 5 --json bench.json --svg bench.svg' (all of them: BENCH=--help)
# The parts of the hot path, each by itself: cargo bench -p tests. Past one machine: docs/scale.md.
bench: ## Measure how fast Urna is on this machine, each figure beside what limits it
	@unset NATS_URL DATABASE_URL REDIS_URL && \
	$(SERVERS) install && paths=$$($(SERVERS) paths) && eval "$$paths" && \
	cargo build --locked --release -p bins -p urna-bench --bin urna --bin urna-bench && \
	exec '$(CARGO_TARGET_DIR)/release/urna-bench' $(BENCH)

down: ## Stop what `make run` has left
	@$(SERVERS) stop

clean-data: ## Forget all rounds, votes, accounts and secrets of `make run`
	@$(SERVERS) clean
