"""The result table: labels, means and the gap, in 80 columns."""

import copy
import io

from rich.console import Console

from ercframe.report import result_table
from ercframe.report.table import Name, empty_table


def scores(f1: float) -> dict:
    return {"weighted_f1": f1, "accuracy": f1, "macro_f1": f1, "f1": [f1, 0.0], "confusion": [[1, 0], [0, 1]]}


def spread(mean: float, std: float | None) -> dict:
    return {name: {"mean": mean, "std": std} for name in ("weighted_f1", "accuracy", "macro_f1")}


SUMMARY = {
    "recipe": "mine",
    "status": "finished",
    "selection": "selected on dev",
    "protocol": {"monitor": "macro_f1"},
    "dataset": {
        "name": "corpus",
        "generated": False,
        "labels": ["calm", "angry"],
        "dialogues": {"train": 3, "dev": 1, "test": 2},
        "dev": "the corpus's own",
        "facts": {"bayes_accuracy": 0.9, "bayes_accuracy[text]": 0.5},
    },
    "seeds": [
        {
            "seed": seed,
            "selected": {"epoch": 3, "dev": scores(0.7), "test": scores(test)},
            "selected_on_test": {"epoch": 5, "dev": scores(0.6), "test": scores(0.66)},
            "last": {"epoch": 9, "dev": scores(0.6), "test": scores(0.6)},
        }
        for seed, test in ((0, 0.62), (1, 0.64))
    ],
    "over_seeds": {
        "selected": {"dev": spread(0.7, 0.0), "test": spread(0.63, 0.014142)},
        "selected_on_test": {"dev": spread(0.6, 0.0), "test": spread(0.66, 0.0)},
        "last": {"dev": spread(0.6, 0.0), "test": spread(0.6, 0.0)},
    },
}


def shown(summary: dict) -> str:
    page = io.StringIO()
    Console(file=page, width=80).print(result_table(summary))
    return page.getvalue()


def test_every_seed_mean_std_and_both_selections_with_the_gap():
    text = shown(SUMMARY)
    assert "mine on corpus: selected on dev" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["0", "3", "70.00", "62.00", "62.00", "62.00", "5", "66.00", "+4.00", "60.00"] in rows
    assert ["1", "3", "70.00", "64.00", "64.00", "64.00", "5", "66.00", "+2.00", "60.00"] in rows
    assert ["mean", "70.00", "63.00", "63.00", "63.00", "66.00", "+3.00", "60.00"] in rows
    assert ["±", "std", "0.00", "1.41", "1.41", "1.41", "0.00", "0.00"] in rows


def test_nothing_is_cut_at_80_columns():
    text = shown(SUMMARY)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_what_chose_the_epochs_is_said():
    assert "Epochs chosen by macro F1." in " ".join(shown(SUMMARY).split())


def test_generated_data_is_labelled():
    summary = copy.deepcopy(SUMMARY)
    assert "GENERATED DATA" not in shown(summary)
    summary["dataset"]["generated"] = True
    assert "GENERATED DATA" in shown(summary)


def test_an_interrupted_run_says_so():
    assert "(interrupted)" in shown(SUMMARY | {"status": "interrupted"})


def test_facts_of_the_corpus_are_shown_without_those_of_its_parts():
    assert "bayes accuracy 90.00" in shown(SUMMARY)
    assert "[text]" not in shown(SUMMARY)


def test_paper_protocol_says_no_dev_and_selected_on_test():
    summary = copy.deepcopy(SUMMARY)
    summary["selection"] = "selected on test"
    for way in ("selected", "selected_on_test", "last"):
        del summary["over_seeds"][way]["dev"]
        for seed in summary["seeds"]:
            seed[way].pop("dev")
    text = shown(summary)
    assert "selected on test" in text
    assert "no dev" in text


def test_a_single_seed_has_no_mean_and_a_run_without_gap_no_oracle():
    summary = copy.deepcopy(SUMMARY)
    summary["seeds"] = summary["seeds"][:1]
    summary["over_seeds"] = {"selected": SUMMARY["over_seeds"]["selected"]}
    for way in ("selected_on_test", "last"):
        del summary["seeds"][0][way]
    text = shown(summary)
    assert "mean " not in text.split("F1 of each")[0]
    assert "oracle" not in text


def test_dev_oracle_gap_and_last_show_the_score_that_chose_the_epochs():
    summary = copy.deepcopy(SUMMARY)
    summary["protocol"] = summary["protocol"] | {"monitor": "accuracy"}
    for seed in summary["seeds"]:
        seed["selected_on_test"]["test"]["accuracy"] = 0.9
    text = shown(summary)
    rows = [line.split() for line in text.splitlines()]
    assert ["0", "3", "70.00", "62.00", "62.00", "62.00", "5", "90.00", "+28.00", "60.00"] in rows
    assert ["seed", "epoch", "acc.", "wF1", "acc.", "mF1", "epoch", "acc.", "gap", "acc."] in rows


def test_a_title_that_is_wider_than_its_table_stays_in_one_line():
    assert "F1 of each class on test, selected on dev, mean over seeds\n" in shown(SUMMARY)


def test_a_name_ends_its_lines_after_an_underscore():
    table = empty_table()
    table.add_column("run")
    table.add_column("numbers", no_wrap=True)
    table.add_row(Name("late_fusion_iemocap"), "1" * 60)
    page = io.StringIO()
    Console(file=page, width=80).print(table)
    assert [line.split()[0] for line in page.getvalue().splitlines()[-3:-1]] == ["late_fusion_", "iemocap"]
