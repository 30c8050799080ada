#!/usr/bin/env bash
# Runs each fuzz target for a while and prints what came of it. What is found goes to fuzz/found/TARGET, and is replayed by
# `cargo test` from then on; what is reached goes to fuzz/target/reached.
#
#   fuzz/run.sh [SECONDS] [TARGET…]       each (or each of these) for so many seconds of CPU time: 600 unless told
#   fuzz/run.sh --minimise [TARGET…]      the smallest set of inputs that reaches what is reached becomes fuzz/corpus/TARGET
#
# JOBS=2 runs two at a time. Needs a nightly toolchain (`rustup toolchain install nightly`) and a C++ compiler for libFuzzer. The
# targets are built as `cargo fuzz` builds them, without a sanitizer of addresses: there is no unsafe code here.
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

# The CPU time of a process, in whole seconds; nothing when it is over.
spent() {
    ps -o time= -p "$1" | awk -F '[:-]' '{ for (i = 1; i <= NF; i++) sum = sum * 60 + $i; print int(sum) }'
}

# One target until it found something or had its time: by its own clock, since it may share the machine.
fuzz() {
    local target=$1 log="target/$1.log" before process used=0 now status=0
    before=$(find "found/$target" -type f | wc -l)
    # A minute is a hang, however busy the machine is; two gigabytes are unbounded.
    "target/$host/release/$target" -timeout=60 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 \
        -dict="dictionaries/$target.dict" -artifact_prefix="found/$target/" \
        "target/reached/$target" "corpus/$target" "found/$target" >"$log" 2>&1 &
    process=$!
    while now=$(spent $process) && [ -n "$now" ]; do
        used=$now
        [ "$used" -lt "$seconds" ] || kill -USR1 $process 2>/dev/null || true
        sleep 1
    done
    wait $process || status=1
    printf '%-12s %12s %8s %9s %6s\n' "$target" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$used" \
        "$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)" \
        "$(($(find "found/$target" -type f | wc -l) - before))"
    rmdir --ignore-fail-on-non-empty "found/$target"
    return $status
}

# What is reached: each edge of the program, however often it was taken.
minimise() {
    local target=$1 smallest="target/smallest-$1"
    rm -rf "$smallest"
    mkdir "$smallest"
    "target/$host/release/$target" -set_cover_merge=1 -use_counters=0 -max_len=1024 \
        "$smallest" "corpus/$target" "target/reached/$target" >"target/$target.log" 2>&1
    rm -rf "corpus/$target"
    mv "$smallest" "corpus/$target"
    printf '%-12s %6s inputs %9s bytes\n' "$target" "$(find "corpus/$target" -type f | wc -l)" \
        "$(find "corpus/$target" -type f -print0 | xargs -0 cat | wc -c)"
}

what=fuzz
if [ "$minimise" = yes ]; then
    what=minimise
else
    printf '%-12s %12s %8s %9s %6s\n' target executions seconds reached found
fi
trap 'trap - TERM; kill 0' INT TERM
running=()
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" "found/$target" "target/reached/$target"
    while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-1}" ]; do
        sleep 1
    done
    $what "$target" &
    running+=($!)
done
failed=0
for process in "${running[@]}"; do
    wait "$process" || failed=1
done
exit $failed
