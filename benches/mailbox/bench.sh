#!/usr/bin/env bash
# Builds what is measured, makes the Python environment that the peers need, and runs the workloads named, else all.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=target/bench-python
if ! "$python/bin/python" -c 'import radicale, vdirsyncer' 2>/dev/null; then
  python3 -m venv "$python"
  "$python/bin/pip" install --quiet --disable-pip-version-check 'radicale>=3.9,<3.10' 'vdirsyncer>=0.19'
fi
command -v mbsync >/dev/null || { echo "mbsync is missing: apt-get install isync" >&2; exit 1; }

# Built as it is shipped: that is what people run. It takes a while.
built=$(cargo build --locked --profile dist --bin liaison --bench mailbox --message-format=json | python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["name"] == "mailbox": print(message["executable"])')

only=()
[ $# = 0 ] || only=(--only "$@")
python3 benches/mailbox/run.py --bench "$built" --python "$PWD/$python/bin/python" \
  --results benches/mailbox/RESULTS.md ${WORK:+--work "$WORK"} "${only[@]}"
