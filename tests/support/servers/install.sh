#!/usr/bin/env bash
# Installs the servers that the tests talk to, on Debian or a descendant: Dovecot, Postfix, gnome-keyring and systemd's tools as
# packages, Cyrus unpacked below target/ (as a package it excludes Dovecot), an OpenID provider from npm, Radicale, Xandikos and
# aiosmtpd in the Python environment of the tests; a session bus and a panel with a screen in memory; and mbsync, vdirsyncer, khal,
# todoman and khard, with which other people work in such mailboxes. What is there already is left alone. Starts nothing; tests
# start what they need themselves, on ports of their own.
set -euo pipefail
cd "$(dirname "$0")/../../.."

cyrus="${LIAISON_CYRUS:-target/servers/cyrus}"
python="${LIAISON_PYTHON_HOME:-target/python}"
oidc="target/servers/oidc"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# An archive directory of our own: images of Debian for containers empty the common one behind every run of dpkg.
archives="$(mktemp -d)"
trap 'rm -rf "$archives"' EXIT
mkdir -p "$archives/partial"
apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
    -o Dir::Cache::archives="$archives" -o APT::Sandbox::User=root "$@"
}

updated=
update() {
  [ -n "$updated" ] || apt update
  updated=1
}

# The packages, without the services that their scripts would start: invoke-rc.d asks policy-rc.d, deb-systemd-invoke too.
install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  echo "== apt: ${missing[*]}"
  update
  local policy=/usr/sbin/policy-rc.d ours=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    ours=1
  fi
  local status=0
  apt install -y --no-install-recommends "${missing[@]}" >/dev/null || status=$?
  [ -z "$ours" ] || as_root rm -f "$policy"
  return "$status"
}

unpack_cyrus() {
  [ -x "$cyrus/usr/lib/cyrus/bin/master" ] && return
  echo "== cyrus: $cyrus"
  update
  local unpacked package
  unpacked="$(mktemp -d)"
  (cd "$unpacked" && apt-get -qq -o APT::Sandbox::User=root download \
    cyrus-common cyrus-imapd cyrus-caldav libcyrus-imap-perl)
  for package in "$unpacked"/*.deb; do dpkg -x "$package" "$unpacked/root"; done
  # Whole or not at all: a run that broke off leaves nothing that looks complete.
  mkdir -p "$(dirname "$cyrus")"
  rm -rf "$cyrus"
  mv "$unpacked/root" "$cyrus"
  rm -rf "$unpacked"
}

install_python() {
  "$python/bin/python" -c 'import aiosmtpd, khal, khard, radicale, requests, todoman, vdirsyncer, xandikos' 2>/dev/null && return
  echo "== pip: radicale xandikos aiosmtpd vdirsyncer khal todoman khard"
  [ -x "$python/bin/pip" ] || python3 -m venv "$python"
  "$python/bin/pip" install --quiet --disable-pip-version-check \
    'radicale>=3.9,<3.10' 'xandikos>=0.4.10,<0.5' 'aiosmtpd>=1.4.6,<1.5' \
    'vdirsyncer>=0.21,<0.22' 'khal>=0.14.1,<0.15' 'todoman>=4.7,<4.8' 'khard>=0.22,<0.23' requests
}

# Node 20 or newer is taken as it is; Debian 12 has an older one.
install_provider() {
  [ -d "$oidc/node_modules/oidc-provider" ] && return
  echo "== npm: oidc-provider"
  command -v npm >/dev/null || install_packages nodejs npm
  mkdir -p "$oidc"
  npm install --prefix "$oidc" --no-fund --no-audit --loglevel=error 'oidc-provider@^9.13'
}

# systemd reads the units that are written for it; tmux is the terminal of the set-up; sasl2-bin and the libraries are what Cyrus needs of its packages' dependencies; with libeatmydata1 servers do not wait for
# the disk, on which nothing has to survive.
install_packages ca-certificates systemd libeatmydata1 python3 python3-venv dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-sieve \
  postfix isync tmux gnome-keyring dbus dbus-bin dbus-daemon xvfb xfce4-panel xfconf imagemagick \
  sasl2-bin libsasl2-modules libical3 libpcre3 libshp2 libxapian30 libnghttp2-14 libjansson4 libxml2 libpq5 libwrap0
unpack_cyrus
install_python
install_provider
