from __future__ import annotations

import os

import pytest

from takeroot.bundle.cores import usable_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)), raising=False)


def _write(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1), ("9900000 100000", 8)],
)
def test_a_version_2_quota_binds(tmp_path, quota, cores):
    _write(tmp_path, {"proc/self/cgroup": "0::/job\n", "sys/fs/cgroup/job/cpu.max": quota})

    assert usable_cores(tmp_path) == cores


def test_the_quota_of_a_parent_binds(tmp_path):
    files = {"proc/self/cgroup": "0::/a/b/c\n", "sys/fs/cgroup/a/b/c/cpu.max": "max 100000"}
    _write(tmp_path, {**files, "sys/fs/cgroup/a/cpu.max": "300000 100000"})

    assert usable_cores(tmp_path) == 3


def test_the_hosts_path_falls_back_to_the_mounts_root(tmp_path):
    _write(tmp_path, {"proc/self/cgroup": "0::/kubepods/x\n", "sys/fs/cgroup/cpu.max": "2000 1000"})

    assert usable_cores(tmp_path) == 2


@pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("400000", 4)])
def test_a_version_1_quota_binds(tmp_path, quota, cores):
    group = "sys/fs/cgroup/cpu/docker/x/"
    files = {"proc/self/cgroup": "3:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n"}
    quotas = {f"{group}cpu.cfs_quota_us": quota, f"{group}cpu.cfs_period_us": "100000"}
    _write(tmp_path, files | quotas)

    assert usable_cores(tmp_path) == cores


@pytest.mark.parametrize("content", ["", "nonsense", "0::/x\n:::"])
def test_without_readable_control_groups_affinity_counts(tmp_path, content):
    _write(tmp_path, {"proc/self/cgroup": content, "sys/fs/cgroup/cpu.max": "no numbers"})

    assert usable_cores(tmp_path) == 8


def test_without_proc_affinity_counts(tmp_path):
    assert usable_cores(tmp_path) == 8


def test_there_is_always_one_core():
    assert usable_cores() >= 1
