"""`ercframe check FILE` of a plugin that cannot be used: where, the cause, and what to do, for each fault."""

import pytest
from test_check_components import SOUND, write  # noqa: F401 - a fixture

from ercframe.cli.app import run_app

HINT = {
    "import": "Install that package into the environment of ercframe, or mend the name in the import.",
    "name": "Names that plugins may use are exported by `ercframe` and `ercframe.nn`.",
    "marked": "`from ercframe import hookimpl`, and decorate the function at the end.",
    "hook": "A plugin has one hook: `@hookimpl def ercframe_components(): return [MyFusion]`.",
    "return": "The hook returns classes, as in `return [MyFusion]`, not instances, names or None.",
    "described": 'Write `field: float = Field(1.0, description="What it does.")`: users read it.',
    "duplicate": "Set another `name`; recipes tell components apart by it.",
}
CONFIG = "from ercframe import ComponentConfig\n\nclass SumFusion(Fusion):"
FIELD = '    name = "sum"\n\n    class Config(ComponentConfig):\n        width: int = 3\n'


BROKEN = {
    "missing package": ("import nobody_has_this\n" + SOUND, ":1", "No module named 'nobody_has_this'", "import"),
    "missing name": (SOUND.replace("FusedSpec, ", "FuzedSpec, "), ":5", "cannot import name 'FuzedSpec'", "name"),
    "hook fails": (SOUND.replace("[SumFusion]", "[SumFuson]"), ":23", "NameError: name 'SumFuson' is not", None),
    "returns nothing": (SOUND.replace("return [SumFusion]", "return None"), "", "must return a list of", "return"),
    "returns names": (SOUND.replace("[SumFusion]", "['sum']"), "", "component classes (got 'sum')", "return"),
    "misspelt hook": (
        SOUND.replace("def ercframe_components", "def ercframe_component"),
        "",
        "unknown hook 'ercframe_component'; did you mean 'ercframe_components'?",
        "hook",
    ),
    "unmarked hook": (SOUND.replace("@hookimpl\n", ""), "", "no function is marked @hookimpl", "marked"),
    "unexplained setting": (
        SOUND.replace("class SumFusion(Fusion):", CONFIG).replace('    name = "sum"\n', FIELD),
        "",
        "SumFusion.Config.width must have a description",
        "described",
    ),
    "duplicate": (SOUND.replace('"sum"', '"gated"'), "", "fusion 'gated' is provided by mine.py and by", "duplicate"),
    "name": (SOUND.replace('"sum"', '"My Sum"'), "", "SumFusion.name must be lower case letters", None),
    "no docstring": (SOUND.replace("The sum of the modalities.", ""), "", "SumFusion must have a docstring", None),
}


@pytest.mark.parametrize(("text", "where", "cause", "hint"), BROKEN.values(), ids=BROKEN)
def test_each_fault_is_told_in_its_own_words(write, capsys, text, where, cause, hint):  # noqa: F811
    assert run_app(["check", write(text)]) == 2
    first, problem, *rest = capsys.readouterr().err.splitlines()
    assert first == "mine.py cannot be used as a plugin"
    assert problem.startswith(f"  mine.py{where}  ")
    assert cause in problem
    assert rest == (["", HINT[hint]] if hint else [])


def test_a_file_that_is_not_there_or_provides_nothing(write, capsys):  # noqa: F811
    assert run_app(["check", "nowhere.py"]) == 2
    assert capsys.readouterr().err == "plugin file not found: nowhere.py\n"
    assert run_app(["check", write(SOUND.replace("[SumFusion]", "[]"))]) == 2
    assert "mine.py must provide a component" in capsys.readouterr().err


def test_a_file_that_is_also_installed_is_no_duplicate_of_itself(root, capsys):
    assert run_app(["check", str(root / "plugins/ercframe_plugins/classifiers/linear.py")]) == 0
    assert capsys.readouterr().out.startswith("classifier/linear: ")
