"""ercframe eval: the recorded scores again, scores with less to see, and what it refuses."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import small_runs
from small_corpus import bundle, edited

from ercframe.calibration import fit_temperature, recorded
from ercframe.cli.app import run_app

RECIPE = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 8, "dev": 3, "test": 5, "labels": 4},
    "encoder": {"type": "identity", "width": 4},
    "fusion": {"type": "gated"},
    "classifier": {"type": "linear"},
    "losses": {"task": {"type": "cross_entropy"}},
    "trainer": {"epochs": 2, "batch_dialogues": 4, "device": "cpu"},
    "protocol": {"seeds": 2},
}
EMOTIONS = ("happy", "sad", "neutral", "angry")
HEADLINE = ("weighted_f1", "accuracy", "macro_f1")


def train(folder, **changes):
    return small_runs.train(folder, RECIPE | changes)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def found(run, *arguments):
    assert run_app(["eval", str(run), *arguments]) == 0
    return json.loads((run / "evaluation.json").read_text())


def refused(capsys, run, *arguments):
    assert run_app(["eval", str(run), *arguments]) == 2
    assert not (run / "evaluation.json").exists()
    return capsys.readouterr().err


@pytest.mark.parametrize("split", ["dev", "test"])
def test_with_nothing_changed_it_finds_what_the_run_recorded(run, split, capsys):
    evaluation = found(run, "--split", split)
    recorded = [entry["selected"][split] for entry in json.loads((run / "summary.json").read_text())["seeds"]]
    assert evaluation["full"]["seeds"] == recorded
    assert "not those that the run recorded" not in capsys.readouterr().out
    assert evaluation["dropped"] is evaluation["robustness"] is None
    assert [entry["seed"] for entry in evaluation["seeds"]] == [0, 1]


def test_scores_that_the_run_did_not_record_are_told(run, capsys):
    small_runs.edit_summary(run, lambda summary: summary["seeds"][1]["selected"]["test"].update(accuracy=0.99))
    found(run)
    assert "the scores are not those that the run recorded" in capsys.readouterr().out


def test_a_dropped_modality_no_longer_counts(run, capsys):
    evaluation = found(run, "--drop", "audio")
    assert evaluation["dropped"]["modalities"] == ["audio"]
    assert evaluation["dropped"]["seeds"] != evaluation["full"]["seeds"]
    assert "without audio" in capsys.readouterr().out
    mean = sum(seed["accuracy"] for seed in evaluation["dropped"]["seeds"]) / 2
    assert evaluation["dropped"]["over_seeds"]["accuracy"]["mean"] == pytest.approx(mean)


def test_one_seed_has_no_deviation(run, capsys):
    evaluation = found(run, "--seed", "1")
    assert [entry["seed"] for entry in evaluation["seeds"]] == [1]
    assert evaluation["full"]["over_seeds"]["accuracy"]["std"] is None
    assert "±" not in capsys.readouterr().out


def test_robustness_goes_from_everything_to_nothing(run, tmp_path, capsys):
    evaluation = found(run, "--robustness", "--json", str(tmp_path / "copy.json"))
    assert json.loads((tmp_path / "copy.json").read_text()) == evaluation
    full = [{name: seed[name] for name in HEADLINE} for seed in evaluation["full"]["seeds"]]
    robustness = evaluation["robustness"]
    alone = {tuple(entry["modalities"]): entry["seeds"] for entry in robustness["subsets"]}
    assert set(alone) == {("text", "audio"), ("text",), ("audio",)}
    assert alone["text", "audio"] == full
    for curve in (*robustness["drop_rates"], *robustness["noise_levels"]):
        assert curve["points"][0]["seeds"] == full
    text, audio, every = robustness["drop_rates"]
    assert (text["modalities"], every["modalities"]) == (["text"], ["text", "audio"])
    assert [point["rate"] for point in every["points"]] == [i / 10 for i in range(11)]
    assert text["points"][-1]["seeds"] == alone["audio",]
    assert audio["points"][-1]["seeds"] == alone["text",]
    shown = capsys.readouterr().out
    assert "Every set of modalities" in shown
    assert "GENERATED DATA" in shown


def test_the_same_twice(run):
    assert found(run, "--robustness", "--seed", "0") == found(run, "--robustness", "--seed", "0")


def test_what_scores_are_made_of(run, capsys):
    evaluation = found(run)
    full = evaluation["full"]
    for name in HEADLINE:
        entry = evaluation["scores"][name]
        assert entry["value"] == pytest.approx(full["over_seeds"][name]["mean"], abs=1e-6)
        assert entry["std"] == pytest.approx(full["over_seeds"][name]["std"], abs=1e-6)
        assert entry["low"] <= entry["value"] <= entry["high"]
    assert evaluation["confusion"] == np.sum([seed["confusion"] for seed in full["seeds"]], axis=0).tolist()
    for by in {one["by"] for one in evaluation["slices"]}:
        assert sum(one["turns"] for one in evaluation["slices"] if one["by"] == by) == evaluation["turns"]
    counts = [row["count"] for row in evaluation["calibration"]["as_is"]["reliability"]]
    assert sum(counts) == 2 * evaluation["turns"]
    assert len(evaluation["calibration"]["temperature"]["seeds"]) == 2
    shown = " ".join(capsys.readouterr().out.split())
    for title in ("Slices", "Most confused", "Calibration", "fitted on dev"):
        assert title in shown
    assert len(re.findall(r"95 % interval none [\d.]+ to [\d.]+ [\d.]+ to [\d.]+", shown)) == 2


def test_the_temperature_is_that_with_which_a_run_predicts(run):
    fitted = found(run)["calibration"]["temperature"]["seeds"]
    for seed, temperature in enumerate(fitted):
        rows = [json.loads(line) for line in (run / f"seed-{seed}" / "predictions.jsonl").read_text().splitlines()]
        probability, label = recorded([row for row in rows if row["split"] == "dev"], EMOTIONS)
        assert temperature == pytest.approx(fit_temperature(probability, label), rel=1e-3)


def test_nothing_is_fitted_on_what_is_scored(run, tmp_path):
    assert found(run, "--split", "dev")["calibration"]["temperature"] is None
    paper = train(tmp_path, protocol={"name": "paper", "seeds": 1})
    assert found(paper)["calibration"]["scaled"] is None


def test_context_of_a_model_without_one(run, tmp_path, capsys):
    files = ("--svg", str(tmp_path / "plot.svg"), "--markdown", str(tmp_path / "tables.md"))
    evaluation = found(run, "--context", *files)
    views = evaluation["context"]["views"]
    assert [(v["past"], v["future"]) for v in views[:10]] == [
        (past, future) for future in (False, True) for past in (0, 1, 3, 5, "all")
    ]
    assert [(v["speakers"], v["order"]) for v in views[10:]] == [("own", "kept"), ("all", "shuffled")]
    assert {v["flipped"]["value"] for v in views} == {v["difference"]["value"] for v in views} == {0.0}
    assert (views[0]["turns"], views[9]["turns"]) == (1, views[11]["turns"])
    assert "with some of the turns around it" in capsys.readouterr().out
    drawn = (tmp_path / "plot.svg").read_text()
    assert "turns shown before the utterance" in drawn
    assert "GENERATED DATA" in drawn
    tables = (tmp_path / "tables.md").read_text()
    assert "2 seeds. GENERATED DATA" in tables
    assert tables.count("| +0.00 (0.00 to 0.00) | 0.00 ± 0.00 |") == 12


def test_context_of_a_model_that_listens(tmp_path):
    trainer = RECIPE["trainer"] | {"epochs": 6, "optimizer": {"name": "adam", "lr": 0.03}}
    run = train(tmp_path, encoder={"type": "bilstm", "hidden": 8}, trainer=trainer, protocol={"seeds": 1})
    files = ("--svg", str(tmp_path / "plot.svg"), "--markdown", str(tmp_path / "tables.md"))
    evaluation = found(run, "--context", "--robustness", *files)
    views = evaluation["context"]["views"]
    assert views[9]["flipped"]["value"] == 0
    assert any(view["flipped"]["value"] > 0 for view in views)
    assert "noise, in deviations of a feature" in (tmp_path / "plot.svg").read_text()
    alone = 100 * evaluation["robustness"]["subsets"][-1]["over_seeds"]["weighted_f1"]["mean"]
    assert f"| audio | {alone:.2f} |" in (tmp_path / "tables.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--svg", "plot.svg"], "--svg draws what --context or --robustness finds: add one of them, or both"),
        (["--markdown", "a.md"], "--markdown tells what --context or --robustness finds: add one of them, or both"),
        (
            ["--drop", "audoi"],
            "--drop must name modalities of the run, text, audio (got 'audoi'; did you mean 'audio'?)",
        ),
        (
            ["--drop", "audio", "--drop", "text"],
            "--drop must leave a modality of the run, text, audio (got all of them)",
        ),
        (["--split", "train"], "--split must be dev or test (got 'train')"),
        (["--seed", "7"], "--seed must be one of the run's seeds, 0, 1 (got 7)"),
        (["--device", "cuda:99"], "--device must be a device of this machine"),
    ],
)
def test_wrong_arguments(run, capsys, arguments, told):
    assert told in refused(capsys, run, *arguments)


def test_no_run_folder(tmp_path, capsys):
    assert "must be a run folder (it has no recipe.yaml;" in refused(capsys, tmp_path)


def test_a_run_that_is_not_finished(run, capsys):
    def change(summary):
        summary["status"] = "interrupted"
        summary["seeds"][1]["finished"] = False

    small_runs.edit_summary(run, change)
    told = refused(capsys, run)
    assert f"the run in {run} must be finished (it is interrupted)" in told
    assert f"ercframe run {run} --resume" in told
    assert "one of its finished seeds, 0: --seed N" in told
    assert "seed 1 of the run" in refused(capsys, run, "--seed", "1")
    assert found(run, "--seed", "0")["full"]


def test_paper_has_no_dev(tmp_path, capsys):
    run = train(tmp_path, protocol={"name": "paper", "seeds": 1})
    assert "--split dev: the run has no dev" in refused(capsys, run, "--split", "dev")


def test_a_bundle_that_is_another_or_gone(tmp_path, capsys):
    data = tmp_path / "data"
    bundle(data, dialogues=edited(lambda u: replace(u, label=max(u.label, 0))))
    run = train(tmp_path, dataset={"type": "bundle", "path": str(data)}, protocol={"seeds": 1})
    shutil.rmtree(data)
    assert f"dataset.path: no bundle at {data}" in refused(capsys, run)
    bundle(data, dialogues=edited(lambda u: replace(u, label=1 - max(u.label, 0))))
    told = refused(capsys, run)
    assert f"must be what the run in {run} was trained on (got another 'small': its digest differs)" in told
    shutil.rmtree(data)
    bundle(data, dialogues=edited(lambda u: replace(u, label=max(u.label, 0))))
    assert found(run)["dataset"]["name"] == "small"


@pytest.mark.parametrize("split", ["dev", "test"])
def test_the_predictions_of_a_run_are_a_file_for_score(tmp_path, split):
    data, out = tmp_path / "data", tmp_path / "score.json"
    bundle(data, dialogues=edited(lambda u: replace(u, label=max(u.label, 0))))
    run = train(tmp_path, dataset={"type": "bundle", "path": str(data)}, protocol={"seeds": 1})
    file = run / "seed-0" / "predictions.jsonl"
    assert run_app(["score", str(file), "--bundle", str(data), "--split", split, "--json", str(out)]) == 0
    scored = json.loads(out.read_text())
    recorded = json.loads((run / "summary.json").read_text())["seeds"][0]["selected"][split]
    assert scored["confusion"] == recorded["confusion"]
    for name in HEADLINE:
        assert scored["scores"][name]["value"] == pytest.approx(recorded[name], abs=1e-6)
