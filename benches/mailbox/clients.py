"""How each client is told about the servers."""

from servers import PASSWORD


def liaison(path, organisation, mail=None, dav=None, track=""):
    """`mail`: port, user and, for TLS, the authority; `dav`: the port."""
    text = f"""[organisation.bench]
url = "http://127.0.0.1:{organisation.port}"
sync = true
auth = {{ kind = "token", command = "cat {organisation.folder}/tokens/anna" }}
[mailbox]
address = "anna@example.org"
"""
    if mail:
        port, user, authority = mail
        security = f'security = "tls"\nca = "{authority}"' if authority else 'security = "none"'
        text += f"""[mailbox.email]
kind = "imap"
host = "localhost"
port = {port}
{security}
user = "{user}"
password = {{ command = "echo {PASSWORD}" }}
"""
    if dav:
        for section, kind, collection in (("contacts", "carddav", "contacts"), ("appointments", "caldav", "calendar"),
                                          ("tasks", "caldav", "tasks")):
            text += f"""[mailbox.{section}]
kind = "{kind}"
url = "http://127.0.0.1:{dav}/anna/{collection}/"
user = "anna"
password = {{ command = "echo {PASSWORD}" }}
"""
    if track:
        text += f'[sync.email]\ntrack = "{track}"\n'
    path.write_text(text)
    return path


def mbsync(path, port, user, folder, lean=False):
    """All settings are mbsync's own, but with `lean` it neither compresses nor waits for the disk, or only the latter."""
    path.write_text(f"""{'FSync no' if lean else ''}
IMAPAccount bench
Host 127.0.0.1
Port {port}
User {user}
Pass {PASSWORD}
SSLType None
{'DisableExtension COMPRESS=DEFLATE' if lean is True else ''}

IMAPStore far
Account bench

MaildirStore near
Path {folder}/
Inbox {folder}/INBOX
SubFolders Verbatim

Channel bench
Far :far:
Near :near:
Patterns *
Create Near
SyncState *
""")
    folder.mkdir(parents=True, exist_ok=True)
    return path


def vdirsyncer(path, port, folder):
    collections = {"card": ["contacts"], "cal": ["calendar", "tasks"]}
    text = f'[general]\nstatus_path = "{folder}/status/"\n'
    for kind, names in collections.items():
        pairs = ", ".join(f'["{name}", "{name}", "{name}"]' for name in names)
        ending = "vcf" if kind == "card" else "ics"
        text += f"""
[pair {kind}]
a = "{kind}_near"
b = "{kind}_far"
collections = [{pairs}]
[storage {kind}_near]
type = "filesystem"
path = "{folder}/{kind}/"
fileext = ".{ending}"
[storage {kind}_far]
type = "{kind}dav"
url = "http://127.0.0.1:{port}/anna/"
username = "anna"
password = "{PASSWORD}"
"""
        for name in names:
            (folder / kind / name).mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
