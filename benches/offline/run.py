#!/usr/bin/env python3
"""What replaying offline edits costs, beside the same operations sent as bare `$batch` requests.

    benches/offline/run.py [EDITS]      (10000 unless said)

Two organisations of the sandbox are filled alike. On one, the edits are entered offline and replayed by `liaison online`; on the
other the same operations are sent from prepared bodies, a thousand a request, by nothing but a socket. Both are timed from the
first byte to the last answer, in turns, three times; the ratio is that of the medians. The operations are the same to the letter: they
ask for the new version of what they wrote, as whoever goes on working with a row must. What they take without asking for that is
measured beside it. LIAISON names the program. Exit status 1 when the ratio passes the limit.
"""

import http.client
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

LIMIT = 1.5
ROUNDS = 3
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("LIAISON", str(ROOT / "target/release/liaison"))


def guid(name):
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


class Organisation:
    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen([PROGRAM, "sandbox", "serve", "--dir", folder / "organisation"], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().split()[1]
        self.token = (folder / "organisation/tokens/anna").read_text().strip()

    def stop(self):
        self.process.kill()
        self.process.wait()

    def batch(self, connection, operations):
        """Sends operations (method, path, headers, body) in one request; gives the whole answer."""
        connection.request("POST", "/api/data/v9.2/$batch", body=encode(operations), headers=self.headers())
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body[:500]
        return body

    def headers(self):
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "multipart/mixed; boundary=b", "Prefer": "odata.continue-on-error",
                "OData-Version": "4.0", "OData-MaxVersion": "4.0", "Accept": "application/json"}

    def connect(self):
        return http.client.HTTPConnection(self.url.removeprefix("http://"))


def encode(operations):
    out = []
    for method, path, headers, body in operations:
        out.append("--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n")
        out.append(f"{method} /api/data/v9.2/{path} HTTP/1.1\r\n")
        out.extend(f"{name}: {value}\r\n" for name, value in headers.items())
        if body is None:
            out.append("\r\n\r\n")
        else:
            out.append(f"Content-Type: application/json; type=entry\r\n\r\n{json.dumps(body)}\r\n")
    out.append("--b--\r\n")
    return "".join(out).encode()


def liaison(folder, *arguments):
    command = [PROGRAM, "--config", "liaison.toml", "--state", "state", *arguments, "--json"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def work(edits):
    """The edits: creates that refer to one another, updates, deletes; as rows for `--from` and as operations."""
    creates, deletes = edits * 4 // 10, edits // 10
    updates = edits - creates - deletes
    there = [guid(f"there {number}") for number in range(updates + deletes)]
    new = {"account": [], "contact": [], "task": []}
    for number in range(creates):
        row = {"id": guid(f"new {number}")}
        if number % 4 == 0:
            new["account"].append(row | {"name": f"New {number}"})
        elif number % 4 < 3:
            new["contact"].append(row | {"firstname": "Bob", "lastname": f"New {number}", "parentcustomerid": "account/" + new["account"][-1]["id"]})
        else:
            new["task"].append(row | {"subject": f"New {number}", "regardingobjectid": "contact/" + new["contact"][-1]["id"]})
    changed = [{"id": row, "jobtitle": f"job {number}"} for number, row in enumerate(there[:updates])]
    return there, new, changed, there[updates:]


def fill(organisation, there):
    connection = organisation.connect()
    for start in range(0, len(there), 1000):
        rows = enumerate(there[start:start + 1000], start)
        organisation.batch(connection, [
            ("PATCH", f"contacts({row})", {"If-None-Match": "*"}, {"firstname": "Ann", "lastname": f"There {number}", "jobtitle": "0"})
            for number, row in rows])


def bare(organisation, edits, asking):
    there, new, changed, deleted = work(edits)
    fill(organisation, there)
    connection = organisation.connect()
    tags = {}
    for start in range(0, len(there), 1000):
        answer = organisation.batch(connection, [("GET", f"contacts({row})?$select=contactid", {}, None) for row in there[start:start + 1000]])
        for tag, row in re.findall(r'"@odata.etag":"(W/[^,]*?)","contactid":"([-0-9a-f]+)"', answer.decode().replace('\\"', "'")):
            tags[row] = tag.replace("'", '"')
    assert len(tags) == len(there), (len(tags), len(there))
    create = {"If-None-Match": "*"}
    bind = {"contact": ("parentcustomerid", "parentcustomerid_account@odata.bind"), "task": ("regardingobjectid", "regardingobjectid_contact_task@odata.bind")}
    operations = []
    for table, rows in new.items():
        for row in rows:
            body = {name: value for name, value in row.items() if name != "id"}
            if table in bind:
                name, navigation = bind[table]
                target, key = body.pop(name).split("/")
                body[navigation] = f"/{target}s({key})"
            operations.append(("PATCH", f"{table}s({row['id']})", create, body))
    operations += [("PATCH", f"contacts({row['id']})", {"If-Match": tags[row["id"]]}, {"jobtitle": row["jobtitle"]}) for row in changed]
    operations += [("DELETE", f"contacts({row})", {"If-Match": tags[row]}, None) for row in deleted]
    if asking:
        operations = [ask_back(*operation) for operation in operations]
    bodies = [encode(operations[start:start + 1000]) for start in range(0, len(operations), 1000)]
    started = time.monotonic()
    for body in bodies:
        connection.request("POST", "/api/data/v9.2/$batch", body=body, headers=organisation.headers())
        answer = connection.getresponse().read()
        assert b"HTTP/1.1 4" not in answer and b"HTTP/1.1 5" not in answer, answer[:2000]
    return time.monotonic() - started, len(bodies)


def ask_back(method, path, headers, body):
    if method == "DELETE":
        return method, path, headers, body
    table = path.split("s(")[0]
    key = "activityid" if table == "task" else f"{table}id"
    return method, f"{path}?$select={key}", headers | {"Prefer": "return=representation"}, body


def ours(organisation, folder, edits):
    there, new, changed, deleted = work(edits)
    fill(organisation, there)
    (folder / "liaison.toml").write_text(f"""
[organisation.test]
url = "{organisation.url}"
sync = true
auth = {{ kind = "token", command = "cat organisation/tokens/anna" }}
[mailbox]
address = "anna@example.org"
[mailbox.contacts]
kind = "vdir"
path = "contacts"
""")
    (folder / "contacts").mkdir()
    liaison(folder, "offline", "contact", "account", "task")
    steps = [("create", table, rows) for table, rows in new.items()] + [("update", "contact", changed), ("delete", "contact", deleted)]
    for verb, table, rows in steps:
        (folder / "rows.json").write_text(json.dumps(rows))
        liaison(folder, "record", verb, table, "--from", "rows.json")
    replay = liaison(folder, "online")["replay"]
    assert replay["settled"] == edits and replay["stopped"] is None, replay
    return replay["seconds"], replay["requests"]


def main():
    edits = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    times = {"bare": [], "lean": [], "ours": []}
    requests = {}
    for _ in range(ROUNDS):
        for name in times:
            with tempfile.TemporaryDirectory() as folder:
                organisation = Organisation(pathlib.Path(folder))
                try:
                    if name == "ours":
                        one = ours(organisation, pathlib.Path(folder), edits)
                    else:
                        one = bare(organisation, edits, name == "bare")
                finally:
                    organisation.stop()
                times[name].append(one[0])
                requests[name] = one[1]
    median = {name: statistics.median(found) for name, found in times.items()}
    ratio = median["ours"] / median["bare"]
    for name, found in times.items():
        print(f"{name:5} {median[name]:7.2f} s   {requests[name]:3} requests   ({', '.join(f'{one:.2f}' for one in found)})")
    print(f"ours / bare {ratio:.2f}     at most {LIMIT}")
    print(f"ours / lean {median['ours'] / median['lean']:.2f}     the same without asking for the new versions")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
