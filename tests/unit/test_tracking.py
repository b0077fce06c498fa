"""Trackers observe: they hear everything, and nothing that they do changes or stops a run."""

import json

import pytest
import yaml
from safetensors import safe_open
from tracked import TINY, Notices, log_of, read_json, run, stopped_and_resumed

from ercframe import InputError, recipes
from ercframe.cli.app import run_app
from ercframe.errors import RunError
from ercframe.execute import resume
from ercframe.files import write_json
from ercframe.loading import TrainedRun
from ercframe.runs import RunFolder
from ercframe.tracked_values import epoch_values, run_values, seed_values
from ercframe.training.epoch import Epoch

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")
PLUGIN = '''
import json, random, sys
from typing import Literal

import numpy as np
import torch
from pydantic import Field

from ercframe import ComponentConfig, Tracker, hookimpl, require


class Recorder(Tracker):
    """Keeps all it is told."""

    name = "recorder"

    def __init__(self, config):
        pass

    def started(self, run):
        self.file = run.folder / "told.jsonl"
        self.tell("started", run.id, run.name, run.selection, run.settings, run.facts, run.resumed)

    def logged(self, seed, epoch, metrics):
        self.tell("logged", seed, epoch, metrics)

    def concluded(self, seed, metrics):
        self.tell("concluded", seed, metrics)

    def finished(self, status, metrics):
        self.tell("finished", status, metrics)

    def tell(self, *what):
        with self.file.open("a") as file:
            file.write(json.dumps(what) + "\\n")


class Noisy(Recorder):
    """Draws and seeds whatever there is."""

    name = "noisy"

    def tell(self, *what):
        random.random(), np.random.rand(), torch.rand(3), random.seed(1), np.random.seed(1), torch.manual_seed(1)


class Faulty(Recorder):
    """Fails at one of the methods."""

    name = "faulty"

    class Config(ComponentConfig):
        at: Literal["init", "started", "logged", "concluded", "finished"] = Field("init", description="Where.")
        how: Literal["fault", "exit", "extra", "disk"] = Field("fault", description="How.")

    def __init__(self, config):
        self.config = config
        self.fail("init")

    def tell(self, what, *more):
        self.fail(what)

    def fail(self, here):
        if here != self.config.at:
            return
        if self.config.how == "fault":
            raise KeyError("no such curve")
        if self.config.how == "exit":
            sys.exit(3)
        if self.config.how == "extra":
            require("no_such_package", "tensorboard", "tracker 'faulty'")
        with open("/dev/full", "w") as file:
            file.write("x")


@hookimpl
def ercframe_components():
    return [Recorder, Noisy, Faulty]
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugin") / "observers.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture(scope="module")
def alone(plugin, tmp_path_factory):
    """A run that nobody observes."""
    return contents(run(tmp_path_factory.mktemp("alone"), [], plugins=[plugin])[0])


def told(path):
    return [json.loads(line) for line in (path / "told.jsonl").read_text().splitlines()]


def contents(path):
    """What a run came to: everything but the recipe, times and what it ran on."""
    found = {}
    for file in sorted(path.glob("seed-*/**/*")):
        if file.suffix == ".safetensors":
            with safe_open(file, framework="np") as tensors:
                names = list(tensors.keys())
                found[str(file.relative_to(path))] = {name: tensors.get_tensor(name).tobytes() for name in names}
        elif file.suffix == ".jsonl":
            rows = [json.loads(line) for line in file.read_text().splitlines()]
            found[str(file.relative_to(path))] = [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
    summary = read_json(path / "summary.json")
    for seed in summary["seeds"]:
        del seed["seconds"]
    return found | {"summary": summary}


def test_a_tracker_hears_the_whole_run(plugin, tmp_path):
    path, said = run(tmp_path, [{"type": "recorder"}], plugins=[plugin])
    (start, *calls), summary = told(path), read_json(path / "summary.json")
    assert said == []
    assert [call[0] for call in calls] == [*["logged"] * 4, "concluded"] * 2 + ["finished"]
    _, id, name, selection, settings, facts, resumed = start
    assert (id, name, selection, resumed) == (
        read_json(path / "environment.json")["id"],
        "tiny",
        "selected on dev",
        False,
    )
    assert settings["encoder"] == {"type": "identity", "width": 4}
    assert "plugins" not in settings, "a path of this machine is nobody's business"
    assert facts["generated"] is True
    assert facts["parameters"] == summary["parameters"]
    for seed in (0, 1):
        for row, (_, _, epoch, metrics) in zip(log_of(path, seed), calls[5 * seed :], strict=False):
            assert epoch == row["epoch"]
            assert metrics["loss"] == row["loss"]
            assert metrics["terms/task.nll"] == row["terms"]["task.nll"]
            assert [metrics["learning_rate"]] == list(row["learning_rates"].values())
            assert metrics["seconds"] == pytest.approx(row["seconds"], abs=1e-3)
            for split in ("dev", "test"):
                assert metrics[f"{split}/weighted_f1"] == row[split]["weighted_f1"]
                labels = summary["dataset"]["labels"]
                assert [metrics[f"{split}/f1/{label}"] for label in labels] == row[split]["f1"]
        concluded = calls[5 * seed + 4][2]
        assert concluded["selected/epoch"] == summary["seeds"][seed]["selected"]["epoch"]
        assert concluded["selected/test/weighted_f1"] == summary["seeds"][seed]["selected"]["test"]["weighted_f1"]
    over_seeds = summary["over_seeds"]["selected"]["test"]["weighted_f1"]
    _, status, metrics = calls[-1]
    assert status == "finished"
    assert metrics["selected/test/weighted_f1/mean"] == over_seeds["mean"]
    assert metrics["selected/test/weighted_f1/std"] == over_seeds["std"]


@pytest.mark.parametrize("name", ["recorder", "noisy"])
def test_results_are_the_same_bit_for_bit_whoever_observes(name, alone, plugin, tmp_path):
    path, said = run(tmp_path, [{"type": name}], plugins=[plugin])
    assert said == []
    assert contents(path) == alone


@pytest.mark.parametrize("at", ["init", "started", "logged", "concluded", "finished"])
def test_a_tracker_that_fails_is_left_out_and_the_user_told_once(at, alone, plugin, tmp_path):
    path, said = run(tmp_path, [{"type": "faulty", "at": at}, {"type": "recorder"}], plugins=[plugin])
    (notice,) = said
    assert notice.startswith(
        "warning: tracker 'faulty' failed and is left out from here on; the run goes on. KeyError: 'no such curve' ("
    )
    assert notice.endswith(", in fail)")
    assert contents(path) == alone
    assert [call[0] for call in told(path)].count("logged") == 8, "others hear everything"


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("exit", "SystemExit: 3"),
        ("disk", "OSError: [Errno 28] No space left on device"),
        ("extra", "tracker 'faulty' needs the package 'no_such_package', which is not installed: pip install "),
    ],
)
def test_however_it_fails(how, cause, plugin, tmp_path):
    path, said = run(tmp_path, [{"type": "faulty", "at": "started", "how": how}], plugins=[plugin])
    (notice,) = said
    assert (
        notice.removeprefix("warning: tracker 'faulty' failed and is left out from here on; the run goes on. ")[
            : len(cause)
        ]
        == cause
    )
    assert read_json(path / "summary.json")["status"] == "finished"


def test_the_command_succeeds_and_prints_the_warning(plugin, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(json.dumps(TINY))
    assert run_app(["run", "tiny.yaml", "--plugin", str(plugin), "trackers=[{type: faulty}, {type: faulty}]"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    assert [line.partition(" failed")[0] for line in lines] == [
        "warning: tracker 'faulty'",
        "warning: tracker 'faulty 2'",
    ]


def test_after_a_resume_a_tracker_hears_of_the_seed_from_its_first_epoch(plugin, tmp_path):
    path, _ = stopped_and_resumed(tmp_path, [{"type": "recorder"}], plugins=[plugin])
    calls = told(path)
    first, second = (i for i, call in enumerate(calls) if call[0] == "started")
    before, after = calls[first:second], calls[second:]
    assert before[0][1] == after[0][1], "the run keeps its id"
    assert [calls[-1][:2] for calls in (before, after)] == [["finished", "interrupted"], ["finished", "finished"]]
    assert (before[0][-1], after[0][-1]) == (False, True)
    assert [call[1:3] for call in before if call[0] == "logged"] == [*([0, e] for e in (1, 2, 3, 4)), [1, 1], [1, 2]]
    assert [call[1:3] for call in after if call[0] == "logged"] == [[1, e] for e in (1, 2, 3, 4)]
    known = {call[2]: call[3] for call in before if call[:2] == ["logged", 1]}
    again = {call[2]: call[3] for call in after if call[:2] == ["logged", 1]}
    assert {epoch: again[epoch] for epoch in known} == known
    assert [call[1] for call in after if call[0] == "concluded"] == [1]


def test_a_run_whose_result_cannot_be_written_is_told_as_failed(plugin, tmp_path, monkeypatch):
    def full(folder, summary):
        if summary["status"] == "finished":
            raise OSError(28, "No space left on device")
        write_json(folder.path / "summary.json", summary)

    monkeypatch.setattr(RunFolder, "write_summary", full)
    with pytest.raises(
        RunError, match=r"could not go on: \[Errno 28\] No space left on device\nTo go on later: "
    ) as error:
        run(tmp_path, [{"type": "recorder"}], plugins=[plugin])
    monkeypatch.undo()
    (path,) = (tmp_path / "runs" / "tiny").iterdir()
    assert str(path) in str(error.value)
    assert told(path)[-1][:2] == ["finished", "failed"]
    resume(path, Notices())
    assert told(path)[-1][:2] == ["finished", "finished"]


def test_what_was_trained_is_used_without_the_plugin_of_its_tracker(plugin, tmp_path, monkeypatch, capsys):
    path, _ = run(tmp_path, [{"type": "recorder"}], plugins=[plugin])
    recipe = yaml.safe_load((path / "recipe.yaml").read_text())
    recipe |= {"demo": {"trackers": recipe["trackers"]}, "ablations": {"seen": {"trackers": recipe["trackers"]}}}
    del recipe["plugins"]  # as where it came from a package that is not installed here
    (path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    with pytest.raises(InputError, match="unknown tracker 'recorder'"):
        recipes.load(path / "recipe.yaml")
    assert TrainedRun.open(path).loaded.recipe.trackers == ()
    before = told(path)
    monkeypatch.chdir(tmp_path)
    assert run_app(["eval", str(path)]) == 0, capsys.readouterr().err
    assert told(path) == before


def test_wrong_trackers_are_refused_with_their_place(tmp_path):
    (tmp_path / "bad.yaml").write_text(json.dumps(TINY)[:-1] + ', "trackers": [{"type": "tensorbord"}, 3]}')
    with pytest.raises(InputError) as error:
        recipes.load(tmp_path / "bad.yaml")
    assert [(p.what, p.message.partition(" Installed")[0]) for p in error.value.problems] == [
        ("trackers[0].type", "unknown tracker 'tensorbord'; did you mean 'tensorboard'?"),
        ("trackers[1]", "must be a mapping {type: …} (got 3)"),
    ]


def test_a_recipe_says_its_trackers_again(plugin, tmp_path):
    path, _ = run(tmp_path, [{"type": "recorder"}], plugins=[plugin])
    assert [slot.name for slot in recipes.load(path / "recipe.yaml").recipe.trackers] == ["recorder"]


def test_values_of_an_epoch_without_test_and_with_several_groups_of_parameters():
    values = epoch_values(Epoch(1, 0.5, {"task.nll": 0.5}, None, None, 2.0, {"encoder": 0.1, "rest": 0.2}), ["a"])
    assert values == {
        "loss": 0.5,
        "terms/task.nll": 0.5,
        "learning_rate/encoder": 0.1,
        "learning_rate/rest": 0.2,
        "seconds": 2.0,
    }


def test_summaries_become_numbers_by_path():
    scores = {"weighted_f1": 0.5, "f1": [0.25, 0.75], "confusion": [[1, 2], [3, 4]]}
    seed = {"seed": 3, "finished": True, "epochs": 4, "seconds": 1.5, "selected": {"epoch": 2, "test": scores}}
    assert seed_values(seed, ["a", "b"]) == {
        "total/epochs": 4,
        "total/seconds": 1.5,
        "selected/epoch": 2,
        "selected/test/weighted_f1": 0.5,
        "selected/test/f1/a": 0.25,
        "selected/test/f1/b": 0.75,
    }
    over_seeds = {"last": {"test": {"accuracy": {"mean": 0.5, "std": None}}}}
    assert run_values({"over_seeds": over_seeds}) == {"last/test/accuracy/mean": 0.5}
