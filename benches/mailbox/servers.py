"""The servers, each with a configuration of its own below one directory, on ports of the loopback interface."""

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import time

PASSWORD = "secret"
USER = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
GROUP = "nogroup" if os.getuid() == 0 else None
# Dovecot does not serve root, so that as root everything that touches the mail is somebody else.
UNPRIVILEGED = {"user": USER, "group": GROUP, "extra_groups": []} if os.getuid() == 0 else {}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def hand_over(folder):
    """Gives a folder with all below it to whoever serves the mail."""
    if os.getuid() == 0:
        shutil.chown(folder, USER, GROUP)
        for path, folders, files in os.walk(folder):
            for name in folders + files:
                shutil.chown(os.path.join(path, name), USER, GROUP)


class Server:
    def __init__(self, command, port, log, **options):
        self.port = port
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                        stdout=open(log, "wb"), stderr=subprocess.STDOUT, **options)
        for _ in range(300):
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        sys.exit(f"{command[0]} does not start:\n{pathlib.Path(log).read_text()[-2000:]}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def certificate(folder):
    """An authority in `ca.pem`, and a certificate for this machine."""
    if (folder / "server.pem").exists():
        return
    run = lambda words: subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)
    run("req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=Authority -keyout ca.key -out ca.pem")
    run("req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    run("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile names -out server.pem")


class Dovecot(Server):
    """IMAP with COMPRESS on, TLS beside it, and LMTP. Every user has the same password."""

    def __init__(self, folder, mail):
        folder.mkdir(parents=True, exist_ok=True)
        for part in ("run", "state"):
            (folder / part).mkdir(exist_ok=True)
        (folder / "run" / "master.pid").unlink(missing_ok=True)
        certificate(folder)
        self.ca = folder / "ca.pem"
        imap, self.imaps, self.lmtp = free_port(), free_port(), free_port()
        group = GROUP or USER
        boxes = "".join(f"  mailbox {name} {{\n    auto = subscribe\n    special_use = \\{name}\n  }}\n"
                        for name in ("Drafts", "Sent", "Trash", "Junk"))
        (folder / "dovecot.conf").write_text(f"""protocols = imap lmtp
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
instance_name = bench{imap}
default_internal_user = {USER}
default_internal_group = {group}
default_login_user = {USER}
first_valid_uid = 1
hostname = localhost
postmaster_address = postmaster@example.test
ssl = yes
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.key
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:~/Maildir
mail_max_userip_connections = 200
protocol imap {{
  mail_plugins = $mail_plugins imap_zlib
}}
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={USER} gid={group} home={mail}/%n allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  separator = /
{boxes}}}
service anvil {{
  chroot =
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
service imap-login {{
  chroot =
  service_count = 0
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {self.imaps}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {self.lmtp}
  }}
}}
""")
        hand_over(folder)
        program = shutil.which("dovecot", path=os.environ["PATH"] + ":/usr/sbin")
        super().__init__([program, "-F", "-c", folder / "dovecot.conf"], imap, folder / "printed", **UNPRIVILEGED)


class Radicale(Server):
    """Its limit of occurrences counts events, too: vdirsyncer asks for all of a calendar at once."""

    def __init__(self, folder, data, python):
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        (folder / "users").write_text(f"anna:{PASSWORD}\n")
        (folder / "config").write_text(f"""[server]
hosts = 127.0.0.1:{port}
max_connections = 50
timeout = 600
[auth]
type = htpasswd
htpasswd_filename = {folder}/users
htpasswd_encryption = plain
delay = 0
[rights]
type = owner_only
[storage]
filesystem_folder = {data}
[reporting]
max_expand_occurrence = 1000000
[logging]
level = warning
""")
        super().__init__([python, "-m", "radicale", "--config", folder / "config"], port, folder / "printed")


class Organisation(Server):
    """The sandbox organisation, which is Liaison's own, in a process of its own."""

    def __init__(self, folder, liaison):
        port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        super().__init__([liaison, "sandbox", "serve", "--dir", folder, "--listen", f"127.0.0.1:{port}"], port,
                         folder / "printed")
