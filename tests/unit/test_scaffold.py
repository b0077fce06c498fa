"""New components are made whole or not at all, under names that work, from templates that run no code."""

import os
import re
import shlex

import pytest
import yaml

from ercframe import InputError, Registry
from ercframe.components import KINDS
from ercframe.plugins import load
from ercframe.scaffold import kinds, make
from ercframe.scaffold.names import class_name
from ercframe.scaffold.sections import templates

NOTHING = Registry()


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class TestTemplates:
    def test_every_kind_has_one(self):
        assert set(kinds()) == set(KINDS)

    @pytest.mark.parametrize("kind", KINDS)
    def test_it_has_a_component_its_test_and_a_command(self, kind, tmp_path):
        made = make(kind, "mine", NOTHING, into=tmp_path)
        module, test = (path.read_text("utf-8") for path in made.paths)
        assert f"class {class_name(kind, 'mine')}({KINDS[kind].__name__}):" in module
        assert 'name = "mine"' in module
        assert "contract_checks(" in test
        assert test.count("\ndef test_") >= 1
        assert any(f"--plugin {shlex.quote(str(made.paths[0]))}" in command for command in made.commands[2:])

    def test_copying_them_runs_nothing(self):
        settings = yaml.safe_load((templates() / "copier.yml").read_text("utf-8"))
        assert not {"_tasks", "_migrations", "_jinja_extensions", "_external_data"} & set(settings)

    @pytest.mark.parametrize("package", [False, True])
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_place_is_filled_in(self, kind, package, tmp_path):
        make(kind, "mine", NOTHING, into=tmp_path, package=package)
        for path in (path for path in tmp_path.rglob("*") if path.is_file()):
            assert not re.search(r"\{\{|\{%|jinja", f"{path.relative_to(tmp_path)}\n{path.read_text('utf-8')}"), path

    def test_git_is_not_needed(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path / "nothing in here"))
        make("fusion", "mine", NOTHING, into=tmp_path)
        assert files_in(tmp_path) == ["mine.py", "test_mine.py"]


class TestPackage:
    @pytest.mark.parametrize("kind", KINDS)
    def test_it_has_all_that_a_distribution_needs(self, kind, tmp_path):
        made = make(kind, "my_part", NOTHING, into=tmp_path, package=True)
        assert made.paths == (tmp_path / "my_part",)
        assert files_in(tmp_path / "my_part") == [
            ".github/workflows/ci.yml",
            ".gitignore",
            "LICENSE",
            "README.md",
            "docs/conf.py",
            "docs/index.md",
            "pyproject.toml",
            "recipes/my_part.yaml",
            "src/ercframe_my_part/__init__.py",
            "src/ercframe_my_part/my_part.py",
            "src/ercframe_my_part/py.typed",
            "tests/test_my_part.py",
            "tests/test_recipe.py",
        ]
        assert made.commands[0] == f"cd {shlex.quote(str(tmp_path / 'my_part'))}"

    def test_a_folder_that_is_there_is_left_alone(self, tmp_path):
        (tmp_path / "mine").mkdir()
        with pytest.raises(InputError, match=r"mine must not be there yet; choose another name, or another folder"):
            make("fusion", "mine", NOTHING, into=tmp_path, package=True)
        assert files_in(tmp_path) == []

    def test_it_may_have_the_name_of_a_module(self, tmp_path):
        make("fusion", "random", NOTHING, into=tmp_path, package=True)
        assert (tmp_path / "random" / "src" / "ercframe_random" / "random.py").is_file()


class TestNames:
    @pytest.mark.parametrize(
        ("name", "rule"),
        [
            ("My-Gate", "must be lower case letters, digits and single underscores between them, a letter first"),
            ("2gate", "a letter first (got '2gate')"),
            ("my__gate", "single underscores between them"),
            ("gate_", "single underscores between them"),
            ("ä", "must be lower case letters"),
            ("", "must be lower case letters"),
            ("../gate", "must be lower case letters"),
            ("class", "must not be a word of Python's own (got 'class')"),
            ("random", "must not be the name of an importable module, which random.py would hide"),
            ("torch", "must not be the name of an importable module"),
            ("a" * 25, "must be at most 24 characters (got 25)"),
            ("gated", "must not be taken: there is a fusion 'gated' in ercframe 0.1.0 (fusion-gated)"),
        ],
    )
    def test_one_that_cannot_be_used_is_refused_with_the_rule(self, tmp_path, name, rule):
        with pytest.raises(InputError) as refused:
            make("fusion", name, load(), into=tmp_path)
        assert str(refused.value).startswith(f"'{name}' cannot be the name of a new fusion\n  NAME  must ")
        assert rule in str(refused.value)
        assert files_in(tmp_path) == []

    def test_all_rules_are_told_at_once(self, tmp_path):
        with pytest.raises(InputError) as refused:
            make("fusion", "G" * 40, NOTHING, into=tmp_path)
        assert len(refused.value.problems) == 2

    def test_a_name_of_another_kind_is_free(self, tmp_path):
        make("loss", "gated", load(), into=tmp_path)

    def test_an_unknown_kind_is_refused_with_the_nearest(self, tmp_path):
        with pytest.raises(InputError, match=r"unknown kind 'fuson'; did you mean 'fusion'\?"):
            make("fuson", "mine", NOTHING, into=tmp_path)

    @pytest.mark.parametrize(
        ("kind", "name", "expected"),
        [
            ("fusion", "my_gate", "MyGateFusion"),
            ("fusion", "late_fusion", "LateFusion"),
            ("fusion", "fusion", "FusionFusion"),
            ("encoder", "b2_x", "B2XEncoder"),
        ],
    )
    def test_the_class_is_named_for_both(self, kind, name, expected):
        assert class_name(kind, name) == expected


class TestNothingIsLost:
    @pytest.mark.parametrize("there", ["mine.py", "test_mine.py"])
    def test_a_file_that_is_there_stays_and_no_other_is_made(self, tmp_path, there):
        (tmp_path / there).write_text("precious")
        with pytest.raises(InputError) as refused:
            make("fusion", "mine", NOTHING, into=tmp_path)
        assert str(refused.value) == f"nothing was made in {tmp_path}\n  {tmp_path / there}  must not be there yet"
        assert (tmp_path / there).read_text() == "precious"
        assert files_in(tmp_path) == [there]

    def test_a_file_that_appears_meanwhile_stays_and_no_other_is_left(self, tmp_path, monkeypatch):
        link = os.link

        def late(source, target):
            if target.name == "test_mine.py":
                target.write_text("precious")
            link(source, target)

        monkeypatch.setattr(os, "link", late)
        with pytest.raises(InputError, match="cannot be written: File exists"):
            make("fusion", "mine", NOTHING, into=tmp_path)
        assert files_in(tmp_path) == ["test_mine.py"]
        assert (tmp_path / "test_mine.py").read_text() == "precious"

    def test_ctrl_c_between_the_files_leaves_nothing(self, tmp_path, monkeypatch):
        link = os.link

        def interrupted(source, target):
            if target.name == "test_mine.py":
                raise KeyboardInterrupt
            link(source, target)

        monkeypatch.setattr(os, "link", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make("fusion", "mine", NOTHING, into=tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_a_file_system_without_links_will_do(self, tmp_path, monkeypatch):
        def unsupported(source, target):
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr(os, "link", unsupported)
        make("fusion", "mine", NOTHING, into=tmp_path)
        assert "class MineFusion" in (tmp_path / "mine.py").read_text("utf-8")

    @pytest.mark.parametrize("package", [False, True])
    def test_nothing_is_left_of_what_failed(self, tmp_path, monkeypatch, package):
        import copier

        def full(source, folder, **_):
            (folder / "half.py").write_text("half")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(copier, "run_copy", full)
        with pytest.raises(InputError, match="cannot be written: No space left on device"):
            make("fusion", "mine", NOTHING, into=tmp_path, package=package)
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_is_not_there_is_made(self, tmp_path):
        make("fusion", "mine", NOTHING, into=tmp_path / "a" / "b")
        assert files_in(tmp_path) == ["a/b/mine.py", "a/b/test_mine.py"]

    @pytest.mark.parametrize("package", [False, True])
    def test_a_file_in_the_place_of_the_folder_is_told(self, tmp_path, package):
        (tmp_path / "taken").write_text("")
        with pytest.raises(InputError, match=r"taken.* cannot be written: "):
            make("fusion", "mine", NOTHING, into=tmp_path / "taken", package=package)
