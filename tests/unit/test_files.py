"""Atomic writes: the old content or all of the new one, nothing between."""

import os
import stat
import threading
from pathlib import Path

import pytest

from ercframe.files import write_atomically, write_json, write_json_lines, write_text


def test_text_json_and_lines(tmp_path):
    write_text(tmp_path / "deep" / "a.txt", "frü\n")
    write_json(tmp_path / "b.json", {"x": "é"})
    write_json_lines(tmp_path / "c.jsonl", [{"n": 1}, {"n": 2}])
    assert (tmp_path / "deep" / "a.txt").read_text(encoding="utf-8") == "frü\n"
    assert (tmp_path / "b.json").read_text(encoding="utf-8") == '{\n  "x": "é"\n}\n'
    assert (tmp_path / "c.jsonl").read_text() == '{"n": 1}\n{"n": 2}\n'


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failing_write_leaves_the_old_file_and_no_other(tmp_path, error):
    path = tmp_path / "kept.txt"
    write_text(path, "old")

    def half(temporary):
        temporary.write_text("ne")
        raise error

    with pytest.raises(error):
        write_atomically(path, half)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["kept.txt"]


def test_files_are_readable_as_the_umask_says(tmp_path):
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    write_text(pipe, "frü\n")
    reader.join(timeout=10)
    assert read == ["frü\n"]
    assert pipe.is_fifo()


def test_a_device_stays_a_device():
    write_text(Path("/dev/null"), "nothing")
    assert Path("/dev/null").is_char_device()
