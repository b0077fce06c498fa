"""Sweeps: what is planned, driven and kept. Trials run in this process; those of test_sweep_command.py do not."""

import csv
import io
import json
import os
import signal
import sys
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from ercframe import InputError
from ercframe.cli.app import run_app
from ercframe.lock import locked
from ercframe.report.sweep_table import best_on_dev, score_rows
from ercframe.runs import RunFolder, digest
from ercframe.sweep import drive, pruning
from ercframe.sweep.drive import Sweep
from ercframe.sweep.engine import Ending, Task, start
from ercframe.sweep.folder import SweepFolder, run_status
from ercframe.sweep.grid import grid
from ercframe.sweep.plan import Source, plan, without_repeats
from ercframe.sweep.pruning import Pruning
from ercframe.sweep.search import Search, require_dev_objective
from ercframe.sweep.space import Range, read_space
from ercframe.sweep.trials import Listed

TINY = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 4, "dev": 2, "test": 2, "labels": 2},
    "encoder": {"type": "identity", "width": 4},
    "fusion": {"type": "gated"},
    "classifier": {"type": "linear"},
    "losses": {"task": {"type": "cross_entropy"}},
    "trainer": {"epochs": 1, "optimizer": {"lr": 0.01}, "device": "cpu"},
    "protocol": {"seeds": 2},
}
FOLDER = Path("runs/sweep")
AXES = ["fusion.type=concat,gated", "trainer.optimizer.lr=0.01,1e6"]


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """``tiny.yaml`` in the current directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY, sort_keys=False))
    return Source("tiny.yaml")


class InThisProcess:
    """An engine that runs a task when it is asked for one that ended.

    ``codes`` end tasks without running them, by a code or an error, or send a signal while they run.
    """

    def __init__(self, capsys, codes=None, room=1):
        self.capsys, self.codes, self.room = capsys, codes or {}, room
        self.waiting, self.ran, self.stopped = [], [], []

    def has_room(self):
        return len(self.waiting) < self.room

    def submit(self, task):
        self.waiting.append(task)

    def ended(self):
        task = self.waiting[0]
        if task.name in self.stopped:
            return self.waiting.pop(0), Ending(75, "")
        match self.codes.get(task.name):
            case signal.Signals() as number:
                os.kill(os.getpid(), number)
                return None
            case type() as error:
                raise error
            case int() as code:
                ending = Ending(code, "out of luck\nsecond line")
            case None:
                ending = Ending(run_app(list(task.arguments)), self.capsys.readouterr().err.strip())
        self.ran.append(task)
        return self.waiting.pop(0), ending

    def stop(self, name):
        self.stopped.append(name)

    def close(self):
        self.closed = True


class Told:
    """A watcher that remembers."""

    def __init__(self):
        self.events = []

    def reused(self, trial, others):
        self.events.append(("reused", trial.name, *others))

    def started(self, trial, goes_on):
        self.events.append(("goes on" if goes_on else "starts", trial.name))

    def ended(self, trial, row):
        self.events.append((row["status"], trial.name))


def train(source, engine, axes=AXES, **options):
    trials = plan(source, grid(axes))
    sweep = Sweep(SweepFolder.create(FOLDER), engine, {"recipe": "tiny"}, told := Told(), **options)
    return sweep.run(Listed(trials), trials), told.events, sweep.rows()


def kept():
    found = json.loads((FOLDER / "sweep.json").read_text())
    return {entry["name"]: entry for entry in found["trials"]}


# The grid


def test_the_grid_has_every_combination_with_a_name_each():
    assert grid(["fusion.type=concat,gated", "trainer.optimizer.lr=1e-3,3e-4"]) == {
        f"type-{fusion}_lr-{lr}": {"fusion.type": fusion, "trainer.optimizer.lr": lr}
        for fusion in ("concat", "gated")
        for lr in ("0.001", "0.0003")
    }
    assert list(grid(["fusion.type=a", "encoder.type=b"])) == ["fusion.type-a_encoder.type-b"]
    assert list(grid(["dev_seed=1,-1,'1'"])) == ["dev_seed-1", "dev_seed-1__2", "dev_seed-1__3"]


def test_a_value_with_commas_stands_in_brackets_or_quotes():
    values = [changes["a"] for changes in grid(["a=[text],[text, audio],{b: 1, c: 2},'x,y',null"]).values()]
    assert values == ["[text]", "[text, audio]", "{b: 1, c: 2}", "x,y", "null"]


def test_long_names_are_cut_and_stay_different():
    names = list(grid([f"a=[{'text, ' * 40}1],[{'text, ' * 40}2]"]))
    assert len(set(names)) == 2
    assert max(map(len, names)) <= 80


def test_everything_wrong_with_a_grid_is_told_at_once():
    with pytest.raises(InputError) as caught:
        grid(["a=", "b", "a.b=1,1.0,1", "c=[1", "x=1", "x=2", "y=!!t 3"])
    assert [(p.where, p.what, p.message) for p in caught.value.problems] == [
        ("--grid", "a", "must be KEY=VALUE,VALUE, such as trainer.optimizer.lr=1e-3,3e-4"),
        ("--grid", "b", "must be KEY=VALUE,VALUE, such as trainer.optimizer.lr=1e-3,3e-4"),
        ("--grid", "a.b", "must have different values (got 1 more than once)"),
        ("--grid", "c", "must be valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("--grid", "x", "must be given once (got it twice)"),
        ("--grid", "y", "must not have a tag (got !!t)"),
    ]


# The plan


def test_the_whole_plan_is_checked_before_the_first_trial(tiny):
    with pytest.raises(InputError) as caught:
        plan(tiny, grid(["fusion.type=tensor,gatd", "trainer.epochs=1,0", "classifier.type=linear,late"]))
    assert caught.value.title == "7 of 8 trials cannot be trained; none was started"
    told = {(p.where, p.what): p.message for p in caught.value.problems}
    assert told["fusion.type-gatd_epochs-1_classifier.type-linear and 3 more", "fusion.type"].startswith("unknown")
    assert told["fusion.type-tensor_epochs-0_classifier.type-linear and 3 more", "trainer.epochs"] == (
        "must be at least 1 (got 0)"
    )
    assert "classifier 'late' needs" in told["fusion.type-tensor_epochs-1_classifier.type-late", "classifier"]


def test_what_trains_the_same_is_trained_once(tiny):
    kept, notices = without_repeats(
        plan(tiny, {"a": {}, "b": {"fusion.type": "gated"}, "c": {"fusion.type": "concat"}})
    )
    assert [trial.name for trial in kept] == ["a", "c"]
    assert notices == ["b is left out: it trains the same as a"]


# Driving


def test_a_file_in_the_current_directory_is_not_taken_for_a_module(tiny, tmp_path):
    (tmp_path / "typer.py").write_text("raise SystemExit('a file of the user')")
    task = Task("only", ("--version",), tmp_path / "log", None)
    with start(task, os.environ) as process:
        assert process.wait() == 0
    assert (tmp_path / "log").read_text().startswith("ercframe ")


def test_every_trial_is_an_ordinary_run_and_results_are_one_table(tiny, capsys):
    status, events, rows = train(tiny, InThisProcess(capsys), AXES[:1])
    assert status == "finished"
    assert events == [(what, f"type-{name}") for name in ("concat", "gated") for what in ("starts", "finished")]
    for row in rows:
        summary = json.loads((FOLDER / row["folder"] / "summary.json").read_text())
        assert summary["recipe"] == f"tiny-{row['name']}"
        assert row["result"]["seeds"] == [0, 1]
        assert row["result"]["scores"] == summary["over_seeds"]["selected"]
    table = list(csv.DictReader((FOLDER / "results.csv").read_text().splitlines()))
    assert [line["trial"] for line in table] == ["type-concat", "type-gated"]
    assert [line["fusion.type"] for line in table] == ["concat", "gated"]
    expected = rows[1]["result"]["scores"]["dev"]["weighted_f1"]
    assert float(table[1]["dev_weighted_f1_mean"]) == expected["mean"]
    assert float(table[1]["dev_weighted_f1_std"]) == expected["std"]
    assert table[1]["selection"] == "selected on dev"
    assert (table[1]["corpus"], table[1]["generated"]) == ("synthetic", "True")
    assert kept()["type-gated"]["result"] == rows[1]["result"]


def test_where_trials_differ_in_the_protocol_each_says_so_and_none_is_the_best(tiny, capsys):
    _, _, rows = train(tiny, InThisProcess(capsys), ["protocol.name=heldout,paper"])
    shown = drawn(score_rows("tiny", rows))
    assert "name-heldout (synthetic, generated data, selected on dev)" in shown
    assert "name-paper (synthetic, generated data, selected on test)" in shown
    assert "Bold" not in shown
    assert best_on_dev(rows) is None
    alike = drawn(score_rows("tiny", rows[:1]))
    assert "tiny on synthetic: selected on dev\nGENERATED DATA" in alike
    assert best_on_dev(rows[:1]) == rows[0]
    for key in ("monitor", "corpus"):
        other = {**rows[0], "result": {**rows[0]["result"], key: "another"}}
        assert best_on_dev([rows[0], other]) is None
    assert best_on_dev([{**rows[0], "changes": {"protocol.dev_seed": "1"}}]) is None


def test_a_long_name_breaks_between_settings_and_never_inside_one(tiny, capsys):
    _, _, rows = train(tiny, InThisProcess(capsys), ["fusion.type=concat"])
    name = "learning_rate-0.0001_encoder.hidden-100_fusion.type-concat_seed-1"
    shown = drawn(score_rows("tiny", [{**rows[0], "name": name}]), 80)
    first = [line.strip().split("  ")[0] for line in shown.splitlines()]
    assert {"encoder.hidden-100_", "fusion.type-concat_"} <= set(first)
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert name in drawn(score_rows("tiny", [{**rows[0], "name": name}]), 160)


def drawn(table, width=120):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table)
    return "\n".join(line.rstrip() for line in console.export_text().splitlines())


def test_the_same_sweep_again_trains_nothing_and_a_larger_one_what_is_new(tiny, capsys):
    train(tiny, InThisProcess(capsys), AXES[:1])
    before = kept()
    engine = InThisProcess(capsys)
    assert train(tiny, engine, AXES[:1])[1] == [
        *(("reused", "type-concat"), ("finished", "type-concat")),
        *(("reused", "type-gated"), ("finished", "type-gated")),
    ]
    assert engine.ran == []
    assert kept() == before
    assert train(tiny, engine, ["fusion.type=gated,tensor"])[0] == "finished"
    assert [task.name for task in engine.ran] == ["type-tensor"]


def test_other_data_or_another_recipe_is_another_trial(tiny, capsys, tmp_path):
    train(tiny, InThisProcess(capsys), AXES[:1])
    for change in ("dataset.seed=5", "trainer.epochs=2"):
        engine = InThisProcess(capsys)
        train(Source("tiny.yaml", (change,)), engine, AXES[:1])
        assert [task.name for task in engine.ran] == ["type-concat", "type-gated"]
    (tmp_path / "tiny.yaml").write_text((tmp_path / "tiny.yaml").read_text() + "data_help: other help\n")
    engine = InThisProcess(capsys)
    train(Source("tiny.yaml", ("trainer.epochs=2",)), engine, AXES[:1])
    assert engine.ran == []  # what is only told trains nothing


def test_a_trial_that_fails_is_recorded_and_stops_no_other_and_is_retried_when_asked(tiny, capsys):
    status, events, rows = train(tiny, InThisProcess(capsys, {"type-concat": 1}), AXES[:1])
    assert status == "incomplete"
    assert events[1:] == [("failed", "type-concat"), ("starts", "type-gated"), ("finished", "type-gated")]
    assert kept()["type-concat"]["error"] == "out of luck\nsecond line"
    assert rows[0]["result"] is None
    engine = InThisProcess(capsys)
    status, events, _ = train(tiny, engine, AXES[:1])
    assert status == "incomplete"
    assert engine.ran == []
    assert kept()["type-concat"]["error"] == "out of luck\nsecond line"
    status, events, _ = train(tiny, engine, AXES[:1], retry_failed=True)
    assert status == "finished"
    assert [task.name for task in engine.ran] == ["type-concat"]


def test_a_trial_that_was_killed_is_interrupted_and_goes_on_by_itself(tiny, capsys):
    status, _, rows = train(tiny, InThisProcess(capsys, {"type-gated": -9}), AXES[:1])
    assert status == "incomplete"
    assert (rows[1]["status"], rows[1]["error"]) == (
        "interrupted",
        "killed by SIGKILL; the system does so where memory is short",
    )
    assert train(tiny, InThisProcess(capsys), AXES[:1])[0] == "finished"


def test_an_interrupted_run_folder_is_resumed_with_the_threads_it_began_with(tiny, capsys):
    _, _, rows = train(tiny, InThisProcess(capsys), AXES[:1])
    run = FOLDER / rows[0]["folder"]
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"status": "preempted", "seeds": summary["seeds"][:1]}))
    environment = json.loads((run / "environment.json").read_text())
    engine = InThisProcess(capsys)
    status, events, _ = train(tiny, engine, AXES[:1], threads=77)
    assert status == "finished"
    assert events[0] == ("goes on", "type-concat")
    (task,) = engine.ran
    assert task.arguments == ("run", str(run), "--resume")
    assert task.threads == environment["threads"]
    after = json.loads((run / "summary.json").read_text())
    assert after["over_seeds"] == summary["over_seeds"]


@pytest.mark.parametrize(("stop", "status"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "preempted")])
def test_a_stopped_sweep_lets_its_trials_save_and_says_so(tiny, capsys, stop, status):
    engine = InThisProcess(capsys, {"type-concat_lr-0.01": stop}, room=2)
    found, _, rows = train(tiny, engine)
    assert found == status
    assert engine.closed
    assert [row["status"] for row in rows] == ["interrupted", "interrupted", "waiting", "waiting"]
    assert json.loads((FOLDER / "sweep.json").read_text())["status"] == status


def test_an_error_of_ours_gives_the_engine_back(tiny, capsys):
    engine = InThisProcess(capsys, {"type-concat": ZeroDivisionError})
    with pytest.raises(ZeroDivisionError):
        train(tiny, engine, AXES[:1])
    assert engine.closed


def test_a_run_folder_that_another_process_holds_is_waited_for(tiny, capsys, monkeypatch):
    _, _, rows = train(tiny, InThisProcess(capsys), AXES[:1])
    run = FOLDER / rows[0]["folder"]
    (run / "summary.json").unlink()
    monkeypatch.setattr(drive, "PATIENCE", 0.1)
    with locked(run):
        engine = InThisProcess(capsys)
        _, _, rows = train(tiny, engine, AXES[:1])
    assert rows[0]["status"] == "interrupted"
    assert "is in use by process" in rows[0]["error"]
    assert engine.ran == []


def test_two_drivers_of_one_folder_are_refused(tiny, capsys):
    train(tiny, InThisProcess(capsys), AXES[:1])
    with locked(FOLDER), pytest.raises(InputError, match=r"runs/sweep is in use by process \d+"):
        train(tiny, InThisProcess(capsys), AXES[:1])


def test_a_folder_of_something_else_is_not_written_to(tiny, capsys):
    FOLDER.mkdir(parents=True)
    (FOLDER / "mine.txt").touch()
    with pytest.raises(InputError, match=r"^runs/sweep must be a new folder or that of a sweep"):
        train(tiny, InThisProcess(capsys), AXES[:1])


def test_a_damaged_record_is_told(tiny, capsys):
    train(tiny, InThisProcess(capsys), AXES[:1])
    (FOLDER / "sweep.json").write_text("{")
    with pytest.raises(InputError, match=r"^runs/sweep/sweep.json cannot be read: "):
        train(tiny, InThisProcess(capsys), AXES[:1])


# Other versions


def made_by_an_earlier_version(run, left_out="clip_norm", version="0.0.1"):
    """Make a run folder one of a version that did not have a setting yet."""
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    del recipe["trainer"][left_out]
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    environment = json.loads((run / "environment.json").read_text())
    components = dict.fromkeys(environment["components"], f"ercframe {version} (here)")
    files = {"recipe.yaml": digest((run / "recipe.yaml").read_bytes())}
    changed = {"ercframe": version, "components": components, "files": files}
    (run / "environment.json").write_text(json.dumps(environment | changed))


def test_a_trial_that_another_version_finished_is_kept_and_the_version_named(tiny, capsys):
    _, _, rows = train(tiny, InThisProcess(capsys), AXES[:1])
    made_by_an_earlier_version(FOLDER / rows[0]["folder"])
    engine = InThisProcess(capsys)
    _, events, again = train(tiny, engine, AXES[:1])
    assert engine.ran == []
    assert [event for event in events if event[0] == "reused"] == [
        ("reused", "type-concat", "ercframe 0.0.1"),
        ("reused", "type-gated"),
    ]
    assert again[0]["result"] == rows[0]["result"] | {"ercframe": "0.0.1"}
    train(Source("tiny.yaml", ("trainer.clip_norm=1",)), engine, AXES[:1])
    assert [task.name for task in engine.ran] == ["type-concat", "type-gated"]  # another result, whoever trains it


def test_a_recipe_that_was_changed_in_a_run_folder_is_not_taken_for_what_was_trained(tiny, capsys):
    _, _, rows = train(tiny, InThisProcess(capsys), AXES[:1])
    recipe = FOLDER / rows[0]["folder"] / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("epochs: 1", "epochs: 2"))
    engine = InThisProcess(capsys)
    train(Source("tiny.yaml", ("trainer.epochs=2",)), engine, AXES[:1])
    assert [task.name for task in engine.ran] == ["type-concat", "type-gated"]


def test_what_changes_no_result_trains_nothing_again(tiny, capsys):
    train(tiny, InThisProcess(capsys, {"type-gated": 1}), AXES[:1])
    engine = InThisProcess(capsys)
    changes = ("trackers=[{type: tensorboard}]", "trainer.checkpoint_seconds=5", "protocol.seeds=[0,1]")
    _, events, _ = train(Source("tiny.yaml", changes), engine, AXES[:1])
    assert engine.ran == []
    assert events == [("reused", "type-concat"), ("finished", "type-concat"), ("failed", "type-gated")]


def test_a_sweep_that_another_version_began_is_gone_on_with(tiny, capsys):
    command = ["sweep", "tiny.yaml", "--grid", AXES[0], "--name", FOLDER.name]
    train(tiny, InThisProcess(capsys), AXES[:1])
    assert run_app(command) == 0
    found = json.loads((FOLDER / "sweep.json").read_text())
    for entry in found["trials"]:
        made_by_an_earlier_version(FOLDER / entry["folder"])
        entry["key"] = "of another version"
    (FOLDER / "sweep.json").write_text(json.dumps(found | {"ercframe": "0.0.1"}))
    capsys.readouterr()
    assert run_app(["sweep", str(FOLDER), "--resume"]) == 0
    shown = capsys.readouterr().out
    assert "type-gated: was finished before, by ercframe 0.0.1, which is not the version here" in shown
    Path("tiny.yaml").write_text(Path("tiny.yaml").read_text().replace("lr: 0.01", "lr: 0.02"))
    assert run_app(["sweep", str(FOLDER), "--resume"]) == 2
    assert "the recipe, a plugin or the data of 2 of its 2 trials changed" in " ".join(capsys.readouterr().err.split())


# Search


SPACE = """\
trainer.optimizer.lr: {type: float, low: 1e-3, high: 1e-1, log: true}
encoder.width: {type: int, low: 2, high: 8, step: 2}
fusion.type: {type: categorical, choices: [concat, gated]}
"""


@pytest.fixture
def space(tiny):
    """Write ``space.yaml`` and read it for the tiny recipe."""

    def read(text=SPACE):
        Path("space.yaml").write_text(text)
        return read_space(Path("space.yaml"), tiny)

    return read


def test_a_space_is_typed(space):
    found = space()
    assert found["trainer.optimizer.lr"] == Range(type="float", low=1e-3, high=1e-1, log=True)
    assert found["encoder.width"].extremes() == [2, 8]
    assert found["fusion.type"].extremes() == ["concat", "gated"]


def test_everything_wrong_with_a_space_is_told_with_its_place(space):
    with pytest.raises(InputError) as caught:
        space(
            "trainer.optimizer.rate: {type: float, low: 1, high: 2}\n"
            "trainer.epochs: {type: int, low: 0, high: 3}\n"
            "encoder.width: {type: integer, low: 1, high: 3}\n"
            "fusion.type: {type: categorical, choices: [gated, gatd]}\n"
            "trainer.optimizer.lr: {type: float, low: 0, high: 1, log: true}\n"
            "encoder.speed: {type: int, low: 3, hihg: 4}\n"
            "protocol.name: {type: categorical, choices: [heldout, paper]}\n"
        )
    assert caught.value.title == "8 problems in space.yaml"
    told = [(p.where, p.what, p.message) for p in caught.value.problems]
    assert told[0][:2] == ("1:25", "trainer.optimizer.rate")
    assert told[0][2].startswith("unknown key")
    assert told[1:] == [
        ("2:17", "trainer.epochs", "must be at least 1 (got 0)"),
        ("3:1", "encoder.width", "must be a dotted key and {type: …}, one of float, int, categorical"),
        ("4:14", "fusion.type", told[3][2]),
        ("5:23", "trainer.optimizer.lr", "with log, low must be above 0 and step left out"),
        ("6:16", "encoder.speed.high", "must be given"),
        ("6:36", "encoder.speed.hihg", "unknown key; did you mean 'high'?"),
        (
            "7:1",
            "protocol.name",
            "must be no setting of the protocol: trials that score dev in different ways cannot be compared by it",
        ),
    ]
    assert "did you mean 'gated'?" in told[3][2]


def test_only_a_score_on_dev_may_choose(tiny):
    assert require_dev_objective("dev.macro_f1", tiny) == "macro_f1"
    with pytest.raises(
        InputError, match=r"^--objective must be a score on dev \(got test.weighted_f1\): what is chosen by"
    ):
        require_dev_objective("test.weighted_f1", tiny)
    with pytest.raises(
        InputError, match=r"^--objective must be one of dev.weighted_f1, dev.accuracy, dev.macro_f1 \(got f1"
    ):
        require_dev_objective("f1", tiny)
    with pytest.raises(InputError, match=r"^a search needs protocol.name=heldout: protocol 'paper' leaves no dev"):
        require_dev_objective("dev.accuracy", Source("tiny.yaml", ("protocol.name=paper",)))


def search(tiny, space, engine, folder, trials, seed=0, prune_after=None, **options):
    kept = SweepFolder.create(folder)
    notices = []
    source = Search(tiny, space, kept.path, trials, "weighted_f1", seed, notices.append, prune_after)
    sweep = Sweep(kept, engine, {"recipe": "tiny"}, Told(), **options)
    return sweep.run(source), [(row["name"], row["changes"], row["result"]) for row in sweep.rows()], notices


def without_times(rows):
    return [(name, changes, result and {**result, "seconds": 0}) for name, changes, result in rows]


@pytest.mark.extra
def test_a_search_that_was_stopped_comes_to_the_same_end(tiny, space, capsys):
    source = Source("tiny.yaml", ("protocol.seeds=1",))
    status, whole, _ = search(source, space(), InThisProcess(capsys), Path("whole"), 4)
    assert status == "finished"
    assert len({str(changes) for _, changes, _ in whole}) > 1
    stopped = InThisProcess(capsys, {"trial-0002": signal.SIGINT})
    assert search(source, space(), stopped, Path("parts"), 4)[0] == "interrupted"
    engine = InThisProcess(capsys)
    status, parts, _ = search(source, space(), engine, Path("parts"), 4)
    assert status == "finished"
    assert [task.name for task in engine.ran] == ["trial-0002", "trial-0003"]
    assert without_times(parts) == without_times(whole)


@pytest.mark.extra
def test_a_search_goes_on_as_the_same_search_or_not_at_all(tiny, space, capsys):
    search(tiny, space(), InThisProcess(capsys, {"trial-0000": 1}), Path("parts"), 1)
    with pytest.raises(
        InputError, match=r"^the search in this folder was begun with another seed; put it back, or begin"
    ):
        search(tiny, space(), InThisProcess(capsys), Path("parts"), 1, seed=1)
    with pytest.raises(InputError, match=r"^the search in this folder was begun with another space; "):
        search(tiny, space(SPACE.replace("8", "6")), InThisProcess(capsys), Path("parts"), 1)


@pytest.mark.extra
def test_a_trial_that_failed_and_then_succeeds_counts_for_the_sampler(tiny, space, capsys):
    source = Source("tiny.yaml", ("protocol.seeds=1",))
    assert search(source, space(), InThisProcess(capsys, {"trial-0001": 1}), Path("parts"), 2)[0] == "incomplete"
    for trials in (2, 2, 3):  # telling it again changes nothing, and the copy is none of the settings asked for
        status, rows, _ = search(source, space(), InThisProcess(capsys), Path("parts"), trials, retry_failed=True)
        assert status == "finished"
    assert [name for name, _, _ in rows] == ["trial-0000", "trial-0001", "trial-0003"]  # as Optuna numbers them
    scores = [result["scores"]["dev"]["weighted_f1"]["mean"] for _, _, result in rows]
    kept = in_optuna(Path("parts"))
    assert [trial.state.name for trial in kept] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert [trial.value for trial in kept] == [scores[0], None, scores[1], scores[2]]
    assert kept[2].params == kept[1].params
    assert kept[2].user_attrs == {"retry of trial": 1}


def in_optuna(folder):
    """The trials as another process reads them from the storage."""
    optuna = pytest.importorskip("optuna")
    return optuna.load_study(study_name=None, storage=f"sqlite:///{folder / 'optuna.db'}").trials


def finish(study, *scores, epochs=4):
    """Trials whose score on dev rises evenly to these."""
    for last in scores:
        finished = study.ask()
        for epoch in range(1, epochs + 1):
            finished.report(last * epoch / epochs, epoch)
        study.tell(finished, last)


def logged(folder, scores, test=0.0, half=""):
    """A run folder whose first seed has these scores on dev after its first epochs."""
    log = folder / "seed-0" / "metrics.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"epoch": n, "dev": {"weighted_f1": score}, "test": {"weighted_f1": test}} for n, score in enumerate(scores, 1)
    ]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows) + half)
    return RunFolder(folder)


@pytest.mark.extra
def test_only_what_scores_less_on_dev_than_the_others_is_given_up(tiny, tmp_path):
    optuna = pytest.importorskip("optuna")
    study = optuna.create_study(direction="maximize")
    finish(study, 0.5, 0.6, 0.7, 0.8, 0.9)
    judge = Pruning(study, tiny, "weighted_f1", 2).judge

    def judged(scores, test=0.0, half=""):
        """What is said of a trial with these scores on dev after its first epochs."""
        return judge(study.ask().number, logged(tmp_path / "run", scores, test, half))

    assert judged([0.2]) == judged([0.2, 0.36]) == judged([0.36, 0.1]) == judged([0.4, 0.5, 0.6, 0.9]) == ""
    bad = "after epoch 2 its best weighted f1 on dev was below the median of the trials before"
    assert judged([0.1, 0.34]) == judged([0.1, 0.34, 0.9, 0.9]) == judged([0.3, 0.3], test=1.0) == bad
    assert judged([0.3, 0.36, 0.4]) == bad.replace("2", "3")
    assert judged([0.1], half='{"epoch": 2, "dev"') == ""
    assert judge(study.ask().number, None) == ""
    assert judge(0, RunFolder(tmp_path / "run")) == ""  # is finished


@pytest.mark.extra
def test_an_epoch_that_passed_is_not_judged_again_by_what_others_score_later(tiny, tmp_path):
    optuna = pytest.importorskip("optuna")
    study = optuna.create_study(direction="maximize")
    finish(study, 0.3, 0.3, 0.3, 0.3, 0.3)
    number, run = study.ask().number, logged(tmp_path / "run", [0.1, 0.2, 0.3, 0.4])
    here, there = Pruning(study, tiny, "weighted_f1", 2), Pruning(study, tiny, "weighted_f1", 2)
    assert here.judge(number, run) == ""
    finish(study, *[0.9] * 6, epochs=5)
    assert here.judge(number, run) == ""
    bad = "after epoch 4 its best weighted f1 on dev was below the median of the trials before"
    assert there.judge(number, run) == bad  # as after a kill that came before the judgement
    (run.path / "summary.json").write_text('{"status": "finished"}')
    assert Pruning(study, tiny, "weighted_f1", 2).judge(number, run) == ""
    assert here.judge(number, logged(run.path, [0.1, 0.2, 0.3, 0.4, 0.5])) == bad.replace("4", "5")


@pytest.mark.extra
def test_a_pruned_trial_is_no_result_and_stays_pruned(tiny, space, capsys, monkeypatch):
    monkeypatch.setattr(pruning, "FINISHED_FIRST", 1)
    easy = ("dataset.train=16", "dataset.dev=8", "dataset.labels=4")
    source = Source("tiny.yaml", ("protocol.seeds=1", "trainer.epochs=3", *easy))
    both = space("trainer.optimizer.lr: {type: categorical, choices: [1e-9, 0.1]}\n")
    for _ in range(2):
        status, rows, _ = search(source, both, InThisProcess(capsys), Path("parts"), 4, seed=1, prune_after=1)
        assert status == "finished"
        states = [trial.state.name for trial in in_optuna(Path("parts"))]
        assert states == ["COMPLETE", "PRUNED", "COMPLETE", "PRUNED"]
        assert [changes["trainer.optimizer.lr"] for _, changes, _ in rows] == ["0.1", "1.0e-09", "0.1", "1.0e-09"]
        assert [result is None for _, _, result in rows] == [False, True, False, True]
        folders = [entry["folder"] for entry in json.loads(Path("parts/sweep.json").read_text())["trials"]]
        runs = [RunFolder(Path("parts") / folder) for folder in folders]
        assert [run_status(run) for run in runs] == ["finished", "pruned", "finished", "pruned"]
    assert run_app(["report", str(runs[1].path)]) == 0
    assert "The run is not finished: pruned" in (runs[1].path / "report.html").read_text()
    found = json.loads(Path("parts/sweep.json").read_text())["trials"]
    assert found[1]["error"] == "after epoch 1 its best weighted f1 on dev was below the median of the trials before"
    table = list(csv.DictReader(Path("parts/results.csv").read_text().splitlines()))
    assert [line["status"] for line in table] == ["finished", "pruned", "finished", "pruned"]
    assert [line["dev_weighted_f1_mean"] == "" for line in table] == [False, True, False, True]
    with pytest.raises(InputError, match=r"^the search in this folder was begun with another prune_after; "):
        search(source, both, InThisProcess(capsys), Path("parts"), 4, seed=1)


def test_only_a_search_prunes(tiny, capsys):
    assert run_app(["sweep", "tiny.yaml", "--grid", AXES[0], "--prune-after", "3"]) == 2
    assert "--prune-after needs --search" in capsys.readouterr().err


@pytest.mark.extra
def test_settings_that_the_recipe_does_not_take_together_are_passed_over(tiny, space, capsys):
    both = "fusion.type: {type: categorical, choices: [tensor, gated]}\n"
    source = Source("tiny.yaml", ("losses.aux={type: self_distillation}", "protocol.seeds=1"))
    status, rows, notices = search(source, space(both), InThisProcess(capsys), Path("parts"), 5)
    assert status == "finished"
    assert {changes["fusion.type"] for _, changes, _ in rows} == {"gated"}
    assert len(rows) + len(notices) == 5
    assert all("cannot be trained: loss 'self_distillation' needs" in notice for notice in notices)


# What Ray says


def test_without_ray_there_is_no_folder(tiny, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert run_app(["sweep", "tiny.yaml", "--grid", "fusion.type=concat", "--engine", "ray", "--out", "none"]) == 2
    assert "'ercframe[ray]'" in capsys.readouterr().err
    assert not Path("none").exists()


def test_a_lost_trial_is_told_in_the_engines_words():
    assert Ending(-9, "", lost="lost by Ray: its machine is gone").told() == "lost by Ray: its machine is gone"
    assert "memory is short" in Ending(-9, "").told()
