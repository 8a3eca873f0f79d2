"""The limit on a model's threads."""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def cpu_quota(cgroup: Path = _CGROUP) -> int:
    """The number of whole CPUs that this process may use, by its affinity and its container's quota (cgroup v2 and v1).

    A container throttles all threads at once if they exceed the quota, and then a step takes seconds.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for limit in (_quota(cgroup / "cpu.max"), _quota_v1(cgroup / "cpu")):
        if limit is not None:
            count = min(count, max(1, math.floor(limit)))
    return count


def limit_threads() -> int:
    """Lower PyTorch's number of threads to the quota; never raise it. Returns the number of threads."""
    import torch

    quota = cpu_quota()
    if torch.get_num_threads() > quota:
        torch.set_num_threads(quota)
    return torch.get_num_threads()


def _quota(file: Path) -> float | None:
    try:
        allowed, period = file.read_text(encoding="ascii").split()[:2]
        return None if allowed == "max" else int(allowed) / int(period)
    except (OSError, ValueError):
        return None


def _quota_v1(folder: Path) -> float | None:
    try:
        allowed = int((folder / "cpu.cfs_quota_us").read_text(encoding="ascii"))
        return allowed / int((folder / "cpu.cfs_period_us").read_text(encoding="ascii")) if allowed > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
