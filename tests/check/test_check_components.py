"""`ercframe check FILE | KIND/NAME`: what it prints and writes, and its exit codes."""

import json
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from ercframe.cli.app import run_app
from ercframe.testing import CONTRACT_VERSION
from ercframe.testing.badge import badge
from ercframe.testing.catalogue import BY_KIND, EVERY_COMPONENT

SUM = '''
"""Sum fusion."""
import torch
from torch import nn
from ercframe import FusedSpec, Fusion, FusionOutput, hookimpl

class SumFusion(Fusion):
    """The sum of the modalities."""

    name = "sum"

    def __init__(self, config, dataset, streams):
        super().__init__()
        self.linear = nn.Linear(streams.width, streams.width)
        self.spec = FusedSpec(streams.width)

    def forward(self, streams, context):
        x_ND = self.linear(sum(streams.values()))
        return FusionOutput({joint})

@hookimpl
def ercframe_components():
    return [SumFusion]
'''
SOUND, CENTRED = SUM.replace("{joint}", "x_ND"), SUM.replace("{joint}", "x_ND - x_ND.mean(0)")
FAILS = {"dialogues_are_independent", "dialogue_alone_gives_the_same", "future_is_as_declared"}
CHECKS = len(EVERY_COMPONENT) + len(BY_KIND["fusion"])


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a plugin file in the current directory; unload what was imported from it afterwards."""
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)

    def file(text, name="mine.py"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    yield file
    for name in set(sys.modules) - before:
        if name.startswith("ercframe_file_"):
            del sys.modules[name]


def test_a_sound_component_passes_and_what_was_left_out_is_told(write, capsys):
    assert run_app(["check", write(SOUND)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"fusion/sum: {CHECKS - 1} passed, 0 failed, 1 skipped",
        "  skipped weights_are_distributions: it reports no weights",
        "  not tried in 1 of 7 scenes, which it refuses:",
        "    own streams of different widths: needs streams of one width; the encoder",
        "      provides text (6), audio (4), visual (5)",
        f"contract {CONTRACT_VERSION}: {CHECKS - 1} checks run, {CHECKS - 1} passed, 0 failed, 1 skipped",
    ]


def test_a_fault_is_told_with_its_reason_and_the_smallest_input(write, capsys):
    assert run_app(["check", write(CENTRED)]) == 1
    out = capsys.readouterr().out
    told = " ".join(out[out.index("  FAILED  future_is_as_declared") :].split())
    assert told.startswith(
        "FAILED future_is_as_declared, in the scene 'own streams of 3 modalities' got sees_future must"
    )
    for part in (
        "got sees_future must be True where a last utterance changes others",
        "why Live prediction trusts it: the later utterances have not been spoken.",
        "shown by 1 dialogue of 2 utterances; text (1 feature); behind the streams text (1) "
        "example_batch(example_dataset({'text': 1}), (2,), holes=False, unscored=False)",
    ):
        assert part in told


def test_one_mistake_that_fails_many_checks_is_told_once(write, capsys):
    assert run_app(["check", write(SUM.replace("{joint}", "self.lniear(x_ND)"))]) == 1
    out = capsys.readouterr().out
    assert out.count("AttributeError: 'SumFusion' object has no attribute 'lniear'") == 1
    assert out.count("  FAILED  ") == 1
    failed = int(out.splitlines()[-1].split(" failed")[0].split()[-1])
    assert failed > 10
    told = " ".join(out[out.index("          also ") :].split())
    assert told.startswith(f"also the same fails {failed - 1} more: results_repeat, gaps_are_not_read, ")


def test_it_is_told_as_json_too(write, tmp_path):
    assert run_app(["check", write(CENTRED), "--json", "found.json"]) == 1
    found = json.loads((tmp_path / "found.json").read_text())
    assert list(found) == ["format", "contract", "ercframe", "target", "passed", "counts", "components"]
    assert (found["format"], found["contract"], found["target"]) == (1, CONTRACT_VERSION, "mine.py")
    counts = found["counts"]
    assert (found["passed"], counts["failed"], sum(counts.values()) - counts["run"]) == (False, 3, CHECKS)
    (component,) = found["components"]
    assert list(component) == ["kind", "name", "settings", "scenes", "refused", "checks"]
    keys = ["check", "asks", "why", "status", "message", "scene", "smallest", "seconds"]
    assert all(list(check) == keys for check in component["checks"])
    failed = {check["check"]: check["smallest"] for check in component["checks"] if check["status"] == "failed"}
    assert set(failed) == FAILS
    assert failed["future_is_as_declared"]["dialogues"] == [2]


def test_known_exceptions_are_counted_and_need_a_reason(write, capsys):
    path = write(CENTRED)
    assert run_app(["check", path, *(f"--except={name}=to be mended" for name in FAILS)]) == 0
    out = capsys.readouterr().out
    assert "  known   future_is_as_declared: known to fail: to be mended" in out
    assert f"{CHECKS - 5} passed, 0 failed, 3 known exceptions" in out.splitlines()[-1]
    assert run_app(["check", path, "--except", "future_is_as_declard=x", "--except", "results_repeat="]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "the known exceptions cannot be used",
        "  --except  future_is_as_declard  must be the name of a check; did you mean 'future_is_as_declared'?",
        "  --except  results_repeat        must give a reason: NAME=REASON",
    ]


def test_a_component_declares_its_own_exceptions(write, capsys):
    reasons = "".join(f'"{name}": "on purpose", ' for name in FAILS)
    text = CENTRED.replace('    name = "sum"\n', f'    name = "sum"\n    known_exceptions = {{{reasons}}}\n')
    assert run_app(["check", write(text)]) == 0
    assert "3 known exceptions" in capsys.readouterr().out
    assert run_app(["check", write(text.replace("on purpose", " "), "other.py")]) == 2
    assert "known_exceptions: exceptions must give a reason" in capsys.readouterr().err


def test_settings_take_the_place_of_the_examples(capsys):
    assert run_app(["check", "classifier/mlp", "hidden=[3]"]) == 0
    assert capsys.readouterr().out.startswith("classifier/mlp hidden=[3]: ")
    assert run_app(["check", "classifier/mlp", "hiden=[3]"]) == 2
    assert "unknown key; did you mean 'hidden'?" in capsys.readouterr().err


def test_settings_of_a_file_with_several_components_are_refused(write, capsys):
    text = SOUND.replace("[SumFusion]", '[SumFusion, type("Other", (SumFusion,), {"__doc__": "O.", "name": "o"})]')
    assert run_app(["check", write(text), "width=3"]) == 2
    assert capsys.readouterr().err == (
        "settings must be of one component (mine.py provides fusion/o, fusion/sum); give KIND/NAME --plugin mine.py\n"
    )


@pytest.mark.parametrize(
    ("what", "told"),
    [("fusion/gatd", "did you mean 'gated'?"), ("fusoin/gated", "unknown kind 'fusoin'"), ("gated", "fusion/gated")],
)
def test_a_misspelt_name_is_answered_with_the_nearest(what, told, capsys):
    assert run_app(["check", what]) == 2
    assert told in capsys.readouterr().err


def test_the_badge_is_written_for_eyes_and_for_screen_readers(write, tmp_path):
    assert run_app(["check", write(CENTRED), "--badge", "contract.svg"]) == 1
    root = ElementTree.fromstring((tmp_path / "contract.svg").read_text())
    assert root.attrib["aria-label"] == "ercframe contract: 3 failed"
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "ercframe contract: 3 failed"
    assert "ercframe contract: 38 passed" in badge(38, 0)
