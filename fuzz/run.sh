#!/usr/bin/env bash
# Runs each fuzz target for a while and prints what came of it. What is found goes to fuzz/found/TARGET, and is replayed by
# `cargo test` from then on; what is reached goes to fuzz/target/reached.
#
#   fuzz/run.sh [SECONDS] [TARGET…]       each (or each of these) for so many seconds: 600 unless told
#   fuzz/run.sh --minimise [TARGET…]      the smallest set of inputs that reaches what is reached becomes fuzz/corpus/TARGET
#
# Needs a nightly toolchain (`rustup toolchain install nightly`) and a C++ compiler for libFuzzer. The targets are built as
# `cargo fuzz` builds them, without a sanitizer of addresses: there is no unsafe code here.
set -euo pipefail
cd "$(dirname "$0")"

minimise=no
seconds=600
case "${1:-}" in
--minimise) minimise=yes; shift ;;
[0-9]*) seconds=$1; shift ;;
esac
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cd fuzz_targets && ls -- *.rs | sed 's/\.rs$//')

host=$(rustc +nightly -vV | sed -n 's/^host: //p')
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTFLAGS="$coverage -Cdebug-assertions --cfg fuzzing" \
    cargo +nightly build --locked --release --quiet --target "$host"

failed=0
[ "$minimise" = yes ] || printf '%-12s %12s %8s %9s %6s\n' target executions seconds reached found
for target in "${targets[@]}"; do
    program="target/$host/release/$target"
    mkdir -p "corpus/$target" "found/$target" "target/reached/$target"
    if [ "$minimise" = yes ]; then
        rm -rf "target/smallest"
        mkdir "target/smallest"
        "$program" -merge=1 -max_len=1024 "target/smallest" "corpus/$target" "target/reached/$target" 2>"target/$target.log"
        rm -rf "corpus/$target"
        mv "target/smallest" "corpus/$target"
        du -bs "corpus/$target"
        continue
    fi
    before=$(find "found/$target" -type f | wc -l)
    # Ten seconds is a hang; two gigabytes are unbounded.
    "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 \
        -dict="dictionaries/$target.dict" -artifact_prefix="found/$target/" \
        "target/reached/$target" "corpus/$target" "found/$target" >"target/$target.log" 2>&1 || failed=1
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "target/$target.log")
    reached=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "target/$target.log" | tail -1)
    found=$(($(find "found/$target" -type f | wc -l) - before))
    printf '%-12s %12s %8s %9s %6s\n' "$target" "${executions:--}" "$seconds" "${reached:--}" "$found"
    rmdir --ignore-fail-on-non-empty "found/$target"
done
exit $failed
