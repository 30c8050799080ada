#!/usr/bin/env bash
# A mail that is delivered becomes a record of the CRM by itself: Dovecot, an organisation in the sandbox and the installed program,
# set up from a file of answers. Run by packaging/check.sh inside the bare Debian, as a user without any rights.
set -euo pipefail
here="$HOME/live"
mkdir -p "$here"/{run,state,mail}
cd "$here"
trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT

say() { printf -- '-- %s\n' "$*"; }

# eventually WHAT COMMAND...
eventually() {
  for _ in $(seq 600); do
    if "${@:2}" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "this did not happen: $1" >&2
  "${@:2}" >&2 || true
  tail -n 20 "$here"/*.log >&2
  exit 1
}

deliver() {
  printf '%s\n' "Message-ID: <$1@example.org>" "Date: $(date -R)" 'From: Bob Brown <bob@example.com>' \
    'To: anna@example.org' "Subject: $1" '' 'The roof.' | /usr/lib/dovecot/dovecot-lda -c dovecot.conf -d anna
}

cat >dovecot.conf <<CONF
protocols = imap
listen = 127.0.0.1
base_dir = $here/run
state_dir = $here/state
log_path = $here/dovecot.log
default_internal_user = $(id -un)
default_internal_group = $(id -gn)
default_login_user = $(id -un)
first_valid_uid = 1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:$here/mail
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=$(id -u) gid=$(id -g) home=$here
}
service anvil {
  chroot =
}
service imap-login {
  chroot =
  inet_listener imap {
    port = 14300
  }
  inet_listener imaps {
    port = 0
  }
}
CONF
printf 'secret\n' >password
dovecot -F -c dovecot.conf &
liaison sandbox serve --dir organisation --listen 127.0.0.1:14301 >sandbox.log 2>&1 &
eventually "there is an organisation" test -s organisation/tokens/anna

cat >answers.toml <<ANSWERS
address = "anna@example.org"
discover = "no"
email = "imap"
email-host = "127.0.0.1"
email-port = "14300"
email-security = "none"
email-user = "anna"
email-password-command = "cat '$here/password'"
contacts = "none"
appointments = "none"
tasks = "none"
send = "no"
organisation-url = "http://127.0.0.1:14301"
organisation-token-command = "cat '$here/organisation/tokens/anna'"
track-email = "all"
claim = "yes"
approve = "yes"
start = "no"
ANSWERS
deliver first
say "set up"
liaison setup --answers answers.toml
say "the service"
liaison run 2>service.log &
service=$!
in_step() { liaison status --json | grep -q '"state": *"in-step"'; }
eventually "it is in step" in_step
say "a mail comes"
deliver second
# Asked of the organisation itself, not of the program.
filed() {
  exec 3<>/dev/tcp/127.0.0.1/14301
  printf 'GET /api/data/v9.2/emails?$select=subject HTTP/1.0\r\nHost: 127.0.0.1:14301\r\nAuthorization: Bearer %s\r\n\r\n' \
    "$(cat organisation/tokens/anna)" >&3
  grep -q '"second"' <&3
}
eventually "it is in the CRM" filed
eventually "it is in step again" in_step
liaison status
liaison log | tail -n 3
say "verified"
liaison verify
kill "$service"
wait "$service"
say "unlinked"
liaison uninstall --unlink --yes
filed
