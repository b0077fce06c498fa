"""ercframe compare: the numbers, the tables, what is flagged, and what cannot be compared."""

import csv
import io
import json
import shutil
import subprocess

import numpy as np
import pytest
from comparing import LABELS, guesses, labels, run

from ercframe.cli.app import run_app
from ercframe.cli.options import newest_run
from ercframe.comparison import compare, open_runs
from ercframe.comparison.compare import ONE_SEED, THESE_MODELS
from ercframe.report.comparison_cells import grids, notes
from ercframe.report.comparison_text import as_csv, latex, markdown
from ercframe.report.sections import tests as section


def seeds(label, accuracy, count=6, first=0):
    return np.stack([guesses(label, accuracy, first + seed) for seed in range(count)])


@pytest.fixture(scope="module")
def label():
    return labels()


@pytest.fixture
def weak(tmp_path, label):
    return run(tmp_path / "runs" / "weak" / "2026-01-01_00-00-00", label, seeds(label, 0.6), recipe="weak")


@pytest.fixture
def strong(tmp_path, label):
    return run(
        tmp_path / "runs" / "strong" / "2026-01-01_00-00-00", label, seeds(label, 0.8, first=10), recipe="strong"
    )


@pytest.fixture
def alike(tmp_path, label):
    return run(tmp_path / "runs" / "alike" / "2026-01-01_00-00-00", label, seeds(label, 0.6, first=20), recipe="alike")


def refused(capsys, *arguments):
    assert run_app(["compare", *map(str, arguments)]) == 2
    return " ".join(capsys.readouterr().err.split())


def text(found):
    return " ".join(notes(found))


def test_a_run_that_is_better_and_one_that_is_not(weak, strong, alike):
    found = compare(open_runs([weak, strong, alike]))
    first, better, same = found["runs"]
    assert first["difference"] is None
    assert better["difference"]["significant"]
    assert better["difference"]["p_holm"] < 0.01
    assert better["difference"]["low"] > 0
    assert not same["difference"]["significant"]
    assert same["difference"]["low"] < 0 < same["difference"]["high"]
    scores = better["scores"]["weighted_f1"]
    assert scores["low"] < scores["mean"] < scores["high"]
    assert scores["mean"] - first["scores"]["weighted_f1"]["mean"] == pytest.approx(better["difference"]["value"])


def test_scores_are_those_of_the_summary(strong):
    (entry,) = compare(open_runs([strong]))["runs"]
    summary = json.loads((strong / "summary.json").read_text())["seeds"]
    for name in ("weighted_f1", "accuracy", "macro_f1"):
        assert entry["scores"][name]["seeds"] == pytest.approx([s["selected"]["test"][name] for s in summary], abs=1e-6)
    f1 = [entry["f1"][name]["seeds"] for name in LABELS]
    assert pytest.approx(np.array([s["selected"]["test"]["f1"] for s in summary]), abs=1e-6) == np.array(f1).T
    assert entry["selected_on_test"]["weighted_f1"]["gap"] == pytest.approx(0.02)


@pytest.mark.parametrize("test", ["bootstrap", "randomisation", "mcnemar"])
def test_each_test_finds_a_large_difference_and_not_equal_runs(weak, strong, tmp_path, label, test):
    copy = run(tmp_path / "copy", label, seeds(label, 0.6), recipe="copy")
    _, better, same = compare(open_runs([weak, strong, copy]), test=test)["runs"]
    assert better["difference"]["p"] < 0.01
    assert same["difference"]["p"] == 1.0


def test_mcnemar_is_of_accuracy_and_warns(weak, strong):
    found = compare(open_runs([weak, strong]), test="mcnemar")
    accuracies = [entry["scores"]["accuracy"]["mean"] for entry in found["runs"]]
    assert found["runs"][1]["difference"]["value"] == pytest.approx(accuracies[1] - accuracies[0])
    assert "takes the turns of a dialogue to be independent. They are not" in text(found)
    assert "McNemar's test of accuracy" in text(found)


def test_p_values_that_say_nothing_of_another_training_say_so(weak, strong, tmp_path, label):
    for options in ({"draw_seeds": False}, {"test": "randomisation"}):
        assert compare(open_runs([weak, strong]), **options)["warnings"] == [THESE_MODELS]
        assert compare(open_runs([weak]), **options)["warnings"] == []
    single = run(tmp_path / "single", label, seeds(label, 0.9, count=1), recipe="single")
    found = compare(open_runs([weak, single]))
    assert found["warnings"] == [ONE_SEED]
    assert ONE_SEED in text(found)


def test_an_interval_of_two_seeds_ends_where_scores_do(tmp_path, label):
    found = compare(open_runs([run(tmp_path / "two", label, seeds(label, 0.6, count=2))]))
    (entry,) = found["runs"]
    assert all(0 <= score["low"] <= score["mean"] <= score["high"] <= 1 for score in entry["scores"].values())
    assert max(score["high"] for score in entry["scores"].values()) == 1.0


def test_p_values_are_corrected_over_the_runs(weak, strong, alike):
    alone = compare(open_runs([weak, strong]))["runs"][1]["difference"]
    both = compare(open_runs([weak, strong, alike]))["runs"][1]["difference"]
    assert alone["p"] == alone["p_holm"] == both["p"]
    assert both["p_holm"] == pytest.approx(2 * both["p"])


def test_holding_the_seeds_makes_the_interval_narrower(tmp_path, label):
    uneven = np.stack([guesses(label, accuracy, seed) for seed, accuracy in enumerate((0.5, 0.6, 0.7, 0.8))])
    path = run(tmp_path / "uneven", label, uneven)

    def width(draw):
        entry = compare(open_runs([path]), draw_seeds=draw)["runs"][0]["scores"]["weighted_f1"]
        return entry["high"] - entry["low"]

    assert width(True) > 1.5 * width(False)


def test_runs_are_paired_by_their_seeds_in_any_order(tmp_path, label, weak):
    answers = seeds(label, 0.7, count=3, first=5)
    forward = run(tmp_path / "a", label, answers, recipe="a")
    backward = run(tmp_path / "b", label, answers[::-1], recipe="b", seeds=[2, 1, 0])
    found = compare(open_runs([forward, backward]))["runs"][1]["difference"]
    assert (found["value"], found["low"], found["high"], found["p"]) == (0, 0, 0, 1)


def test_seeds_that_only_one_run_has_are_left_out_of_the_test(tmp_path, label, weak):
    more = run(tmp_path / "more", label, seeds(label, 0.75, 5), recipe="more", seeds=[4, 5, 6, 7, 8])
    found = compare(open_runs([weak, more]))
    assert found["runs"][1]["difference"]["seeds"] == [4, 5]
    assert "over the seeds that both have: 4, 5" in text(found)


class TestTables:
    def test_the_best_is_bold_and_the_significant_marked(self, weak, strong):
        page = markdown(compare(open_runs([weak, strong])))
        row = next(line for line in page.splitlines() if line.startswith("| strong"))
        assert row.count("**") == 6
        assert r"\***" in row
        assert "**" not in next(line for line in page.splitlines() if line.startswith("| weak"))
        rows = [line for line in page.splitlines() if line.startswith("| strong")]
        assert [row.count(r"\*") for row in rows] == [1, 0, 1, 0, 0]
        assert r"\* differs from weak: p \< 0.05 in a paired bootstrap of weighted F1." in page

    def test_a_report_marks_what_its_legend_says(self, weak, strong, alike):
        told = section.tests([weak, strong, alike], ["weak", "strong", "alike"])
        assert any(note.startswith("* differs from weak: p < 0.05") for note in told.notes)
        (table,) = told.tables
        assert [(row[0], row[1].count("*")) for row in table.rows] == [("strong", 1), ("alike", 0)]

    def test_markdown_tables_have_as_many_cells_in_every_row(self, weak, strong):
        blocks = markdown(compare(open_runs([weak, strong]))).split("\n\n")
        tables = [block.splitlines() for block in blocks if block.startswith("| ")]
        assert len(tables) == 5
        for lines in tables:
            assert len({line.replace(r"\|", "").count("|") for line in lines}) == 1

    def test_nothing_in_a_name_is_markup(self, weak, strong):
        found = compare(open_runs([weak, strong]), names=["a|b_*c*[x](y)", r"50% & {x}_1 \foo $#~^"])
        assert r"a\|b\_\*c\*\[x\](y)" in markdown(found)
        assert r"50\% \& \{x\}\_1 \textbackslash{}foo \$\#\textasciitilde{}\textasciicircum{}" in latex(found)

    def test_latex_has_all_columns(self, weak, strong):
        page = latex(compare(open_runs([weak, strong])))
        rows = [line for line in page.splitlines() if line.endswith("\\\\")]
        assert [row.count(" & ") for row in rows] == [4, 4, 4, *[len(LABELS)] * 3]
        assert "$^{*}$" in rows[2]
        assert r"\textbf{" in rows[2]

    @pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex")
    def test_latex_is_compiled_and_fits_the_page(self, weak, strong, tmp_path):
        found = compare(open_runs([weak, strong]), names=["a rather long name, 50% & {x}_1 <\\foo> $#~^|", "strong"])
        page = [r"\documentclass[twocolumn]{article}", r"\usepackage{booktabs}", r"\begin{document}", latex(found)]
        (tmp_path / "page.tex").write_text("\n".join([*page, r"\end{document}"]), encoding="utf-8")
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
        told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
        assert told.returncode == 0, told.stdout
        assert "Overfull" not in told.stdout
        assert (tmp_path / "page.pdf").stat().st_size > 0

    def test_csv_has_every_number(self, weak, strong):
        found = compare(open_runs([weak, strong]))
        rows = list(csv.DictReader(io.StringIO(as_csv(found))))
        assert [row["name"] for row in rows] == ["weak", "strong"]
        assert float(rows[1]["weighted_f1 high"]) == found["runs"][1]["scores"]["weighted_f1"]["high"]
        assert float(rows[1]["difference p_holm"]) == found["runs"][1]["difference"]["p_holm"]
        assert (rows[0]["difference p"], rows[0]["f1 joy mean"]) == ("", str(found["runs"][0]["f1"]["joy"]["mean"]))

    def test_one_seed_has_no_deviation(self, tmp_path, label):
        page = markdown(compare(open_runs([run(tmp_path / "one", label, seeds(label, 0.7, 1))])))
        assert "±" not in page
        assert "resamples of dialogues." in page

    def test_one_run_alone_has_no_test_and_no_best(self, strong):
        found = compare(open_runs([strong]))
        assert len(list(grids(found))) == 4
        assert not any(cell.best for grid in grids(found) for row in grid.rows for cell in row)


class TestWhatIsSaidOfRuns:
    def test_selected_on_test_is_told_never_best_and_not_tested(self, weak, tmp_path, label):
        paper = run(tmp_path / "paper", label, seeds(label, 0.9), recipe="paper", selection="selected on test")
        found = compare(open_runs([weak, paper]))
        assert found["runs"][1]["difference"] is None
        assert "paper is not tested: it is selected on test, and the baseline selected on dev." in text(found)
        rows = {row[0].text: row for row in next(grids(found)).rows}
        assert not rows["paper (selected on test)"][3].best
        assert rows["weak"][3].best

    def test_generated_data(self, tmp_path, label):
        data = {"name": "synthetic", "generated": True, "labels": list(LABELS)}
        found = compare(open_runs([run(tmp_path / "demo", label, seeds(label, 0.7), dataset=data)]))
        assert "GENERATED DATA" in text(found)
        assert "mine (generated data)" in markdown(found)

    def test_unfinished(self, weak, tmp_path, label):
        path = run(tmp_path / "cut", label, seeds(label, 0.7, count=3), recipe="cut", status="interrupted")
        summary = json.loads((path / "summary.json").read_text())
        summary["seeds"][2]["finished"] = False
        (path / "summary.json").write_text(json.dumps(summary))
        found = compare(open_runs([weak, path]))
        assert found["runs"][1]["seeds"] == [0, 1]
        assert "cut (unfinished)" in markdown(found)
        assert "cut is not finished (interrupted): 2 of 3 seeds." in text(found)

    def test_no_record_of_test_while_training(self, tmp_path, label):
        path = run(tmp_path / "blind", label, seeds(label, 0.7))
        summary = json.loads((path / "summary.json").read_text())
        for seed in summary["seeds"]:
            del seed["selected_on_test"], seed["last"]
        (path / "summary.json").write_text(json.dumps(summary))
        assert "not recorded" in markdown(compare(open_runs([path])))

    def test_runs_of_one_recipe_are_told_apart_by_their_settings(self, tmp_path, label):
        settings = {"encoder": {"width": 8, "type": "identity"}, "losses": {"task": {"weight": 1.0}, "kd": {"t": 2}}}
        full = run(tmp_path / "full", label, seeds(label, 0.7), settings=settings)
        fewer = {"encoder": {"width": 4, "type": "identity"}, "losses": {"task": {"weight": 1.0}}}
        small = run(tmp_path / "small", label, seeds(label, 0.6), settings=fewer)
        again = run(tmp_path / "again", label, seeds(label, 0.7), settings=settings)
        found = compare(open_runs([full, small, again]))
        assert [entry["name"] for entry in found["runs"]] == [
            "mine (full)",
            "mine, encoder.width=4, without losses.kd",
            "mine (again)",
        ]


class TestRefusals:
    def test_other_turns_labels_data_and_seeds_all_at_once(self, capsys, tmp_path, label, weak):
        names = ("glad", "cross", "calm")
        others = [
            run(tmp_path / "names", label, seeds(label, 0.7), recipe="names", names=names),
            run(tmp_path / "turns", label[:30], seeds(label[:30], 0.7), recipe="turns"),
            run(tmp_path / "labels", labels(1), seeds(labels(1), 0.7), recipe="labels"),
            run(tmp_path / "data", label, seeds(label, 0.7), recipe="data", environment={"dataset": "cc"}),
            run(tmp_path / "seeds", label, seeds(label, 0.7, count=3), recipe="seeds", seeds=[7, 8, 9]),
        ]
        told = refused(capsys, weak, *others)
        assert "5 of the runs cannot be compared with the baseline, weak" in told
        assert "names must have the labels joy, anger, calm (got glad, cross, calm)" in told
        assert "turns must be scored on the same turns of test (80 of the baseline's 320 are missing, 0 are" in told
        assert "labels must have the same labels of the turns of test" in told
        assert "data must be of the same data (its digest differs; --other-data compares nevertheless)" in told
        assert "seeds must have a seed that the baseline has, 0, 1, 2, 3, 4, 5 (got 7, 8, 9)" in told

    def test_other_data_with_the_same_turns_if_asked(self, tmp_path, label, weak):
        path = run(tmp_path / "data", label, seeds(label, 0.7), recipe="data", environment={"dataset": "cc"})
        assert run_app(["compare", str(weak), str(path), "--other-data"]) == 0

    def test_modalities_of_the_same_bundle_are_no_other_data(self, tmp_path, label, weak):
        path = run(tmp_path / "data", label, seeds(label, 0.7), recipe="data", environment={"data": "cc"})
        assert run_app(["compare", str(weak), str(path)]) == 0

    def test_no_run_an_empty_one_and_a_damaged_one(self, capsys, tmp_path, label, weak):
        assert "must be a run folder" in refused(capsys, tmp_path / "nowhere")
        (tmp_path / "begun").mkdir()
        (tmp_path / "begun" / "recipe.yaml").write_text("name: x\n")
        assert "summary.json is not there: nothing of the run is finished yet" in refused(capsys, tmp_path / "begun")
        (weak / "seed-0" / "predictions.jsonl").write_text("{")
        assert "predictions.jsonl cannot be read" in refused(capsys, weak)
        (weak / "summary.json").write_text("[]")
        assert "summary.json cannot be read" in refused(capsys, weak)

    def test_several_unusable_runs_are_told_together(self, capsys, tmp_path):
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "recipe.yaml").write_text("name: x\n")
        told = refused(capsys, tmp_path / "a", tmp_path / "b")
        assert "2 runs cannot be read" in told
        assert "a/summary.json" in told
        assert "b/summary.json" in told

    def test_predictions_that_are_not_those_of_the_summary(self, capsys, weak):
        path = weak / "seed-1" / "predictions.jsonl"
        path.write_text((weak / "seed-0" / "predictions.jsonl").read_text())
        assert "seed-1/predictions.jsonl must be what summary.json scores" in refused(capsys, weak)

    def test_names_that_do_not_fit(self, capsys, weak, strong):
        assert "--name must be given for each of the 2 runs" in refused(capsys, weak, strong, "--name", "one")


class TestFolders:
    def test_a_recipe_folder_means_its_newest_finished_run(self, capsys, tmp_path, label, weak):
        run(weak.parent / "2026-01-02_00-00-00", label, seeds(label, 0.8), recipe="weak")
        run(weak.parent / "2026-01-03_00-00-00", label, seeds(label, 0.8), recipe="weak", status="running")
        assert run_app(["compare", str(weak.parent)]) == 0
        assert f"{weak.parent}: 2026-01-02_00-00-00" in capsys.readouterr().out.replace("\n", "")

    def test_so_it_does_for_a_report(self, capsys, tmp_path, label, weak):
        newest = run(weak.parent / "2026-01-02_00-00-00", label, seeds(label, 0.8), recipe="weak")
        assert newest_run(weak.parent) == newest
        assert capsys.readouterr().err == f"{weak.parent}: 2026-01-02_00-00-00\n"
        assert newest_run(weak) == weak
        assert newest_run(tmp_path / "nowhere") == tmp_path / "nowhere"  # what opens it says that it is not there

    def test_a_folder_without_a_finished_run(self, capsys, weak):
        summary = json.loads((weak / "summary.json").read_text())
        (weak / "summary.json").write_text(json.dumps(summary | {"status": "running"}))
        assert "none of 1 run in" in refused(capsys, weak.parent)

    def test_a_baseline_that_is_not_among_the_runs_comes_first(self, weak, strong, tmp_path):
        out = tmp_path / "c.json"
        assert run_app(["compare", str(strong), "--baseline", str(weak), "--json", str(out)]) == 0
        found = json.loads(out.read_text())
        assert (found["baseline"], [entry["name"] for entry in found["runs"]]) == ("weak", ["weak", "strong"])

    def test_a_baseline_among_the_runs_stays_where_it_is(self, weak, strong, tmp_path):
        out = tmp_path / "c.json"
        assert run_app(["compare", str(weak), str(strong), "--baseline", str(strong), "--json", str(out)]) == 0
        found = json.loads(out.read_text())
        assert found["baseline"] == "strong"
        assert found["runs"][0]["difference"]["value"] < 0

    def test_everything_is_written(self, weak, strong, tmp_path):
        assert run_app(["compare", str(weak), str(strong), "--out", str(tmp_path / "out")]) == 0
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
            "comparison.csv",
            "comparison.json",
            "comparison.md",
            "comparison.tex",
        ]
