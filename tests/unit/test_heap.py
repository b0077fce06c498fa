"""Memory that tensors leave behind stays with the process."""

import ctypes
import os
import subprocess
import sys

import pytest

from ercframe.training.heap import keep_freed_memory

PAGES = """
import ctypes, resource, sys
import torch
from ercframe.training.heap import keep_freed_memory

PR_SET_THP_DISABLE = 41  # else, where the system says so, one fault brings two megabytes
ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
if sys.argv[1] == "kept":
    keep_freed_memory()
torch.empty(2**20).fill_(1)  # whatever is set up once

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

for _ in range(2):  # the first time every page is new, whatever was said
    before = faults()
    rows = [torch.empty(2**20).fill_(1) for _ in range(40)]
    del rows
print(faults() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's settings")
def test_the_kernel_clears_no_page_again_in_the_next_step():
    if not hasattr(ctypes.CDLL(None), "mallopt"):
        pytest.skip("this C library has no mallopt")

    def faults(how: str) -> int:
        # glibc learns to keep blocks by itself, from those it gave back, unless it is told its own defaults.
        environment = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_MMAP_THRESHOLD_": "131072"}
        ran = subprocess.run([sys.executable, "-c", PAGES, how], capture_output=True, env=environment, check=True)
        return int(ran.stdout)

    # 40 blocks of 1,024 pages; in which order they are cut decides about some of them.
    assert faults("kept") < 10_000 < 40_000 < faults("given back")


def test_nothing_happens_where_there_is_no_such_setting(monkeypatch):
    def none(name):
        raise TypeError("argument of type 'NoneType' is not iterable")  # as on Windows

    monkeypatch.setattr(ctypes, "CDLL", none)
    monkeypatch.setattr("os.name", "nt")
    keep_freed_memory()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())  # as on macOS
    monkeypatch.setattr("os.name", "posix")
    keep_freed_memory()
