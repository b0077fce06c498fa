"""What a run leaves behind, whatever stops it and wherever."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from safetensors import safe_open

from ercframe import RunError, evaluate, execute, recipes, seed_run, tensor_files
from ercframe.build import assemble
from ercframe.runs import RunFolder
from ercframe.stopped import resume_command

TINY = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 6, "dev": 3, "test": 3, "labels": 4},
    "encoder": {"type": "identity", "width": 4},
    "fusion": {"type": "gated"},
    "classifier": {"type": "linear"},
    "losses": {"task": {"type": "cross_entropy"}, "aux": {"type": "self_distillation"}},
    "trainer": {"epochs": 2, "batch_dialogues": 4, "device": "cpu"},
    "protocol": {"seeds": 3},
}


class Silent:
    """Watches a run and counts the seeds that it saw begin and end."""

    def __init__(self):
        self.begun = self.ended = 0

    def started(self, experiment, folder, parameters, warnings):
        """Nothing to say."""

    def seed_started(self, seed, epochs):
        """Count it."""
        self.begun += 1

    def epoch_done(self, seed, epoch, is_best):
        """Nothing to say."""

    def notice(self, text):
        """Nothing to say."""

    def seed_done(self, seed):
        """Count it."""
        self.ended += 1


@pytest.fixture
def experiment(tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    return assemble(recipes.load(tmp_path / "tiny.yaml"))


def summary(root):
    (folder,) = (root / "runs" / "tiny").iterdir()
    return json.loads((folder / "summary.json").read_text())


def after(times, does, call):
    """``call``, but at the given time of being called ``does`` comes first."""
    calls = []

    def wrapped(*arguments, **named):
        calls.append(1)
        if len(calls) == times:
            does()
        return call(*arguments, **named)

    return wrapped


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_while_a_seed_is_concluded_loses_nothing(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(seed_run, "record", after(3, ctrl_c, seed_run.record))  # dev of the second seed
    folder, found = execute.execute(experiment, tmp_path / "runs", Silent())
    assert found == summary(tmp_path)
    assert found["status"] == "interrupted"
    assert [seed["seed"] for seed in found["seeds"]] == [0, 1]
    assert (folder.path / "seed-1" / "predictions.jsonl").is_file()
    assert not (folder.path / "seed-2").exists()


def test_ctrl_c_while_a_model_is_built_keeps_the_finished_seeds(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(seed_run, "new_state", after(2, ctrl_c, seed_run.new_state))
    _, found = execute.execute(experiment, tmp_path / "runs", Silent())
    assert found == summary(tmp_path)
    assert (found["status"], [seed["seed"] for seed in found["seeds"]]) == ("interrupted", [0])


def test_a_disk_that_fills_up_fails_the_run_and_keeps_the_finished_seeds(experiment, tmp_path, monkeypatch):
    def full():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensor_files, "save_file", after(6, full, tensor_files.save_file))  # 3 files a seed
    reporter = Silent()
    with pytest.raises(RunError, match=r"the run in .*tiny.* could not go on: .*No space left on device"):
        execute.execute(experiment, tmp_path / "runs", reporter)
    assert summary(tmp_path)["status"] == "failed"
    assert [seed["seed"] for seed in summary(tmp_path)["seeds"]] == [0]
    assert reporter.begun == reporter.ended == 2


def test_a_programming_error_in_training_ends_the_bar_and_fails_the_run(experiment, tmp_path, monkeypatch):
    def broken():
        raise KeyError("bug")

    monkeypatch.setattr(seed_run, "fit", after(1, broken, seed_run.fit))
    reporter = Silent()
    with pytest.raises(KeyError):
        execute.execute(experiment, tmp_path / "runs", reporter)
    assert summary(tmp_path)["status"] == "failed"
    assert reporter.begun == reporter.ended == 1


def test_representations_of_a_large_corpus_are_those_of_its_first_utterances(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "REPRESENTED", 1)
    monkeypatch.setattr(evaluate, "batches", lambda dialogues, size: (evaluate.collate([d]) for d in dialogues))
    folder, _ = execute.execute(experiment, tmp_path / "runs", Silent())
    with safe_open(folder.path / "seed-0" / "representations.safetensors", framework="pt") as file:
        kept, joint = file.get_tensor("test.label"), file.get_tensor("test.joint")
    assert len(experiment.splits.test) > 1
    assert len(joint) == len(kept) == len(experiment.splits.test[0])
    assert kept.tolist() == experiment.splits.test[0].labels.tolist()
    predictions = (folder.path / "seed-0" / "predictions.jsonl").read_text()
    assert all(f'"{dialogue.id}"' in predictions for dialogue in experiment.splits.test)


def test_representations_say_which_rows_the_predictions_are_of(experiment, tmp_path):
    dialogue = experiment.splits.dev[0]
    labels = dialogue.labels.clone()
    labels[0] = -1
    splits = replace(experiment.splits, dev=[replace(dialogue, labels=labels)])
    folder, _ = execute.execute(replace(experiment, splits=splits), tmp_path / "runs", Silent())
    rows = [json.loads(line) for line in (folder.path / "seed-0" / "predictions.jsonl").read_text().splitlines()]
    predicted = [row["label"] for row in rows if row["split"] == "dev"]
    with safe_open(folder.path / "seed-0" / "representations.safetensors", framework="pt") as file:
        kept, joint = file.get_tensor("dev.label"), file.get_tensor("dev.joint")
    assert len(joint) == len(kept) == len(dialogue)
    assert [experiment.info.labels[label] for label in kept.tolist() if label >= 0] == predicted
    assert set(rows[0]["heads"]) == {"aux.text", "aux.audio"}
    assert set(rows[0]["heads"].values()) <= set(experiment.info.labels)


def test_a_state_past_the_epoch_that_diverged_is_not_taken_for_a_new_run(experiment, tmp_path):
    class Stops(Silent):
        def epoch_done(self, seed, epoch, is_best):
            """Stop after the last epoch, so that the state has none left."""
            if epoch.number == TINY["trainer"]["epochs"]:
                ctrl_c()

    folder, _ = execute.execute(experiment, tmp_path / "runs", Stops())
    folder.seed(0).write_divergence({"epoch": 2})
    with pytest.raises(RunError, match=r"seed 0 must have an epoch left to repeat \(got a state at its end\)"):
        execute.replay(folder.path, Silent())


def test_the_command_to_go_on_can_be_typed(tmp_path):
    assert resume_command(RunFolder(Path("my runs/one"))) == "ercframe run 'my runs/one' --resume"
