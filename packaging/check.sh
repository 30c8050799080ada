#!/usr/bin/env bash
# Installs the .deb on a bare Debian, uses it as a new user would, and removes it: in a folder made by debootstrap, by chroot. Needs
# root and the network (once: the bare system is kept in target/debian).
set -euo pipefail
cd "$(dirname "$0")/.."
suite="${SUITE:-bookworm}"
bare="${BARE:-target/debian/$suite}"
deb="$(ls "${OUT:-target/package}"/liaison_*.deb)"

say() { printf '== %s\n' "$*"; }

if [ ! -e "$bare/etc/debian_version" ]; then
  say "debootstrap $suite"
  mkdir -p "$(dirname "$bare")"
  debootstrap --variant=minbase --include=man-db,ca-certificates "$suite" "$bare"
fi
root="$(mktemp -d)/root"
trap 'rm -rf "$(dirname "$root")"' EXIT
cp -a "$bare" "$root"

# Nothing of this machine but the kernel is in there; a user of its own works in it.
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LANG=C.UTF-8 HOME="$home" "$@"; }
home=/root
as_anna() { home=/home/anna inside setpriv --reuid=anna --regid=anna --init-groups "$@"; }

# Pages of the manual are left out of minimal images.
rm -f "$root/etc/dpkg/dpkg.cfg.d/docker"
inside useradd --create-home anna
inside sh -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends dovecot-imapd' >/dev/null
(cd "$root" && find etc usr var -not -path 'var/cache/*' -not -path 'var/lib/dpkg/*' -not -path 'var/lib/apt/*' -not -path 'var/log/*' | sort) >"$root/../before"

say "install"
cp "$deb" "$root/tmp/liaison.deb"
inside sh -c 'DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends /tmp/liaison.deb'
say "use"
as_anna liaison --version
as_anna man liaison | sed -n 1,8p
as_anna man liaison-sync | grep 'liaison.sync' >/dev/null
as_anna man 5 liaison.toml | grep deletes_percent >/dev/null
inside bash -n /usr/share/bash-completion/completions/liaison
as_anna liaison demo --dir /home/anna/demo | tail -n 12
{ as_anna liaison service status 2>&1 || true; } | grep 'no service manager'
inside sh -c 'if command -v systemd-analyze; then systemd-analyze verify --user /usr/lib/systemd/user/liaison.service; fi'

say "live"
install -m 755 packaging/live.sh "$root/tmp/live.sh"
as_anna /tmp/live.sh

say "remove"
inside apt-get purge --yes liaison >/dev/null
inside sh -c '! command -v liaison'
(cd "$root" && find etc usr var -not -path 'var/cache/*' -not -path 'var/lib/dpkg/*' -not -path 'var/lib/apt/*' -not -path 'var/log/*' | sort) >"$root/../after"
diff "$root/../before" "$root/../after"
say "nothing is left of it but what the user made: $(ls "$root/home/anna")"
