# SPDX-License-Identifier: MIT OR Apache-2.0
# `make demo` and `make test` work on a fresh Debian 12 or Fedora with git, a C compiler and Rust.

CLIENTS ?= 20000
SEED ?= 1
SEEDS ?= 20
SECONDS ?= 600
export CARGO_TERM_COLOR ?= auto

.PHONY: demo test bench peers tables notebooks coverage coverage-study fuzz audit lint install setup clean

## demo: from a D-Bus event to a published estimate (CLIENTS=20000 SEED=1)
demo: setup
	cargo build --locked
	target/debug/stipple-demo --clients $(CLIENTS) --seed $(SEED)

## test: everything that must hold before a change lands
test: setup lint
	cargo build --locked
	target/debug/stipple-catalog check catalog/metrics
	if cargo nextest --version >/dev/null 2>&1; \
	then cargo nextest run --locked --no-fail-fast && cargo test --locked -q --doc; \
	else cargo test --locked --no-fail-fast; fi

## lint: formatting, clippy, documentation, licence lines, units, what an installation lacks
lint: setup
	scripts/check-headers
	scripts/check-units
	scripts/check-install
	cargo fmt --all --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked -p stipple-ldp --all-targets --features research,opendp -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked -q --no-deps
	RUSTDOCFLAGS="-D warnings" cargo doc --locked -q --no-deps -p stipple-ldp --features research,opendp

## install: what `cargo build --release` made and packaging/ has, below DESTDIR (PARTS="client settings aggregator analysis")
install:
	scripts/install $(PARTS)

## bench: ratios against named peers, written to target/bench/ratios.json (BENCH_FLAGS="--only overload" for ten minutes of overload)
bench: setup
	cargo build --locked --release -p stipple-client-dp -p stipple-aggregator -p stipple-analysis -p stipple-benches
	target/release/stipple-bench $(BENCH_FLAGS)

## peers: stipple-ldp beside pure-ldp and multi-freq-ldpy, written to target/bench/side_by_side.csv (PEERS_FLAGS=--write-docs)
peers: setup
	benches/peers/setup
	cargo build --locked --release -p stipple-ldp --features research --example rates
	mkdir -p target/bench
	for d in 100 1000; do taskset -c 0 target/release/examples/rates 100000 $$d || exit 1; done >target/bench/rates.jsonl
	target/peers-venv/bin/python benches/peers/side_by_side.py --ours target/bench/rates.jsonl $(PEERS_FLAGS)

## tables: variance, coverage, sets, longitudinal, ... of the mechanisms as CSV and plots in target/tables
tables: setup
	cargo run --locked --release -p stipple-ldp --features research --example tables target/tables

## notebooks: every notebook from clean, on a small dataset of the demonstration; needs Python 3.11 and PyPI (NOTEBOOKS_FLAGS=--write)
notebooks: setup
	cargo build --locked
	notebooks/run $(NOTEBOOKS_FLAGS)

## coverage: the demonstration over many seeds; do the intervals hold the truth? (CLIENTS=20000 SEEDS=20)
coverage: setup
	cargo build --locked
	target/debug/stipple-demo --clients $(CLIENTS) --seed $(SEED) --repeat $(SEEDS) --population-only --out target/coverage

## coverage-study: do the intervals hold what they promise? Every mechanism, as docs/coverage.md
coverage-study: setup
	cargo run --locked --release -p stipple-analysis --example coverage >docs/coverage.md

## fuzz: every decoder with any bytes, each for SECONDS=600; needs cargo install cargo-fuzz
fuzz: setup
	for target in report batch gvariant gzip ohttp; do (cd aggregator && \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none $$target -- -max_total_time=$(SECONDS) -max_len=4096) || exit 1; done
	cd ldp && RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none decode -- -max_total_time=$(SECONDS)

## audit: 20,000 reports of the real recorder bound its epsilon from below (AUDIT_FLAGS="--reports 100000 hardware.boot-mode")
audit: setup
	cargo build --locked --release -p stipple-client-dp
	cargo build --locked --release -p stipple-tests --bin stipple-audit
	target/release/stipple-audit $(AUDIT_FLAGS)

## setup: installs what build and tests need where it is missing
setup:
	@scripts/setup

clean:
	cargo clean
