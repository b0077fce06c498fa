"""list, show and schema on the command line."""

import json
import re

import pytest
from rich.cells import cell_len
from test_loading import PLUGIN

from ercframe import plugins
from ercframe.cli.app import run_app
from ercframe.cli.docstring import filled
from ercframe.cli.formulas import readable
from ercframe.components import KINDS
from ercframe.recipes.fields import describe
from ercframe.recipes.files import installed_names

ENTRIES = plugins.load().entries()


@pytest.fixture
def out(capsys, monkeypatch):
    """Run a command and return what it printed on standard output, and on standard error."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments, code=0):
        assert run_app(list(arguments)) == code
        return capsys.readouterr()

    return run


@pytest.fixture
def plugin(folder):
    (folder / "sum_fusion.py").write_text(PLUGIN, encoding="utf-8")
    return "sum_fusion.py"


def _reads_well(text):
    assert "\x1b" not in text
    assert not re.search(r"\.\. math::|:math:|\\(?:frac|sum|operatorname|begin)", text)
    for line in text.splitlines():
        assert cell_len(line.rstrip()) <= 80 or " from ercframe " in line, line


def test_list_shows_every_component_and_recipe(out):
    text = out("list").out
    _reads_well(text)
    words = text.split()
    for name in (*(entry.component.name for entry in ENTRIES), *installed_names(), *KINDS):
        assert name in words


def test_list_of_one_kind_shows_that_only(out):
    text = out("list", "fusion").out
    assert "gated" in text.split()
    assert "bilstm" not in text


def test_lists_use_the_width_there_is(out):
    lines = out("list", "fusion").out.splitlines()
    assert max(cell_len(line.rstrip()) for line in lines) > 75
    assert sum("modalities" in line for line in lines) >= 3  # most summaries stand on one line or two


def test_list_of_an_unknown_kind(out):
    error = out("list", "fusio", code=2).err
    assert error == f"unknown kind 'fusio'; did you mean 'fusion'?\n\nKinds: {', '.join(KINDS)}, recipe\n"


def test_list_goes_on_when_a_plugin_fails(out, folder):
    (folder / "broken.py").write_text("import nowhere\n")
    quiet = out("list", "fusion", "--plugin", "broken.py")
    assert "gated" in quiet.out
    cause = f"Plugin {folder / 'broken.py'} cannot be used: ModuleNotFoundError: No module named 'nowhere'\n"
    assert quiet.err == cause + "--verbose shows tracebacks.\n"
    verbose = out("list", "fusion", "--plugin", "broken.py", "--verbose").err
    assert verbose.startswith(cause + "Traceback (most recent call last):\n")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.component.kind}/{entry.component.name}")
def test_show_explains_every_setting_of_every_component(out, entry):
    component = entry.component
    text = out("show", f"{component.kind}/{component.name}").out
    _reads_well(text)
    assert text.startswith(f"{component.kind} '{component.name}' from ercframe ")
    table = text[text.rfind("──") :]
    for field in describe(component.Config):
        assert field.meaning, f"{field.name} must be described"
        assert re.search(rf"^ {re.escape(field.name)} ", table, re.MULTILINE)
    if component.kind not in ("importer", "extractor", "yardstick"):
        assert f"type: {component.name}" in text


def test_show_says_what_a_setting_accepts_and_its_default(out):
    line = next(line for line in out("show", "fusion/gated").out.splitlines() if line.startswith(" temperature"))
    assert line.split()[:5] == ["temperature", "number", ">", "0", "1.0"]


def test_show_of_an_unknown_component(out):
    error = out("show", "fusion/gatd", code=2).err
    assert error.startswith("unknown fusion 'gatd'; did you mean 'gated'? Installed: ")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("gated", "must be KIND/NAME or a recipe (got 'gated'); did you mean 'fusion/gated'?"),
        ("fusion", "must be KIND/NAME or a recipe (got 'fusion'); `ercframe list fusion` has the names"),
        ("fusionn/gated", "unknown kind 'fusionn'; did you mean 'fusion'?"),
        ("sdt_iemocp", "there is no recipe 'sdt_iemocp'; did you mean 'sdt_iemocap'?"),
        ("trainer.epochs=3", "a recipe must come before its changes: RECIPE trainer.epochs=3 (got no recipe)"),
        ("mine/sdt_iemocap.yaml", "there is no recipe 'mine/sdt_iemocap.yaml'; did you mean 'sdt_iemocap'?"),
    ],
)
def test_show_of_half_a_name(out, folder, what, message):
    assert out("show", what, code=2).err.splitlines()[0] == message


def test_show_and_list_of_a_loose_plugin(out, plugin, folder):
    assert "Add the modalities up." in out("list", "fusion", "--plugin", plugin).out
    text = out("show", "fusion/sum", "--plugin", plugin).out
    assert text.startswith(f"fusion 'sum' from {folder / plugin}\n\nAdd the modalities up.\n")
    assert text.endswith("In a recipe:\n\nfusion: {type: sum, scale: 1.0}\n")


def test_show_prints_a_recipe_that_can_be_loaded_and_notices_apart_from_it(out, folder):
    shown = out("show", "sdt_iemocap", "encoder.width=256")
    assert "using the recipe installed with ercframe" in shown.err
    (folder / "again.yaml").write_text(shown.out)
    assert out("show", "again.yaml").out == shown.out
    assert "width: 256" in shown.out


def test_show_of_a_demo(out, folder):
    assert "type: synthetic" in out("show", "sdt_iemocap", "--demo").out


def test_schema_is_json(out, plugin):
    schema = json.loads(out("schema", "--plugin", plugin).out)
    assert "sum" in schema["$defs"]["fusion"]["properties"]["type"]["enum"]


# what show says in words


def test_words_for_types_and_bounds():
    from ercframe.settings import ProtocolSettings, TrainerSettings

    fields = {field.name: field for model in (TrainerSettings, ProtocolSettings) for field in describe(model)}
    assert fields["epochs"].accepts == "integer ≥ 1"
    assert fields["clip_norm"].accepts == "number > 0 or null"
    assert fields["optimizer.name"].accepts == "adam or adamw or sgd"
    assert fields["optimizer.lr"].default == "0.0001"
    assert fields["seeds"].accepts.startswith("integer ≥ 1 or list of integer ≥ 0")
    assert fields["dev_fraction"].accepts == "number > 0, < 1"
    assert fields["show_gap"].accepts == "true or false"


def test_docstrings_become_plain_text():
    docstring = (
        "A summary with ``code`` and :class:`~a.B`.\n\n"
        ".. math:: x = 1, \\qquad   y\n\n"
        "Args:\n    first: what it is\n        and more.\n    second: too.\n\n"
        "References:\n    Somebody (2020),\n    something."
    )
    assert filled(docstring, 80) == (
        "A summary with code and a.B.\n\n"
        "    x = 1\n    y\n\n"
        "Args:\n    first: what it is and more.\n    second: too.\n\n"
        "References:\n    Somebody (2020), something."
    )


def test_tables_of_docstrings_fit():
    text = filled(f"===  ====\na    b\n===  ====\nx    {' '.join(['word'] * 20)}\n===  ====", 40)
    assert text.splitlines()[:3] == ["=  " + "=" * 37, "a  b", "=  " + "=" * 37]
    assert all(len(line) <= 40 for line in text.splitlines())
    assert text.count("word") == 20


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (r"h = \sum_m \alpha_{m} \odot x_{m \leftarrow n}", "h = Σ_m α_m ⊙ x_(m ← n)"),
        (r"L = -\frac{\sum_n w_{y_n} \log p_n}{S}", "L = -(Σ_n w_(y_n) log p_n) / S"),
        (r"\frac1S \sum_s f_s", "(1 / S) Σ_s f_s"),
        (r"a &= \operatorname{GRU}(b,\; c) \\ d &= \sqrt{e}", "a = GRU(b, c)\nd = √(e)"),
        (r"x = 1, \qquad y = \left[ \text{two words} \right]", "x = 1\ny = [two words]"),
        (r"\begin{bmatrix} 1 \\ z \end{bmatrix}", "[1; z]"),
    ],
)
def test_formulae_are_readable(formula, text):
    assert readable(formula) == text
