"""The reference lacks nothing that is installed."""

import html
import re
from pathlib import Path

import pytest
import typer.main

import ercframe
from ercframe import nn, testing
from ercframe.cli.app import app
from ercframe.plugins import Hooks, load
from ercframe.settings import ProtocolSettings, TrainerSettings
from ercframe.testing.catalogue import BY_KIND, EVERY_COMPONENT, SLOW_BY_KIND, explained

ROOT = Path(__file__).parents[2]
COMPONENTS = [e for e in load().entries() if e.origin.package.startswith("ercframe ")]
SETTINGS = {"trainer": TrainerSettings, "protocol": ProtocolSettings}


def text_of(page):
    """What a reader sees of a page without its navigation, what begins a row of a table, and what can be linked to."""
    source = page.read_text(encoding="utf-8")
    article = source[source.index("<article") : source.index("</article>")]
    rows = re.findall(r'<tr class="row-\w+"><td><p><code[^>]*><span class="pre">([^<]+)</span>', article)
    return html.unescape(re.sub(r"<[^>]+>", "", article)), set(rows), set(re.findall(r'id="([^"]+)"', article))


def fields(settings, prefix=""):
    """Dotted name of every field and of every field of nested settings."""
    for name, field in settings.model_fields.items():
        nested = field.annotation if hasattr(field.annotation, "model_fields") else None
        yield from fields(nested, f"{prefix}{name}.") if nested else [f"{prefix}{name}"]


def commands(command, path="ercframe"):
    """Every command with what one types for it."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, f"{path} {name}")


@pytest.mark.parametrize("entry", COMPONENTS, ids=lambda e: f"{e.component.kind}/{e.component.name}")
def test_every_component_has_a_page_with_summary_settings_and_origin(site, entry):
    component = entry.component
    text, settings, ids = text_of(site / "reference" / "generated" / component.kind / f"{component.name}.html")
    assert f"{component.__module__}.{component.__qualname__}" in ids
    assert f"type: {component.name}" in text
    assert str(entry.origin) in text
    assert [name for name in fields(component.Config) if name not in settings] == []
    overview, _, _ = text_of(site / "reference" / "generated" / component.kind / "index.html")
    assert component.name in overview


@pytest.mark.parametrize("key", SETTINGS)
def test_every_setting_of_trainer_and_protocol_is_there(site, key):
    _, settings, _ = text_of(site / "reference" / "generated" / "settings.html")
    assert [name for name in fields(SETTINGS[key]) if name not in settings] == []


def test_every_command_argument_and_option_is_there(site):
    text, _, _ = text_of(site / "reference" / "generated" / "commands.html")
    for path, command in commands(typer.main.get_command(app)):
        assert path in text
        options = [o for p in command.params if p.param_type_name == "option" for o in p.opts]
        hidden = {"--install-completion", "--show-completion"}
        assert [option for option in options if option not in text and option not in hidden] == [], path
        unexplained = [p.name for p in command.params if not p.help and f"--{p.name}" not in hidden]
        assert unexplained in ([], ["install_completion", "show_completion"]), path


def test_every_hook_is_there(site):
    _, _, ids = text_of(site / "reference" / "generated" / "api.html")
    hooks = [name for name in vars(Hooks) if not name.startswith("_")]
    assert hooks
    assert [hook for hook in hooks if f"ercframe.plugins.Hooks.{hook}" not in ids] == []


@pytest.mark.parametrize("module", [ercframe, nn, testing], ids=lambda module: module.__name__)
def test_every_public_name_is_there(site, module):
    _, _, ids = text_of(site / "reference" / "generated" / "api.html")
    documented = {name.rpartition(".")[2] for name in ids}
    assert set(module.__all__) - documented == {"__version__"} & set(module.__all__)


CHECKS = {check for checks in (EVERY_COMPONENT, *BY_KIND.values(), *SLOW_BY_KIND.values()) for check in checks}


@pytest.mark.parametrize("check", sorted(CHECKS, key=lambda check: check.__name__), ids=lambda check: check.__name__)
def test_every_check_of_the_contract_is_there_with_its_reason(site, check):
    text, rows, _ = text_of(site / "reference" / "generated" / "contract.html")
    assert check.__name__ in rows
    words, (asks, why) = re.sub(r"\W+", " ", text), explained(check)
    assert re.sub(r"\W+", " ", asks).strip() in words
    assert re.sub(r"\W+", " ", re.sub(r":\w+:`~?(\w+\.)*", "`", why)).strip() in words


def test_every_recipe_is_there(site):
    overview, _, _ = text_of(site / "reference" / "generated" / "recipes.html")
    for path in (ROOT / "recipes").rglob("*.yaml"):
        alone = site / "reference" / "generated" / "recipes" / f"{path.stem}.html"
        text = overview if path.parent != ROOT / "recipes" else text_of(alone)[0]
        assert path.stem in overview
        assert path.read_text(encoding="utf-8").splitlines()[-1].strip() in text


def test_a_plugin_that_cannot_be_loaded_stops_the_build(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    errors = pytest.importorskip("sphinx.errors")
    import ercframe_reference

    from ercframe.registry import Failure, Origin, Registry

    broken = Registry(failures=[Failure(Origin("mine"), "ImportError: no")])
    monkeypatch.setattr(ercframe_reference.plugins, "load", lambda: broken)
    with pytest.raises(errors.ExtensionError, match="mine: ImportError: no"):
        ercframe_reference._generate(None)
