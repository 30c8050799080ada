#!/usr/bin/env bash
# Checks what packaging/dist.sh built: what is in the .deb, whose it is, and whether those who read the files find anything wrong
# with them. Ends with 1 at the first surprise.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C

out="${OUT:-target/package}"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

deb=("$out"/liaison_*.deb)
[ ${#deb[@]} = 1 ] && [ -e "${deb[0]}" ] || { echo "no .deb in $out: make dist" >&2; exit 1; }
(cd "$out" && sha256sum --check --quiet SHA256SUMS)

grep -v '^#' packaging/deb.list | sort >"$scratch/expected"
dpkg-deb --contents "${deb[0]}" >"$scratch/listing"
awk '$1 !~ /^d/ { print $6 }' "$scratch/listing" | grep -v 'man1/liaison-.*\.1\.gz$' | sort >"$scratch/found"
diff -u "$scratch/expected" "$scratch/found"
if grep -v ' root/root ' "$scratch/listing"; then echo "not root's" >&2; exit 1; fi

dpkg-deb --extract "${deb[0]}" "$scratch/root"
commands="$("$scratch/root/usr/bin/liaison" --help | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on && /^  [a-z]/ { print $1 }' | grep -v '^help$')"
for command in $commands; do
  [ -e "$scratch/root/usr/share/man/man1/liaison-$command.1.gz" ] || { echo "no manual for $command" >&2; exit 1; }
done
for page in "$scratch"/root/usr/share/man/man?/*.gz; do
  zcat "$page" | groff -K utf8 -man -Tutf8 -ww >/dev/null 2>"$scratch/said" || true
  if [ -s "$scratch/said" ]; then echo "$(basename "$page"): $(head -n 3 "$scratch/said")" >&2; exit 1; fi
done
if command -v desktop-file-validate >/dev/null; then desktop-file-validate packaging/desktop/*.desktop; fi
if grep --quiet --text --fixed-strings "$PWD" "$scratch/root/usr/bin/liaison"; then
  echo "the program names the folder that it was built in" >&2
  exit 1
fi
echo "the .deb is as it should be: $(wc -l <"$scratch/found") files and $(ls "$scratch/root/usr/share/man/man1" | wc -l) pages"
