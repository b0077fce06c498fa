"""What docs/recipes.md shows is what happens."""

import re

import pytest

from ercframe import InputError, recipes
from ercframe.recipes.files import installed_folder
from ercframe.recipes.frame import KEYS


@pytest.fixture
def page(root):
    return (root / "docs" / "recipes.md").read_text(encoding="utf-8")


def _blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def test_sdt_is_the_recipe_that_is_shipped(page, folder):
    iemocap, meld = _blocks(page, "yaml")[:2]
    (folder / "sdt_iemocap.yaml").write_text(iemocap)
    (folder / "corpora").symlink_to(installed_folder() / "corpora")
    (folder / "sdt_meld.yaml").write_text(meld)
    for name in ("sdt_iemocap", "sdt_meld"):
        shown, shipped = (recipes.load(path).recipe for path in (f"{name}.yaml", installed_folder() / f"{name}.yaml"))
        for part in ("modalities", "dataset", "encoder", "fusion", "classifier", "losses", "trainer", "protocol"):
            assert getattr(shown, part) == getattr(shipped, part)


def test_the_mistakes_give_the_answer_that_is_shown(page, folder):
    base, mine = (block for block in _blocks(page, "yaml") if "epochs: 0" in block or "widht" in block)
    (folder / "base.yaml").write_text(base)
    (folder / "mine.yaml").write_text(mine)
    with pytest.raises(InputError) as caught:
        recipes.load("mine.yaml", ["protocol.seeds=0"])
    assert f"{caught.value}\n" in _blocks(page, "text")


def test_every_key_is_explained(page):
    for key in KEYS:
        assert f"`{key}`" in page


@pytest.mark.parametrize("number", range(3))
def test_the_overrides_that_are_shown_work(page, folder, number):
    commands = re.findall(r"^ercframe run recipes/(\w+)\.yaml (.*)$", page, re.MULTILINE)
    name, overrides = commands[number]
    assert recipes.load(name, overrides.split()).recipe.name == name
