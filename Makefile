# What a change must pass. CI calls `check` and nothing else.

.PHONY: check fetch fmt clippy doc deny test slow proof bench bench-mailbox sabotage fuzz audit dist dist-check
.NOTPARALLEL:

export CARGO_TERM_COLOR ?= auto

# `ci` optimises the product for the many generated cases, at the price of a longer build.
PROFILE ?= dev

# Tests at a time: one more than there are processors, since many wait for a server or for a time limit.
THREADS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

check: fetch fmt clippy doc deny test

fetch:
	@cargo fetch --locked --quiet

fmt:
	cargo fmt --check

clippy:
	cargo clippy --locked --profile $(PROFILE) --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --profile $(PROFILE) --no-deps --document-private-items

# Licences, banned crates and sources; needs no network.
deny:
	@if cargo deny --version >/dev/null 2>&1; then \
		cargo deny --locked check bans licenses sources; \
	else \
		echo "deny: not checked; once: cargo install cargo-deny --locked"; \
	fi

# Built first, all at once: for examples in comments alone, one core would wait for the other.
test:
	@if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --locked --no-run --cargo-profile $(PROFILE) && \
		cargo test --locked --profile $(PROFILE) --doc --quiet && \
		cargo nextest run --locked --no-fail-fast --cargo-profile $(PROFILE) --test-threads $(THREADS); \
	else \
		cargo test --locked --profile $(PROFILE); \
	fi

# Many more generated cases and worlds than CI takes, a million histories (LIAISON_SEED says with which they begin), 20,000
# kills, a year with 50,000 things and a day with 100,000 messages: most of a day.
slow:
	LIAISON_CASES=50000 LIAISON_WORLDS=200000 LIAISON_HISTORIES=1000000 LIAISON_KILLS=10000 \
	LIAISON_ITEMS=50000 LIAISON_MESSAGES=100000 LIAISON_LINKED=5000 \
		$(MAKE) --no-print-directory PROFILE=ci test

# What no change may break, at its full size: 20,000 histories, 200,000 worlds, every interruption of every story, a thousand
# kills, and what the fuzzers found. Two cores take half an hour for it once it is built.
proof:
	LIAISON_HISTORIES=20000 LIAISON_WORLDS=200000 LIAISON_KILLS=400 PROPTEST_RNG_SEED=20261121 \
	cargo nextest run --locked --no-fail-fast --cargo-profile ci --test-threads $(THREADS) -- \
		simulation:: planner:: scenario:: crash:: kill:: durable replay:: corpus::

# What planning and the wire cost; fails when a limit is passed.
bench:
	benches/run.sh

# What mailboxes on servers cost, beside mbsync and vdirsyncer; some of it: make bench-mailbox ONLY='quiet dav'
bench-mailbox:
	benches/mailbox/bench.sh $(ONLY)

# Deliberate bugs, each of which a test must catch.
sabotage:
	python3 tests/sabotage/run.py

# Hostile bytes for every reader, each target for SECONDS; needs a nightly toolchain. Some: make fuzz SECONDS=60 TARGETS='imap email'
fuzz:
	fuzz/run.sh $(or $(SECONDS),600) $(TARGETS)

# Known vulnerabilities in dependencies; fetches the database of RustSec.
audit:
	cargo deny --locked check advisories

# What is shipped: a .deb, a tarball and their checksums, in target/package. See packaging/README.md.
dist:
	packaging/dist.sh

# What of it is as it should be.
dist-check:
	packaging/dist-check.sh
