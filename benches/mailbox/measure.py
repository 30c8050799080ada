"""Runs clients and says what they cost: their own time, processor time and memory, never that of the servers."""

import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass
class Cost:
    wall: float
    cpu: float
    peak: float
    """MiB."""


def median(costs):
    return Cost(*(statistics.median(getattr(cost, part) for cost in costs) for part in ("wall", "cpu", "peak")))


def peak(pid):
    """The most memory that a process ever held, in MiB. What `wait4` says begins at the size of the parent."""
    try:
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def run(command, log, **options):
    """A client from its start to its end."""
    started = time.monotonic()
    with open(log, "ab") as output:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, **options)
        highest = [0.0]

        def watch():
            while not done.wait(0.02):
                highest[0] = max(highest[0], peak(process.pid))

        done = threading.Event()
        watcher = threading.Thread(target=watch)
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        done.set()
        watcher.join()
    if status:
        sys.exit(f"{command[0]} failed: see {log}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, highest[0])


def of_unit():
    """The environment that the service manager starts Liaison with."""
    unit = pathlib.Path(__file__).resolve().parent.parent.parent / "packaging/systemd/liaison.service"
    lines = unit.read_text().splitlines()
    settings = (line.removeprefix("Environment=") for line in lines if line.startswith("Environment="))
    return dict(setting.split("=", 1) for setting in settings)


class Engine:
    """Liaison in a process that stays until it is told to end, in the environment of its unit."""

    def __init__(self, bench, config, state, log):
        self.started = time.monotonic()
        self.log = log
        self.process = subprocess.Popen([str(bench), "engine", str(config), str(state)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=open(log, "ab"), text=True,
                                        env={**os.environ, **of_unit()})
        self.hear()

    def hear(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"Liaison failed: see {self.log}")
        return json.loads(line)

    def say(self, words):
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()

    def sync(self, classes, count=""):
        self.say(f"sync {classes} {count}".strip())
        said = self.hear()
        for name, report in said["report"]["classes"].items():
            if report.get("error") or report.get("partial"):
                sys.exit(f"Liaison failed on {name}: {report}")
        return said

    def cpu(self):
        """Coarse: by ticks of the clock."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def end(self):
        """What all of it cost, with the start and the commands that print secrets."""
        most = peak(self.process.pid)
        self.process.stdin.close()
        _, status, usage = os.wait4(self.process.pid, 0)
        if status:
            sys.exit(f"Liaison failed: see {self.log}")
        return Cost(time.monotonic() - self.started, usage.ru_utime + usage.ru_stime, most)
