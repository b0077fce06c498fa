"""The public names and signatures are those that were agreed on."""

import difflib

import public_api
import pytest

import ercframe


def test_nothing_public_changes_unnoticed():
    agreed, found = public_api.FILE.read_text("utf-8").splitlines(), public_api.text().splitlines()
    difference = difflib.unified_diff(agreed, found, lineterm="", n=0)
    changes = [line for line in difference if line[:2] not in ("--", "++", "@@")]
    assert not changes, (
        "the public API has changed:\n" + "\n".join(changes) + "\nIf docs/stability.md allows it, add a line to the "
        "changelog and renew the list: python tests/packaging/public_api.py"
    )


def test_every_public_name_is_in_it():
    lines = public_api.text().splitlines()
    for name in set(ercframe.__all__) - {"__version__"}:
        assert any(line.startswith((f"class {name}", f"{name}(", f"{name} =", f"{name}: ")) for line in lines), name


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda self, device: self, "Batch.to(device)"),
        (lambda self, device, *, non_blocking=False: self, "Batch.to(device, *, non_blocking = …)"),
        (property(lambda self: self), "Batch.to -> _empty"),
    ],
    ids=["parameter gone", "keyword only", "property"],
)
def test_a_changed_signature_is_seen(monkeypatch, change, line):
    monkeypatch.setattr(ercframe.Batch, "to", change)
    assert line in public_api.text().splitlines()


def test_a_command_is_there_with_its_options():
    assert "ercframe list KIND --plugin --verbose" in public_api.text().splitlines()


def test_the_page_on_stability_names_every_module(root):
    page = (root / "docs" / "stability.md").read_text("utf-8")
    assert [module for module in public_api.MODULES if f"`{module}`" not in page] == []
