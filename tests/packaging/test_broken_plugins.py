"""Installed packages that are broken in every way take nothing down, and each is told apart from the others."""

import pytest
from distributions import FUSION, doctor, ercframe, install

GOOD = FUSION.format(name="good")
BROKEN = {
    "lost_import": ("import package_nobody_has", "ModuleNotFoundError: No module named 'package_nobody_has'"),
    "bad_syntax": ("def broken(:", "SyntaxError: invalid syntax"),
    "leaves": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "odd_exception": ("class Stop(BaseException): pass\nraise Stop('no')", "Stop: no"),
    "wrong_return": (
        "from ercframe import hookimpl\n@hookimpl\ndef ercframe_components(): return 42",
        "ercframe_components() must return a list of component classes (got 42)",
    ),
    "wrong_class": (
        "from ercframe import hookimpl\n@hookimpl\ndef ercframe_components(): return [int]",
        "ercframe_components() must return component classes (got <class 'int'>)",
    ),
    "misspelt": (
        GOOD.replace("def ercframe_components", "def ercframe_component"),
        "unknown hook 'ercframe_component'; did you mean 'ercframe_components'?",
    ),
    "unmarked": (GOOD.replace("@hookimpl", ""), "no function is marked @hookimpl; write `@hookimpl def"),
    "undescribed": (
        FUSION.format(name="undescribed").replace('Field(1.0, description="Nothing.")', "1.0"),
        "Mean.Config.power must have a description",
    ),
    "silent": (FUSION.format(name="silent").replace('"""The mean of all streams."""', ""), "must have a docstring"),
    "nameless": (GOOD.replace('name = "good"', ""), "Mean.name must be lower case letters, digits and underscores"),
    "abstract": (GOOD.replace("def forward", "def fuse"), "Mean must implement forward"),
}
TWICE = "fusion 'twice' is provided by first_owner 1.0 (first_owner) and by second_owner 1.0 (second_owner); rename one"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder of installed packages: one that works, all that are broken, and two that claim one name."""
    folder = tmp_path_factory.mktemp("site")
    install(folder, "works", GOOD)
    for module, (text, _) in BROKEN.items():
        install(folder, module, text)
    for module in ("first_owner", "second_owner"):
        install(folder, module, FUSION.format(name="twice"))
    install(folder, "gone", "import package_nobody_has", point="fusion-my_gone")
    return folder


@pytest.fixture(scope="module")
def listed(site):
    return ercframe(site, "list", "fusion")


@pytest.fixture(scope="module")
def diagnosis(site):
    return doctor(site)


def test_whatever_works_is_listed(listed):
    names = [line.split()[0] for line in listed.splitlines() if line.strip()]
    assert {"gated", "hierarchical_gated", "good"} <= set(names)
    assert not {"twice", "undescribed", "silent"} & set(names)


@pytest.mark.parametrize("module", BROKEN)
def test_list_says_in_a_line_what_is_wrong(listed, module):
    (line,) = [line for line in listed.splitlines() if line.startswith(f"Plugin {module} 1.0 ({module})")]
    assert line.startswith(f"Plugin {module} 1.0 ({module}) cannot be used: ")
    assert BROKEN[module][1] in line


def test_list_names_both_owners_of_a_name(listed):
    assert f"cannot be used: {TWICE}" in listed


@pytest.mark.parametrize("module", BROKEN)
def test_doctor_has_the_cause_and_the_traceback(diagnosis, module):
    (plugin,) = [plugin for plugin in diagnosis["plugins"] if plugin["package"] == f"{module} 1.0"]
    assert BROKEN[module][1] in plugin["cause"]
    raised = module in ("lost_import", "bad_syntax", "leaves", "odd_exception")
    assert plugin["traceback"].startswith("Traceback") == raised
    (problem,) = [p for p in diagnosis["problems"] if f"plugin {module} 1.0 " in p["message"]]
    assert problem["level"] == "error"
    assert problem["todo"]
    assert ("Error" in problem["details"] or "Exit" in problem["details"] or "Stop" in problem["details"]) == raised


def test_doctor_names_both_owners_and_what_loaded(diagnosis):
    assert TWICE in [problem["message"] for problem in diagnosis["problems"]]
    (works,) = [plugin for plugin in diagnosis["plugins"] if plugin["package"] == "works 1.0"]
    assert works["components"] == ["fusion/good"]
    assert "cause" not in works


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        (
            "undescribed",
            "fusion 'undescribed' comes from a plugin that failed to load: undescribed 1.0 (undescribed): "
            "Mean.Config.power must have a description",
        ),
        ("twice", TWICE),
        (
            "my_gone",
            "fusion 'my_gone' comes from a plugin that failed to load: gone 1.0 (fusion-my_gone): "
            "ModuleNotFoundError: No module named 'package_nobody_has'",
        ),
    ],
)
def test_a_recipe_that_needs_one_is_refused_with_its_cause_alone(site, name, cause):
    refused = ercframe(site, "show", "sdt_iemocap", f"fusion.type={name}", expect=2)
    assert cause in refused
    assert "wrong_return" not in refused


def test_a_distribution_without_metadata_takes_nothing_down(tmp_path):
    """As an interrupted `pip uninstall` leaves it."""
    install(tmp_path, "works", GOOD)
    (tmp_path / "works-1.0.dist-info" / "METADATA").unlink()
    shown = ercframe(tmp_path, "list", "fusion")
    assert "gated" in shown
    (line,) = [line for line in shown.splitlines() if line.split()[:1] == ["good"]]
    assert "works 1.0" in line
