"""The journal of an extraction: whatever happens to the end of the file, what was appended before stays."""

import numpy as np
import pytest

from ercframe.extraction.blocks import Block, Missing, Result
from ercframe.extraction.journal import Journal

STAMPS = ["one", "two", "three"]


def entry(i):
    """A block and its result."""
    values = np.full((2, 3), i, np.float16)
    return Block((2 * i, 2 * i + 1), (), STAMPS[i]), Result(values, {1: Missing("broken", True)}, {0: "cut – or so"})


@pytest.fixture
def path(tmp_path):
    """A journal with three entries, and where each ends."""
    ends = []
    with Journal(tmp_path / "work" / "journal") as journal:
        for i in range(3):
            journal.append(*entry(i))
            ends.append((tmp_path / "work" / "journal").stat().st_size)
    return tmp_path / "work" / "journal", ends


def test_what_was_appended_is_read_again(path):
    with Journal(path[0]) as journal:
        assert journal.kind == (3, "float16")
        found = list(journal.results({"one", "three"}))
    assert [rows for rows, _ in found] == [(0, 1), (4, 5)]
    for (_, result), i in zip(found, (0, 2), strict=True):
        expected = entry(i)[1]
        np.testing.assert_array_equal(result.values, expected.values)
        assert result.values.dtype == np.float16
        assert (result.missing, result.remarks) == (expected.missing, expected.remarks)


def test_a_file_cut_anywhere_keeps_the_whole_entries_and_goes_on(path):
    file, ends = path
    content = file.read_bytes()
    for length in range(len(content)):
        file.write_bytes(content[:length])
        whole = sum(end <= length for end in ends)
        with Journal(file) as journal:
            assert [stamp in journal for stamp in STAMPS] == [i < whole for i in range(3)]
            assert file.stat().st_size == (ends[whole - 1] if whole else 0)
            for i in range(whole, 3):
                journal.append(*entry(i))
        assert file.read_bytes() == content


@pytest.mark.parametrize("place", [0, 5, 30, 120, 200])
def test_nothing_after_a_damaged_entry_is_trusted(path, place):
    file, ends = path
    content = bytearray(file.read_bytes())
    content[ends[0] + place] ^= 0xFF
    file.write_bytes(content)
    with Journal(file) as journal:
        assert [stamp in journal for stamp in STAMPS] == [True, False, False]


def test_a_block_without_values_is_kept(tmp_path):
    block, _ = entry(0)
    with Journal(tmp_path / "journal") as journal:
        journal.append(block, Result(np.empty((2, 0), np.float32), {0: Missing("a", False), 1: Missing("b", True)}, {}))
        assert journal.kind is None
    with Journal(tmp_path / "journal") as journal:
        ((_, result),) = journal.results({"one"})
    assert result.values.shape == (2, 0)
    assert result.missing == {0: Missing("a", False), 1: Missing("b", True)}
