"""Cross-validation: the trials of a corpus with groups, and their runs put together."""

import io
import json

import numpy as np
import pytest
import yaml
from comparing import LABELS, guesses, labels, run
from rich.console import Console
from varied import TINY

from ercframe import InputError
from ercframe.comparison import FinishedRun
from ercframe.comparison.folds import cross_validated
from ercframe.report.comparison_table import crossval_table
from ercframe.report.comparison_text import markdown
from ercframe.report.crossval_files import read_crossval, write_crossval
from ercframe.statistics.groups import jackknife_interval
from ercframe.sweep.crossval import folds
from ercframe.sweep.plan import Source, plan

GROUPS = {"Ses01": 6, "Ses02": 4, "Ses03": 2}
"""Dialogues of each."""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """``tiny.yaml`` in the current directory, on a corpus of three groups."""
    monkeypatch.chdir(tmp_path)
    recipe = {**TINY, "dataset": {**TINY["dataset"], "groups": 3}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(recipe))
    return lambda *overrides: Source("tiny.yaml", overrides)


def problems(*arguments):
    with pytest.raises(InputError) as caught:
        folds(*arguments)
    assert caught.value.title == "tiny cannot be cross-validated"
    return [(p.where, p.what, p.message) for p in caught.value.problems]


class TestFolds:
    def test_every_group_is_test_once(self, tiny):
        found = folds(tiny())
        assert found == {f"session-{i}": {"protocol.test_groups": f"[session-{i}]"} for i in (1, 2, 3)}
        trials = plan(tiny(), found)
        assert [trial.run_name for trial in trials] == ["tiny-session-1", "tiny-session-2", "tiny-session-3"]
        assert len({trial.key for trial in trials}) == 3

    def test_dev_can_be_the_group_after_the_one_that_is_test(self, tiny):
        dev = [changes["protocol.dev_groups"] for changes in folds(tiny(), True).values()]
        assert dev == ["[session-2]", "[session-3]", "[session-1]"]

    def test_any_name_of_a_group_makes_a_fold(self, tiny, tmp_path):
        named = "1", "a b/ü,1", "null"
        (tmp_path / "named.py").write_text(NAMED.format(names=named))
        dataset = "dataset={type: named, train: 9, dev: 3, test: 3, labels: 2}"
        source = Source("tiny.yaml", (dataset,), (tmp_path / "named.py",))
        found = folds(source)
        assert list(found) == ["1", "a-b-1", "null"]
        for changes, group in zip(found.values(), named, strict=True):
            assert source.load(changes).recipe.protocol.test_groups == (group,)

    def test_a_recipe_that_holds_out_groups_itself_and_a_corpus_without_are_refused_at_once(self, tiny):
        assert problems(tiny("dataset.groups=0", "protocol.test_groups=[x]", "protocol.dev_groups=[y]")) == [
            ("command line", "protocol.test_groups", "must be left out: each group is held out in turn (got x)"),
            ("command line", "protocol.dev_groups", "must be left out: each group is held out in turn (got y)"),
            ("", "dataset", "needs a group, such as a recording session, for each of the 18 dialogues (none has)"),
        ]

    def test_one_group_leaves_none_to_train_on(self, tiny):
        assert problems(tiny("dataset.groups=1")) == [("", "dataset", "must have at least 2 groups (got session-1)")]
        assert problems(tiny("dataset.groups=2", "protocol.name=paper"), True) == [
            ("command line", "--next-is-dev", "needs a dev, which protocol 'paper' does not have"),
            ("", "dataset", "must have at least 3 groups (got session-1, session-2)"),
        ]


NAMED = """
from dataclasses import replace
from ercframe import hookimpl
from ercframe_plugins.datasets.synthetic import SyntheticConversations


class Named(SyntheticConversations):
    "Has groups with any names."
    name = "named"

    def split(self, name):
        return [replace(d, group={names}[i % 3]) for i, d in enumerate(super().split(name))]


@hookimpl
def ercframe_components():
    return [Named]
"""


def fold(path, group, label, predicted, start):
    """The run folder of a fold; its dialogues are numbered from ``start``."""
    dataset = {"name": "talk", "generated": False, "labels": list(LABELS), "test": f"group {group}"}
    dataset |= {"dev": "carved from train: 1 of 9 dialogues", "dialogues": {"train": 8, "dev": 1, "test": len(label)}}
    protocol = {"name": "heldout", "monitor": "weighted_f1", "test_groups": [group], "dev_groups": None}
    about = {"started": "2026-01-01T00:00:00", "ercframe": "1", "torch": "2", "device": "cpu", "threads": 1}
    path = run(
        path / group,
        label,
        predicted,
        recipe=f"mine-{group}",
        dataset=dataset,
        protocol=protocol,
        environment=about,
    )
    for seed in range(len(predicted)):
        file = path / f"seed-{seed}" / "predictions.jsonl"
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for row in rows:
            row["dialogue"] = f"d{int(row['dialogue'][1:]) + start:03}"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def made(tmp_path):
    """Three folds of different sizes with two seeds, and the labels and predictions of all of them, ``(S, N)``."""
    paths, answers, start = {}, [], 0
    for i, (group, size) in enumerate(GROUPS.items()):
        label = labels(seed=i, dialogues=size)
        predicted = np.stack([guesses(label, 0.9 - 0.2 * i, 10 * i + seed) for seed in range(2)])
        paths[group] = fold(tmp_path, group, label, predicted, start)
        answers.append((label.ravel(), predicted.reshape(2, -1)))
        start += size
    return paths, answers


def put_together(paths):
    return cross_validated({name: FinishedRun.open(path) for name, path in paths.items()})


def by_hand(label, predicted):
    """The scores from their definitions, turn by turn."""
    recalls, f1, weights = [], [], []
    for c in range(len(LABELS)):
        right = np.sum((label == c) & (predicted == c))
        recalls.append(right / np.sum(label == c))
        f1.append(2 * right / (np.sum(label == c) + np.sum(predicted == c)))
        weights.append(np.mean(label == c))
    return {
        "weighted_f1": np.dot(weights, f1),
        "accuracy": np.mean(label == predicted),
        "macro_recall": np.mean(recalls),
        "macro_f1": np.mean(f1),
    }


class TestNumbers:
    def test_each_fold_is_the_mean_over_its_seeds(self, made):
        paths, answers = made
        for entry, (label, predicted) in zip(put_together(paths)["runs"], answers, strict=True):
            seeds = [by_hand(label, predicted[s]) for s in range(2)]
            for name, score in entry["scores"].items():
                values = [seed[name] for seed in seeds]
                assert score["seeds"] == pytest.approx(values)
                assert (score["mean"], score["std"]) == pytest.approx((np.mean(values), np.std(values, ddof=1)))

    def test_the_mean_of_folds_counts_each_fold_the_same(self, made):
        paths, answers = made
        found = put_together(paths)["over_folds"]["scores"]
        for name in found:
            means = [np.mean([by_hand(label, p)[name] for p in predicted]) for label, predicted in answers]
            assert found[name] == pytest.approx({"mean": np.mean(means), "std": np.std(means, ddof=1)})

    def test_all_dialogues_are_scored_as_one_test_set_for_each_seed(self, made):
        paths, answers = made
        both = put_together(paths)
        found, over = both["pooled"]["scores"], both["over_folds"]["scores"]
        label = np.concatenate([label for label, _ in answers])
        predicted = np.concatenate([predicted for _, predicted in answers], axis=1)
        seeds = [by_hand(label, predicted[s]) for s in range(2)]
        for name, score in found.items():
            assert score["seeds"] == pytest.approx([seed[name] for seed in seeds])
            assert score["low"] < score["mean"] < score["high"]
        assert found["accuracy"]["mean"] != pytest.approx(over["accuracy"]["mean"])

    def test_the_interval_over_groups_leaves_out_one_fold_after_the_other(self, made):
        paths, answers = made
        found = put_together(paths)["pooled"]["scores"]["accuracy"]["groups"]
        right = [[(predicted == label).sum(), predicted.size] for label, predicted in answers]
        low, high = jackknife_interval(np.array(right), lambda x: x[..., :1] / x[..., 1:])[:, 0]
        assert (found["low"], found["high"]) == pytest.approx((low, high))

    def test_sizes_and_warnings_of_all_folds(self, made, tmp_path):
        paths, _ = made
        warned = json.loads((paths["Ses02"] / "summary.json").read_text())
        warned["dataset"]["warnings"] = ["speakers: Ann speaks everywhere"]
        (paths["Ses02"] / "summary.json").write_text(json.dumps(warned))
        found = put_together(paths)
        assert (found["dialogues"], found["turns"], sum(found["support"])) == (12, 96, 96)
        assert found["warnings"] == ["Ses02: speakers: Ann speaks everywhere"]


class TestRefused:
    def test_folds_that_share_dialogues_or_lack_seeds(self, made, tmp_path):
        paths, _ = made
        label = labels(dialogues=2)
        paths["Ses04"] = fold(tmp_path, "Ses04", label, [label], start=0)
        with pytest.raises(InputError, match="no folds of a cross-validation") as caught:
            put_together(paths)
        assert [(p.where, p.message) for p in caught.value.problems] == [
            ("Ses01", "must have dialogues that no other has (d000 is in another)"),
            ("Ses04", "must be finished, with the seeds 0, 1 (got 0)"),
            ("Ses04", "must have dialogues that no other has (d000 is in another)"),
        ]

    def test_one_fold_is_no_cross_validation(self, made):
        with pytest.raises(InputError, match="no folds"):
            put_together({"Ses01": made[0]["Ses01"]})

    def test_runs_of_different_groups_are_not_compared_and_it_is_said_why(self, made, command):
        paths, _ = made
        code, _, error = command("compare", paths["Ses01"], paths["Ses02"])
        assert code == 2
        assert "its test is group Ses02, the baseline's group Ses01" in error


class TestTables:
    def test_the_markdown_says_what_is_averaged_over_what(self, made):
        text = markdown(put_together(made[0]))
        heads = "| fold | turns | weighted F1 | accuracy | UA (macro recall) | macro F1 |"
        assert heads in text
        assert [line.split(" |")[0] for line in text.split(heads)[1].splitlines()[2:7]] == [
            *(f"| {group}" for group in GROUPS),
            "| mean of folds",
            "| all dialogues",
        ]
        assert "mine on talk, one group left out at a time: selected on dev" in text
        assert "Dev: 1 dialogue of the other groups." in text
        assert "mean ± std (ddof 1) of the 3 values above it; each fold counts the same" in text
        assert (
            "each of the 96 turns of 12 dialogues is once, predicted by models that did not train on its group" in text
        )
        assert "Student's t with 2 degrees of freedom" in text

    def test_what_warns_stands_in_every_title(self, made):
        found = put_together(made[0])
        found["dataset"]["generated"] = True
        found["selection"] = "selected on test"
        titles = [line for line in markdown(found).splitlines() if line.startswith("**")][:3]
        assert all("selected on test, generated data" in title for title in titles)
        assert "Dev: none." in markdown(found)

    def test_on_a_terminal_it_fits_80_columns(self, made):
        console = Console(width=80, record=True, file=io.StringIO())
        console.print(crossval_table(put_together(made[0])))
        text = console.export_text()
        assert "mean of folds" in text
        assert "all dialogues" in text
        assert "…" not in text

    def test_a_page_takes_it_as_it_takes_a_comparison(self, made, tmp_path, command):
        write_crossval(put_together(made[0]) | {"command": "ercframe crossval mine.yaml"}, tmp_path)
        assert read_crossval(tmp_path)["dialogues"] == 12
        page = tmp_path / "page.md"
        page.write_text("<!-- table folds -->\n<!-- end of table folds -->\n")
        assert command("table", tmp_path, "--into", page, "--marker", "folds")[0] == 0
        written = page.read_text()
        assert (
            "$ ercframe crossval mine.yaml\n```\n\nRun on 2026-01-01: ercframe 1, PyTorch 2, cpu, 1 thread." in written
        )
        page.write_text(written.replace("UA", "hand"))
        assert command("table", "--into", page)[0] == 0
        assert page.read_text() == written
        assert command("table", tmp_path)[1] == (tmp_path / "crossval.md").read_text()

    def test_beside_other_runs_a_page_takes_it_not(self, made, tmp_path, command):
        write_crossval(put_together(made[0]) | {"command": "x"}, tmp_path)
        code, _, error = command("table", tmp_path, made[0]["Ses01"])
        assert code == 2
        assert "a cross-validation has tables of its own" in error

    def test_a_damaged_file_is_refused(self, tmp_path, command):
        (tmp_path / "crossval.json").write_text('{"kind": "crossval", "schema_version": 99}')
        code, _, error = command("table", tmp_path)
        assert code == 2
        assert "schema_version must be 1 (got 99)" in error
