#!/usr/bin/env python3
"""Puts deliberate bugs into a copy of the tree, one at a time, and expects the named tests to fail.

    tests/sabotage/run.py [PART OF A NAME]...

The list is in `list.toml`. Without arguments, `RESULT.md` is written. Exit status 0 means that every bug was caught.
Needs Python 3.11 and nothing else.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RESULT = HERE / "RESULT.md"

# Fewer generated cases than CI takes: a bug that needs more to be seen is not caught.
SIZES = {"LIAISON_CASES": "300", "LIAISON_WORLDS": "4000"}
# For the tests of one bug. Building takes what the machine needs.
SECONDS = 600


def copy_tree(target):
    """All files that git knows or would take, as they are now."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


class Copy:
    """A copy of the tree, with a build folder of its own: cargo takes what was built from another copy for its own."""

    def __init__(self, path):
        self.path = path
        self.env = os.environ | SIZES | {"CARGO_TARGET_DIR": str(ROOT / "target" / "sabotage"), "RUST_BACKTRACE": "0"}

    def cargo(self, bug, *arguments, timeout=None):
        binary = ["--lib"] if bug.get("binary") == "lib" else ["--test", "it"]
        command = ["cargo", "test", "--locked", "--quiet", *binary, *arguments]
        env = self.env | ({"LIAISON_STORY": bug["story"]} if "story" in bug else {})
        return subprocess.run(command, cwd=self.path, env=env, capture_output=True, text=True, timeout=timeout)

    def failures(self, bug):
        """The tests that fail, or None if there is nothing to run."""
        built = self.cargo(bug, "--no-run")
        if built.returncode != 0:
            raise SystemExit(f"{bug['name']}: this does not compile\n{built.stderr[-3000:]}")
        try:
            ran = self.cargo(bug, "--", *bug["tests"], timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return ["(no end within the time limit)"]
        if "running 0 tests" in ran.stdout:
            raise SystemExit(f"{bug['name']}: no test has a name like {bug['tests']}")
        if ran.returncode == 0:
            return []
        lines = ran.stdout.splitlines()
        last = max(number for number, line in enumerate(lines) if line == "failures:")
        return sorted(line.strip() for line in lines[last + 1 :] if line.startswith("    "))


def mutate(bug, text):
    found = text.count(bug["old"])
    if found != 1:
        raise SystemExit(f"{bug['name']}: {bug['file']} holds the old text {found} times, not once")
    return text.replace(bug["old"], bug["new"])


def sound(copy, bugs):
    """Without a bug, every named test must pass, or its failing shows nothing."""
    runs = {}
    for bug in bugs:
        of = runs.setdefault((bug.get("binary", "it"), bug.get("story", "")), set())
        of.update(bug["tests"])
    for (binary, story), tests in sorted(runs.items()):
        failed = copy.failures({"name": "no bug", "binary": binary, "story": story, "tests": sorted(tests)})
        if failed:
            raise SystemExit(f"without any bug these fail: {failed}")


def table(rows):
    caught = sum(1 for _, failed in rows if failed)
    yield f"# Sabotage: {caught} of {len(rows)} deliberate bugs caught\n"
    yield "Written by `make sabotage`; the bugs are in [list.toml](list.toml).\n"
    yield "| bug | in | caught by |"
    yield "|---|---|---|"
    for bug, failed in rows:
        by = f"`{failed[0]}`" + (f" and {len(failed) - 1} more" if len(failed) > 1 else "") if failed else "**nothing**"
        yield f"| {bug['name']} | `{bug['file']}` | {by} |"


def main():
    wanted = sys.argv[1:]
    bugs = tomllib.loads((HERE / "list.toml").read_text())["bug"]
    bugs = [bug for bug in bugs if not wanted or any(part in bug["name"] for part in wanted)]
    originals = {bug["file"]: (ROOT / bug["file"]).read_text() for bug in bugs}
    mutants = [mutate(bug, originals[bug["file"]]) for bug in bugs]
    rows = []
    with tempfile.TemporaryDirectory(prefix="liaison-sabotage-") as path:
        copy = Copy(pathlib.Path(path))
        copy_tree(copy.path)
        sound(copy, bugs)
        for bug, mutant in zip(bugs, mutants):
            target = copy.path / bug["file"]
            target.write_text(mutant)
            failed = copy.failures(bug)
            target.write_text(originals[bug["file"]])
            rows.append((bug, failed))
            print("caught  " if failed else "SURVIVED", bug["name"], f"({len(failed)} tests)", flush=True)
    text = "\n".join(table(rows)) + "\n"
    print("\n" + text)
    if not wanted:
        RESULT.write_text(text)
    sys.exit(0 if all(failed for _, failed in rows) else 1)


if __name__ == "__main__":
    main()
