#!/usr/bin/env bash
# Runs the benchmarks and writes what they say, with the machine they ran on, to RESULTS.md.
set -euo pipefail
cd "$(dirname "$0")/.."

said=$(cargo bench --locked --bench plan; cargo bench --locked --bench wire)
memory=$(awk '/MemTotal/ { printf "%.0f", $2 / 1024 / 1024 }' /proc/meminfo)
model=$(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo)
{
  printf '# Benchmarks\n\nWritten by `make bench`. Limits: plan and guard under 0.5 s and 200 MiB; 10,000 new contacts at most 30 requests;\n'
  printf 'a quiet round over them at most 4. The benchmarks fail when one is passed.\n\n'
  printf 'Machine: %s cores (%s), %s GiB of memory, %s.\n\n```text\n%s\n```\n' \
    "$(nproc)" "$model" "$memory" "$(rustc --version | cut -d' ' -f1-2)" "$said"
} > benches/RESULTS.md
cat benches/RESULTS.md
