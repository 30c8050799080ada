#!/usr/bin/env python3
"""Puts deliberate bugs into a copy of the tree, one at a time, and expects the named tests to fail.

    tests/sabotage/run.py [PART OF A NAME]...

The list is in `list.toml`. What came of each goes into `RESULT.md` at once, with the commit that it was tried on; with
arguments, the other lines stay as they are. Exit status 0 means that every bug that was tried was caught. Needs Python 3.11
and nothing else.
"""

import filecmp
import os
import pathlib
import shutil
import subprocess
import sys
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RESULT = HERE / "RESULT.md"

# Fewer generated cases than CI takes: a bug that needs more to be seen is not caught.
SIZES = {"LIAISON_CASES": "300", "LIAISON_WORLDS": "2000"}
# Building is most of the time: nobody looks at these programs with a debugger, and each differs from the last by a line.
BUILD = {"CARGO_PROFILE_DEV_DEBUG": "0", "CARGO_INCREMENTAL": "1"}
# For the tests of one bug. Building takes what the machine needs.
SECONDS = 600


def copy_tree(target):
    """All files that git knows or would take, as they are now, and nothing else. What is the same stays, and what was built of it."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True).stdout
    names = {name for name in names.decode().split("\0") if name and (ROOT / name).is_file()}
    for folder, _, files in os.walk(target):
        for file in (pathlib.Path(folder) / file for file in files):
            if not file.is_symlink() and str(file.relative_to(target)) not in names:
                file.unlink()
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if not (target / name).exists() or not filecmp.cmp(ROOT / name, target / name, shallow=False):
            shutil.copy(ROOT / name, target / name)
    # The servers of the tests.
    if not (target / "target").exists():
        (target / "target").symlink_to(ROOT / "target")


class Copy:
    """A copy of the tree, always at one place and with a build folder of its own: cargo takes what was built from another copy
    for its own, and tests know where they were built."""

    def __init__(self):
        self.path = ROOT / "target" / "sabotage" / "tree"
        self.said = ""
        self.env = os.environ | SIZES | BUILD | {"CARGO_TARGET_DIR": str(ROOT / "target" / "sabotage"), "RUST_BACKTRACE": "0"}

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
        self.said = ran.stdout
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
            raise SystemExit(f"{copy.said[-5000:]}\nwithout any bug these fail: {failed}")


NOTHING = "**nothing**"
NOT_TRIED = "*not tried*"


def table(bugs, results):
    """`results`: by the name of the bug, what it was caught by, and at which commit."""
    told = [(bug, *results.get(bug["name"], (NOT_TRIED, ""))) for bug in bugs]
    caught = sum(1 for _, by, _ in told if by not in (NOTHING, NOT_TRIED))
    yield f"# Sabotage: {caught} of {len(bugs)} deliberate bugs caught\n"
    yield "Written by `make sabotage`; the bugs are in [list.toml](list.toml).\n"
    yield "| bug | in | caught by | at |"
    yield "|---|---|---|---|"
    for bug, by, at in told:
        yield f"| {bug['name']} | `{bug['file']}` | {by} | {at} |"


def earlier():
    """What stands in the table."""
    lines = RESULT.read_text().splitlines() if RESULT.exists() else []
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    return {row[0]: (row[2], row[3] if len(row) > 3 else "") for row in cells[1:] if row[2] != NOT_TRIED}


def tell(failed):
    if not failed:
        return NOTHING
    return f"`{failed[0]}`" + (f" and {len(failed) - 1} more" if len(failed) > 1 else "")


def commit():
    """The last one, with a mark where something was changed since."""
    told = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    return subprocess.run(told, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def main():
    wanted = sys.argv[1:]
    every = tomllib.loads((HERE / "list.toml").read_text())["bug"]
    bugs = [bug for bug in every if not wanted or any(part in bug["name"] for part in wanted)]
    results, at, survived = earlier(), commit(), []
    originals = {bug["file"]: (ROOT / bug["file"]).read_text() for bug in bugs}
    mutants = [mutate(bug, originals[bug["file"]]) for bug in bugs]
    copy = Copy()
    copy_tree(copy.path)
    sound(copy, bugs)
    for bug, mutant in zip(bugs, mutants):
        target = copy.path / bug["file"]
        target.write_text(mutant)
        failed = copy.failures(bug)
        target.write_text(originals[bug["file"]])
        results[bug["name"]] = (tell(failed), at)
        RESULT.write_text("\n".join(table(every, results)) + "\n")
        survived += [] if failed else [bug["name"]]
        print("caught  " if failed else "SURVIVED", bug["name"], f"({len(failed)} tests)", flush=True)
    print(f"\n{len(bugs) - len(survived)} of {len(bugs)} caught")
    sys.exit(1 if survived else 0)


if __name__ == "__main__":
    main()
