"""Processor quota of this process's control groups, as containers have it."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


def cpu_quota(root: Path = _ROOT, own: Path = Path("/proc/self/cgroup")) -> float | None:
    """Cores that may be used at once, the least of all groups above this process; None without a limit.

    Args:
        root: where control groups are mounted.
        own: which groups this process belongs to.
    """
    found = [quota for folder in _folders(root, own) if (quota := _of(folder)) is not None]
    return min(found, default=None)


def _folders(root: Path, own: Path) -> list[Path]:
    """The groups of this process up to the root; in a container the root is its own."""
    folders = [root, root / "cpu", root / "cpu,cpuacct"]
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return folders
    for line in lines:
        controllers, _, path = line.partition(":")[2].partition(":")
        base = root if not controllers else root / controllers
        if ".." in path or (controllers and "cpu" not in controllers.split(",")):
            continue
        group = base / path.strip("/")
        while group != base and base in group.parents:
            folders.append(group)
            group = group.parent
    return folders


def _of(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()[:2]
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        cores = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # no such group, or "max"
        return None
    return cores if cores > 0 else None
