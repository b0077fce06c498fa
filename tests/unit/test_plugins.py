"""The doors that plugins come through, and that a broken plugin hurts nobody but itself."""

import importlib.metadata
import sys
from types import SimpleNamespace

import pytest

from ercframe import InputError, hookimpl
from ercframe.plugins import from_plugins, load
from ercframe.registry import Origin

GOOD = '''
from ercframe import FusedSpec, Fusion, FusionOutput, hookimpl

class MeanFusion(Fusion):
    """The mean of the modalities."""

    name = "{name}"

    def __init__(self, config, dataset, streams):
        super().__init__()
        self.spec = FusedSpec(streams.width)

    def forward(self, streams, context):
        return FusionOutput(joint=sum(streams.values()) / len(streams))

@hookimpl
def ercframe_components():
    return [MeanFusion]
'''


MEAN = GOOD.format(name="mean")


@pytest.fixture
def plugin_file(tmp_path):
    """Write a loose plugin file; unload whatever was imported from it afterwards."""
    before = set(sys.modules)

    def write(text=MEAN, name="my_fusion.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    yield write
    for name in set(sys.modules) - before:
        if name.startswith("ercframe_file_"):
            del sys.modules[name]


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Pretend that packages with these entry points are installed."""

    def install(**targets):
        points = [importlib.metadata.EntryPoint(name, target, "ercframe") for name, target in targets.items()]
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points if group == "ercframe" else [])
        monkeypatch.syspath_prepend(tmp_path)

    return install


def only_failure(registry):
    (failure,) = registry.failures
    return failure


class TestLooseFile:
    def test_its_components_are_listed_with_the_file_they_came_from(self, plugin_file):
        path = plugin_file()
        registry = load([path], entry_points=False)
        origin = registry.entry("fusion", "mean").origin
        assert (origin.plugin, origin.package, origin.file) == (str(path), "", path)
        assert registry.failures == ()

    def test_the_same_file_given_twice_is_loaded_once(self, plugin_file, monkeypatch):
        path = plugin_file()
        monkeypatch.chdir(path.parent)
        registry = load([path, path.relative_to(path.parent)], entry_points=False)
        assert registry.failures == ()

    def test_two_files_of_one_name_do_not_replace_each_other(self, plugin_file):
        first = plugin_file(GOOD.format(name="mean_a"), "a/my_fusion.py")
        second = plugin_file(GOOD.format(name="mean_b"), "b/my_fusion.py")
        assert load([first, second], entry_points=False).names("fusion") == ("mean_a", "mean_b")

    def test_a_file_may_use_dataclasses_and_pydantic_with_postponed_annotations(self, plugin_file):
        knob = """
    class Config(ComponentConfig):
        depth: Annotated[int, Field(ge=1)] = Field(2, description="Layers.")
"""
        text = "from __future__ import annotations\nfrom typing import Annotated\nfrom pydantic import Field\n"
        text += MEAN.replace("import FusedSpec", "import ComponentConfig, FusedSpec")
        path = plugin_file(text.replace('    name = "mean"\n', f'    name = "mean"\n{knob}'))
        component = load([path], entry_points=False).get("fusion", "mean")
        assert component.Config(depth=3).depth == 3

    def test_files_that_are_missing_are_all_named(self, tmp_path):
        with pytest.raises(InputError, match=r"^plugin file not found: .*a\.py, .*b\.py$"):
            load([tmp_path / "a.py", tmp_path / "b.py"], entry_points=False)

    def test_another_kind_of_file_is_refused(self, plugin_file):
        failure = only_failure(load([plugin_file("x: 1", "plugin.yaml")], entry_points=False))
        assert failure.cause == "a plugin file must be a Python file ending in .py (got plugin.yaml)"

    def test_a_file_that_failed_is_not_left_half_imported(self, plugin_file):
        load([plugin_file("x = 1\nraise RuntimeError('no')")], entry_points=False)
        assert not [name for name in sys.modules if name.startswith("ercframe_file_my_fusion")]


class TestEntryPoint:
    def test_its_components_are_listed(self, plugin_file, installed):
        plugin_file(name="outside_fusion.py")
        installed(mean="outside_fusion")
        entry = load().entry("fusion", "mean")
        assert str(entry.origin) == "mean"
        assert entry.component.__module__ == "outside_fusion"

    def test_a_module_that_is_gone_is_reported_by_its_entry_point(self, installed):
        installed(lost="no_such_module_anywhere")
        failure = only_failure(load())
        assert str(failure.origin) == "lost"
        assert failure.cause == "ModuleNotFoundError: No module named 'no_such_module_anywhere'"

    def test_both_doors_meet_in_one_registry(self, plugin_file, installed):
        plugin_file(name="other_fusion.py")
        path = plugin_file(MEAN, "loose.py")
        installed(packaged="other_fusion")
        assert only_failure(load([path])).cause == (f"fusion 'mean' is provided by packaged and by {path}; rename one")


class TestFaultIsolation:
    @pytest.mark.parametrize(
        ("text", "cause"),
        [
            ("raise RuntimeError('boom')", "RuntimeError: boom"),
            ("import sys\nsys.exit(3)", "SystemExit: 3"),
            ("def broken(:\n    pass", "SyntaxError: "),
            ("import package_nobody_has", "ModuleNotFoundError: No module named 'package_nobody_has'"),
            ("from ercframe import hookimpl\n@hookimpl\ndef ercframe_components(): 1 / 0", "ZeroDivisionError: "),
            ("\x00", "SyntaxError: "),
        ],
        ids=["raises", "exits", "syntax", "missing import", "hook raises", "binary"],
    )
    def test_the_others_still_load(self, plugin_file, text, cause):
        good, bad = plugin_file(), plugin_file(text, "bad.py")
        registry = load([bad, good], entry_points=False)
        assert registry.names("fusion") == ("mean",)
        failure = only_failure(registry)
        assert failure.cause.startswith(cause)
        assert failure.origin.file == bad
        assert "Traceback" in failure.traceback

    def test_ctrl_c_during_an_import_is_not_swallowed(self, plugin_file):
        with pytest.raises(KeyboardInterrupt):
            load([plugin_file("raise KeyboardInterrupt")], entry_points=False)

    def test_one_bad_component_withholds_the_plugin_and_says_so(self, plugin_file):
        text = MEAN.replace("[MeanFusion]", "[MeanFusion, int]")
        failure = only_failure(load([plugin_file(text)], entry_points=False))
        assert failure.cause == "ercframe_components() must return component classes (got <class 'int'>)"
        assert failure.traceback == ""


class TestHook:
    def test_a_misspelt_hook_is_refused(self):
        plugin = SimpleNamespace(ercframe_component=hookimpl(lambda: [MEAN]))
        failure = only_failure(from_plugins([(Origin("mine"), lambda: plugin)]))
        assert failure.cause == "unknown hook 'ercframe_component'; did you mean 'ercframe_components'?"

    def test_a_hook_that_takes_arguments_is_refused(self):
        plugin = SimpleNamespace(ercframe_components=hookimpl(lambda registry: []))
        failure = only_failure(from_plugins([(Origin("mine"), lambda: plugin)]))
        assert "mine" in failure.cause
        assert "registry" in failure.cause

    def test_a_module_without_a_marked_function_says_what_to_write(self):
        def ercframe_components():
            return []

        plugin = SimpleNamespace(ercframe_components=ercframe_components)
        failure = only_failure(from_plugins([(Origin("mine"), lambda: plugin)]))
        assert failure.cause == (
            "no function is marked @hookimpl; write `@hookimpl def ercframe_components(): return [...]`"
        )

    @pytest.mark.parametrize("returned", [None, 42])
    def test_the_hook_must_return_a_list(self, registry_of, returned):
        assert only_failure(registry_of(mine=returned)).cause == (
            f"ercframe_components() must return a list of component classes (got {returned!r})"
        )

    def test_a_generator_will_do(self):
        plugin = SimpleNamespace(ercframe_components=hookimpl(lambda: iter(())))
        registry = from_plugins([(Origin("mine"), lambda: plugin)])
        assert registry.failures == ()


def test_every_bundled_plugin_loads():
    assert [f"{failure.origin}: {failure.cause}" for failure in load().failures] == []
