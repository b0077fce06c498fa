"""Locks on folders: one holder at a time, and none where there are no locks."""

import errno
import fcntl
import os

import pytest

from ercframe import InputError
from ercframe.lock import NAME, alone, locked


def test_a_locked_folder_names_its_holder_and_is_clean_afterwards(tmp_path):
    told = rf"is in use by process {os.getpid()} on .*, or by one that it started; wait for its end, or end it first"
    with locked(tmp_path), pytest.raises(InputError, match=told), locked(tmp_path):
        pass
    assert not (tmp_path / NAME).exists()
    with locked(tmp_path):
        pass


def test_one_alone_has_a_folder_in_which_nothing_is_written(tmp_path):
    with alone(tmp_path, wait=False) as first, alone(tmp_path, wait=False) as second:
        assert (first, second) == (True, False)
    with alone(tmp_path, wait=True) as free:
        assert free
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_keeps_nobody_out(tmp_path, monkeypatch):
    def refuse(handle, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with alone(tmp_path, wait=False) as free:
        assert free
    with locked(tmp_path), locked(tmp_path):
        pass
