"""ercframe report: what is on the page, whatever state the run is in, and what it refuses."""

import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
import yaml
from reporting import RECIPE, train
from safetensors.torch import load_file, save_file

from ercframe.cli.app import run_app
from ercframe.comparison import compare, open_runs
from ercframe.report.write import read_page, write_figures


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "tiny" / "run")


class Page(HTMLParser):
    """Reads a page; its words, figures and attributes, and whether every element was closed in order."""

    EMPTY = ("meta", "link")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words, self.tags, self.attributes, self.open = [], [], [], []
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(filter(None, self.words))

    def all(self, name: str) -> list[str]:
        """The values of an attribute."""
        return [value for _, attribute, value in self.attributes if attribute == name]


def reported(run: Path, *arguments: str) -> Page:
    assert run_app(["report", str(run), *arguments]) == 0
    return Page((run / "report.html").read_text(encoding="utf-8"))


def refused(capsys, *arguments: object) -> str:
    assert run_app(["report", *map(str, arguments)]) == 2
    return capsys.readouterr().err


def edit(path: Path, change) -> None:
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


def edit_rows(path: Path, change) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        change(row)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def predictions(run: Path) -> list[Path]:
    return sorted(run.glob("seed-*/predictions.jsonl"))


SECTIONS = ["result", "curves", "emotions", "weights", "heads", "maps", "dialogues", "evaluation"]
PROVENANCE = ["recipe", "environment", "data"]


def sections(page: Page) -> list[str]:
    return [value for tag, name, value in page.attributes if tag == "section" and name == "id"]


def figures(page: Page) -> list[str]:
    return [value.removeprefix("figure-") for tag, name, value in page.attributes if tag == "figure" and name == "id"]


def test_a_finished_run_has_every_section_and_figure(run):
    page = reported(run)
    assert sections(page) == SECTIONS + PROVENANCE
    curves = ["curve-objective", "curve-dev", "curve-test"]
    maps = ["map-text", "map-audio", "map-joint"]
    shown = figures(page)
    assert shown[:10] == [*curves, "f1", "confusion", "weights", "heads", *maps]
    assert {name.rpartition("-")[0] for name in shown[10:]} == {"weights-dialogue"}
    assert page.tags.count("svg") == len(shown) == page.tags.count("desc")
    ids = page.all("id")
    assert len(ids) == len(set(ids))


def test_the_headline_is_the_summarys_with_an_interval_around_it(run):
    summary = json.loads((run / "summary.json").read_text())
    page = reported(run)
    found = summary["over_seeds"]["selected"]["test"]["weighted_f1"]
    assert f"{100 * found['mean']:.2f} ± {100 * found['std']:.2f}" in page.text
    low, high = map(float, re.search(r"95 % interval ([\d.]+) to ([\d.]+)", page.text).groups())
    assert low < 100 * found["mean"] < high
    oracle = summary["over_seeds"]["selected_on_test"]["test"]["weighted_f1"]["mean"]
    assert f"would have claimed {100 * oracle:.2f} weighted F1" in page.text
    assert "selected on dev" in page.text
    assert "on test (not used for selection)" in page.text


def test_under_protocol_paper_it_says_selected_on_test(tmp_path):
    page = reported(train(tmp_path, protocol={"name": "paper", "seeds": 1}))
    assert "selected on test" in page.text
    assert "on test (used for selection)" in page.text
    assert "higher than what the models reach" in page.text
    assert "There was no dev score after each epoch." in page.text
    assert "no dev" in page.text


def test_it_says_that_weights_are_averaged(run, tmp_path):
    said = "weights averaged over training (ema)"
    assert said not in reported(run).text
    averaged = RECIPE["trainer"] | {"average": {"name": "ema"}}
    assert said in reported(train(tmp_path, trainer=averaged)).text


def test_one_seed_without_gap_weights_and_heads_says_what_there_is_not(tmp_path):
    page = reported(
        train(
            tmp_path,
            fusion={"type": "concat"},
            losses={"task": {"type": "cross_entropy"}},
            protocol={"seeds": 1, "show_gap": False},
        )
    )
    assert sections(page) == SECTIONS + PROVENANCE
    assert "what choosing the epoch on test would have claimed is not known" in page.text
    assert "There was no test score after each epoch." in page.text
    assert "no weight for each modality" in page.text
    assert "No loss of this run has heads" in page.text
    assert "There is one seed" in page.text
    assert "±" not in page.text


def test_generated_data_are_labelled_at_every_section_with_scores_and_every_figure(run):
    text = reported(run).text
    with_scores = len(SECTIONS) - 1  # all but that there is no evaluation
    elsewhere = ["title", "badge", "corpus"]
    assert text.count("generated data") == len(elsewhere) + with_scores + len(figures(reported(run)))
    edit(run / "summary.json", lambda summary: summary["dataset"].update(generated=False))
    assert "generated" not in reported(run).text


def test_the_same_run_gives_the_same_bytes(run, tmp_path):
    reported(run)
    again = shutil.copytree(run, tmp_path / "elsewhere" / "run")
    reported(again)
    assert (run / "report.html").read_bytes() == (again / "report.html").read_bytes()


def test_nothing_is_fetched_and_only_its_own_script_runs(run):
    reported(run)
    page = (run / "report.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!#|data:,)""", page)
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page
    assert page.count("<script>") == 1
    assert len(page) < 2_000_000


EVIL = """</script></title><script>alert(1)</script><img src=x onerror=alert(2)> " ' & {{ 7*7 }} ]]>"""


def test_what_comes_from_a_corpus_cannot_become_a_part_of_the_page(run):
    def spoil(found):
        found["dataset"]["labels"][0] = EVIL
        found["dataset"]["name"] = found["recipe"] = EVIL

    first = json.loads((run / "summary.json").read_text())["dataset"]["labels"][0]

    def spoil_row(row):
        row.update(text=EVIL + "\x00\ud800", speaker=EVIL, dialogue=row["dialogue"] + EVIL)
        for key in ("label", "prediction"):
            row[key] = EVIL if row[key] == first else row[key]
        row["heads"] = {EVIL: row["prediction"]}

    edit(run / "summary.json", spoil)
    for path in predictions(run):
        edit_rows(path, spoil_row)
    (run / "recipe.yaml").write_text((run / "recipe.yaml").read_text() + f"\n# {EVIL}\n")
    page = reported(run)
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert page.text.count("{{ 7*7 }}") > 20  # shown as they are, and not as 49
    assert not re.search("[\x00-\x08]", (run / "report.html").read_text())


def test_a_run_that_has_not_begun_to_score_shows_its_curves(run):
    (run / "summary.json").unlink()
    shutil.rmtree(run / "seed-1")
    page = reported(run)
    assert sections(page) == ["result", "curves", *PROVENANCE]
    assert "running" in page.text
    assert "No seed was concluded" in page.text
    assert figures(page) == ["curve-objective", "curve-dev", "curve-test"]


@pytest.mark.parametrize("status", ["interrupted", "failed", "preempted"])
def test_an_unfinished_run_is_told_and_shows_what_there_is(run, status):
    def stop(summary):
        summary["status"] = status
        summary["seeds"].pop()

    edit(run / "summary.json", stop)
    page = reported(run)
    assert f"The run is not finished: {status}, with 1 finished seed" in page.text
    assert "Seeds without a dot were not concluded." in page.text
    assert sections(page) == SECTIONS + PROVENANCE


def test_a_failed_run_without_a_seed_has_no_scores(run):
    edit(run / "summary.json", lambda summary: summary.update(status="failed", seeds=[], over_seeds={}))
    for folder in run.glob("seed-*"):
        shutil.rmtree(folder)
    page = reported(run)
    assert "No epoch was finished." in page.text
    assert figures(page) == []


def test_one_class_alone_and_turns_with_the_same_representation(run):
    label = json.loads((run / "summary.json").read_text())["dataset"]["labels"][1]
    for path in predictions(run):
        edit_rows(path, lambda row: row.update(label=label, prediction=label, heads={"a": label}))
    for path in run.glob("seed-*/representations.safetensors"):
        tensors = load_file(path)
        save_file({k: torch.zeros_like(x) if "label" not in k else x.clamp(max=0) for k, x in tensors.items()}, path)
    page = reported(run)
    assert "Neither in the labels nor predicted:" in page.text
    assert "100.00 ± 0.00" in page.text


def test_texts_are_shown_where_the_corpus_has_them(run):
    assert "what was said" not in reported(run).text
    for path in predictions(run):
        edit_rows(path, lambda row: row.update(text=f"what was said in {row['utterance']}"))
    assert "what was said in test-0000-00" in reported(run, "--dialogue", "test-0000").text


def test_dialogues_can_be_asked_for(run, capsys):
    page = reported(run, "--dialogue", "test-0004")
    assert [name for name in figures(page) if "dialogue" in name] == ["weights-dialogue-4"]
    told = refused(capsys, run, "--dialogue", "tset-0004")
    assert "--dialogue must name test dialogues of the run (got 'tset-0004'; did you mean 'test-0004'?)" in told


def test_the_worst_dialogue_is_the_one_with_the_fewest_right_turns(run):
    turns = Counter(json.loads(line)["dialogue"] for line in predictions(run)[0].read_text().splitlines())
    (longest, _), *_ = [pair for pair in turns.most_common() if pair[0].startswith("test")]
    for path in predictions(run):
        edit_rows(path, lambda row: row.update(prediction=row["label"]))
        other = json.loads((run / "summary.json").read_text())["dataset"]["labels"]

        def miss(row, other=other):
            if row["dialogue"] == longest:
                row["prediction"] = next(label for label in other if label != row["label"])

        edit_rows(path, miss)
    text = reported(run).text
    assert re.search(rf"{longest} 1 of the worst: 0\.00 % of \d+ scored turns right", text)


def test_missing_and_damaged_files_are_named_all_at_once(run, capsys):
    (run / "seed-0" / "metrics.jsonl").unlink()
    (run / "seed-1" / "predictions.jsonl").write_text('{"split": "test"}\n')
    (run / "environment.json").write_text("{")
    told = refused(capsys, run)
    assert f"3 problems in {run}" in told
    assert "environment.json" in told
    assert "seed-0/metrics.jsonl      cannot be read: No such file or directory" in told
    assert "seed-1/predictions.jsonl  is damaged: must have dialogue, utterance, label" in told


def test_damaged_representations_are_named_and_missing_ones_are_told(run, capsys):
    for path in run.glob("seed-*/representations.safetensors"):
        path.write_bytes(b"no tensors")
    assert "representations.safetensors cannot be read" in refused(capsys, run)
    for path in run.glob("seed-*/representations.safetensors"):
        path.unlink()
    assert re.search(r"The run folder has no seed-\d/representations", reported(run).text)


def test_a_summary_of_another_form_is_no_crash(run, capsys):
    edit(run / "summary.json", lambda summary: summary.update(dataset={"labels": 3}))
    assert "do not have the form that a run writes" in refused(capsys, run)


def test_what_is_no_run_folder_is_refused(tmp_path, capsys):
    assert "must be a run folder" in refused(capsys, tmp_path)


def test_an_unknown_way_of_making_maps_is_refused(run, capsys):
    assert "--maps must be pca or tsne (got 'umap')" in refused(capsys, run, "--maps", "umap")


@pytest.mark.extra
def test_maps_by_tsne(run):
    page = reported(run, "--maps", "tsne")
    assert "sizes of groups and distances between them mean nothing" in page.text


def test_figures_are_written_as_svg_and_pdf_and_say_generated(run, tmp_path):
    page = reported(run, "--figures", str(tmp_path / "figures"))
    written = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert written == sorted(f"{name}.{kind}" for name in figures(page) for kind in ("svg", "pdf"))
    for path in (tmp_path / "figures").glob("*.svg"):
        assert ">generated data</text>" in path.read_text()
        assert "var(" not in path.read_text()
    before = {path: path.read_bytes() for path in (tmp_path / "figures").iterdir()}
    assert all(content.startswith((b"%PDF", b"<svg")) for content in before.values())
    reported(run, "--figures", str(tmp_path / "figures"))
    assert {path: path.read_bytes() for path in (tmp_path / "figures").iterdir()} == before


def test_no_name_in_a_run_leads_out_of_the_folder_of_figures(run, tmp_path):
    page = read_page([run])
    figure = replace(page.sections[1].figures[0], name="map-../../out")
    out = tmp_path / "a" / "b"
    written = write_figures(replace(page, sections=[replace(page.sections[1], figures=[figure])]), out)
    assert {path.resolve() for path in written} == set(out.iterdir()) == {out / "map--out.pdf", out / "map--out.svg"}


def test_where_the_epoch_was_chosen_on_test_every_figure_says_so(run, tmp_path):
    paper = train(tmp_path, "paper", protocol={"name": "paper", "seeds": 1})
    reported(paper, "--figures", str(tmp_path / "figures"))
    for path in (tmp_path / "figures").glob("*.svg"):
        assert ">selected on test, generated data</text>" in path.read_text()
    out = tmp_path / "page.html"
    assert run_app(["report", str(run), str(paper), "--out", str(out), "--figures", str(tmp_path / "both")]) == 0
    assert "paper (selected on test, generated data)" in (tmp_path / "both" / "scores.svg").read_text()


def test_several_runs_stand_side_by_side(run, tmp_path, monkeypatch):
    other = train(tmp_path, "other", fusion={"type": "concat"}, losses={"task": {"type": "cross_entropy"}})
    monkeypatch.chdir(tmp_path)
    assert run_app(["report", str(run), str(other)]) == 0
    page = Page((tmp_path / "comparison.html").read_text())
    assert sections(page) == ["scores", "tests", "emotions", "curves", "data", "recipes"]
    assert figures(page) == ["scores", "f1", "curve-0", "curve-1"]
    assert "Weighted F1 against tiny, by a paired bootstrap run difference 95 % interval p p, Holm" in page.text
    (found,) = compare(open_runs([run, other]))["runs"][1:]
    assert f"{100 * found['difference']['value']:+.2f}" in page.text
    assert "tiny (generated data)" in page.text
    assert "other (generated data)" in page.text
    assert "must not be compared" not in page.text


def test_runs_that_were_not_scored_on_the_same_turns_are_told(run, tmp_path):
    other = train(tmp_path, "other", dataset=RECIPE["dataset"] | {"test": 5}, protocol={"name": "paper", "seeds": 1})
    out = tmp_path / "page.html"
    assert run_app(["report", str(run), str(other), str(run), "--out", str(out)]) == 0
    text = Page(out.read_text()).text
    assert "their scores must not be compared" in text
    assert "Not tested: 1 of the runs cannot be compared with the baseline, tiny (run); other must be scored" in text
    assert "Not all epochs were chosen in the same way" in text
    assert "tiny (run)" in text


def test_runs_of_one_recipe_are_called_after_what_differs(run, tmp_path):
    other = shutil.copytree(run, tmp_path / "wider")
    path = other / "recipe.yaml"
    path.write_text(path.read_text().replace("width: 4", "width: 8"))
    out = tmp_path / "page.html"
    assert run_app(["report", str(run), str(other), "--out", str(out)]) == 0
    assert "tiny, encoder.width=8" in Page(out.read_text()).text


def test_choices_for_one_run_are_refused_for_several(run, capsys):
    assert "are for the report of one run" in refused(capsys, run, run, "--maps", "tsne")


def test_a_report_that_fails_does_not_fail_the_run(tmp_path, monkeypatch, capsys):
    def fail(path):
        raise ValueError("no ink\nat all")

    monkeypatch.setattr("ercframe.report.write.write_report", fail)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(RECIPE))
    assert run_app(["run", str(tmp_path / "tiny.yaml"), "--out", str(tmp_path / "runs")]) == 0
    told = capsys.readouterr().err
    assert told.count("warning: report.html could not be written: no ink. To try again: ercframe report") == 1


def test_a_run_that_is_only_looked_at_keeps_its_report(run):
    reported(run)
    assert run_app(["run", str(run), "--resume"]) == 0
    (run / "report.html").write_text("mine")
    assert run_app(["run", str(run), "--resume"]) == 0
    assert (run / "report.html").read_text() == "mine"
    edit(run / "summary.json", lambda summary: None)
    assert run_app(["run", str(run), "--resume"]) == 0
    assert (run / "report.html").read_text() != "mine"


def test_heads_that_say_what_the_model_says_agree_in_all_turns(run):
    for path in predictions(run):
        edit_rows(path, lambda row: row.update(heads={"echo": row["prediction"]}))
    assert re.search(
        r"head agrees with fused mean ± std .* echo 100\.00 ± 0\.00 100\.00 to 100\.00", reported(run).text
    )


def test_the_weights_of_an_emotion_are_the_mean_over_its_turns(run):
    for path in predictions(run):
        edit_rows(
            path, lambda row: row.update(weights={"modality": [0.9, 0.1] if row["label"] == "happy" else [0.5, 0.5]})
        )
    assert "happy 90.00 ± 0.00 10.00 ± 0.00" in reported(run).text
    assert "sad 50.00 ± 0.00 50.00 ± 0.00" in reported(run).text
