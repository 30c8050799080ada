#!/usr/bin/env python3
"""What the service costs when nothing happens: memory, wake-ups, CPU; how soon it is ready, and how soon `liaison status` answers.

    benches/service/run.py [MESSAGES] [SECONDS]      (100000 messages, of which 5 % are linked, watched for 600 seconds)

A mailbox on Dovecot with IDLE open, and the sandbox organisation. The figures come from /proc, of all threads of the service. LIAISON
names the program. Exit status 1 when a limit is passed.
"""

import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "benches/mailbox"))

import clients  # noqa: E402
import generate  # noqa: E402
import measure  # noqa: E402
import servers  # noqa: E402

PROGRAM = os.environ.get("LIAISON", str(ROOT / "target/release/liaison"))


def threads(process):
    return pathlib.Path(f"/proc/{process}/task").iterdir()


def cpu(process):
    """Seconds on a processor so far (proc(5), schedstat)."""
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads(process)) / 1e9


def of_status(path, name):
    line = next(line for line in (path / "status").read_text().splitlines() if line.startswith(name + ":"))
    return int(line.split()[1])


def wakeups(process):
    """How often its threads began to run after they had waited."""
    return sum(of_status(thread, "voluntary_ctxt_switches") for thread in threads(process))


def memory(process):
    return of_status(pathlib.Path(f"/proc/{process}"), "VmRSS") / 1024


class Installation:
    def __init__(self, folder, organisation, mail):
        self.folder = folder
        self.config = clients.liaison(folder / "config.toml", organisation, mail)

    def command(self, *words):
        return [PROGRAM, "--config", self.config, "--state", self.folder / "state", *words]

    def run(self, *words, ends=(0,)):
        ran = subprocess.run(self.command(*words), capture_output=True, text=True)
        if ran.returncode not in ends:
            sys.exit(f"{words}: {ran.returncode}\n{ran.stdout}{ran.stderr}")
        return ran.stdout


def ready(installation, folder):
    """Starts the service: the process, and how long it took until it said that it is ready."""
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    address = folder / "notify"
    address.unlink(missing_ok=True)
    manager.bind(str(address))
    manager.settimeout(60)
    log = open(folder / "log", "ab")
    start = time.perf_counter()
    environment = {**os.environ, **measure.of_unit(), "NOTIFY_SOCKET": str(address)}
    service = subprocess.Popen(installation.command("run"), env=environment, stdout=log, stderr=log)
    while b"READY=1" not in manager.recv(4096):
        pass
    took = time.perf_counter() - start
    manager.close()
    return service, took


def in_step(installation):
    for _ in range(1200):
        status = subprocess.run(installation.command("status", "--json"), capture_output=True, text=True)
        if json.loads(status.stdout).get("service", {}).get("state") == "in-step":
            return
        time.sleep(0.1)
    sys.exit(status.stdout)


def answered(installation):
    start = time.perf_counter()
    installation.run("status")
    return time.perf_counter() - start


def main():
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 600
    folder = pathlib.Path(tempfile.mkdtemp(prefix="liaison-service-"))
    folder.chmod(0o755)
    home = folder / "mail"
    home.mkdir()
    generate.mail(home, {"anna": messages}, 1)
    servers.hand_over(home)
    dovecot = servers.Dovecot(folder / "dovecot", home)
    organisation = servers.Organisation(folder / "organisation", PROGRAM)
    (folder / "here").mkdir()
    installation = Installation(folder / "here", organisation, (dovecot.imaps, "anna", dovecot.ca))
    service = None
    try:
        installation.run("sync", ends=(0, 4))
        installation.run("approve", "--all")
        installation.run("sync")
        starts = []
        for _ in range(5):
            service, took = ready(installation, folder)
            starts.append(took)
            in_step(installation)
            if len(starts) < 5:
                service.terminate()
                service.wait()
        answers = [answered(installation) for _ in range(20)]
        # What was allocated for the first rounds is given back within some seconds.
        time.sleep(30)
        before = (cpu(service.pid), wakeups(service.pid), time.monotonic())
        time.sleep(seconds)
        after = (cpu(service.pid), wakeups(service.pid), time.monotonic())
        passed = after[2] - before[2]
        linked = json.loads(installation.run("status", "--json"))["classes"]["email"]["linked"]
        print(f"{messages:,} messages, {linked:,} linked, {passed:.0f} s")
        rows = [
            ("start to ready", statistics.median(starts) * 1000, 300, "ms"),
            ("`liaison status`", statistics.median(answers) * 1000, 30, "ms"),
            ("resident memory", memory(service.pid), 25, "MiB"),
            ("wake-ups a minute", (after[1] - before[1]) / passed * 60, 6, ""),
            ("CPU an hour", (after[0] - before[0]) / passed * 3600, 0.5, "s"),
        ]
        print("| what | measured | limit | |\n|---|---|---|---|")
        for name, value, limit, unit in rows:
            print(f"| {name} | {value:.2f} {unit} | ≤ {limit} {unit} | {'pass' if value <= limit else '**MISSED**'} |")
        return any(value > limit for _, value, limit, _ in rows)
    finally:
        for server in (service, dovecot, organisation):
            if server:
                server.terminate() if isinstance(server, subprocess.Popen) else server.stop()


sys.exit(main())
