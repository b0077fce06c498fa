"""The JSON Schema accepts what loading accepts, and editors see slips in it."""

import json

import jsonschema
import pytest
from small_recipe import MINE

from ercframe import plugins
from ercframe.recipes.files import installed_files, installed_folder
from ercframe.recipes.schema import recipe_schema
from ercframe.recipes.sources import Place
from ercframe.recipes.yaml_tree import parse
from ercframe.registry import Registry

FILES = installed_files()


@pytest.fixture(scope="module")
def bundled():
    """The schema of the plugins that come with ercframe, whatever else is installed."""
    registry = plugins.load()
    return recipe_schema(Registry(e for e in registry.entries() if e.origin.package.startswith("ercframe ")))


@pytest.fixture(scope="module")
def errors(bundled):
    """What the schema has against a recipe, as ``path: message``."""
    jsonschema.Draft202012Validator.check_schema(bundled)
    validator = jsonschema.Draft202012Validator(bundled)

    def check(text):
        tree = parse(text, Place("mine.yaml", 1, 1))[0].plain()
        return [f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(tree)]

    return check


def test_the_shipped_file_is_current(bundled):
    text = (installed_folder() / "schema.json").read_text(encoding="utf-8")
    assert json.loads(text) == bundled, "run: ercframe schema > recipes/schema.json"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_shipped_recipe_is_valid(path, errors):
    assert errors(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "partial",
    [
        "extends: base.yaml\n",
        "extends: [a.yaml, sdt_iemocap]\nencoder: {width: 3}\n",
        "extends: a.yaml\nlosses: {distill: null, task: {weight: 0.5}, more: {weight: {soft: 2}}}\n",
        "extends: a.yaml\ntrainer: {optimizer: {lr: 1e-5}}\n",
        "demo: {encoder.width: 3, encoder: {type: bilstm}, losses.a.b.c: 1, trainer.optimizer.lr: 1}\n",
        "demo: {dataset.widths.text: 3}\n",
        "plugins: [mine.py]\nname: my-run_2.1\n",
    ],
)
def test_a_part_of_a_recipe_is_valid(partial, errors):
    assert errors(partial) == []


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("fusion:", "fusoin:", ""),
        ("width: 8", "widht: 8", "encoder"),
        ("{type: identity, width: 8}", "{widht: 8}", "encoder"),
        ("gated", "gatd", "fusion.type"),
        ("hard: 1.0", "hard: high", "losses.distill.weight"),
        ("cross_entropy", "cross_entropy, gamma: 1", "losses.task"),
        ("epochs: 2", "epochs: 0", "trainer.epochs"),
        ("lr:", "lrr:", "trainer.optimizer"),
        ("encoder.width", "encoder.widht", "demo"),
        ("encoder.width", "encodr.width", "demo"),
        ("[text, audio]", "[]", "modalities"),
    ],
)
def test_a_slip_is_seen_where_it_is(old, new, where, errors):
    assert errors(MINE) == []
    found = errors(MINE.replace(old, new, 1))
    assert found
    assert all(error.partition(":")[0] == where for error in found)


def test_every_setting_is_described_for_editors(bundled):
    for name, definition in bundled["$defs"].items():
        for key, schema in definition.get("properties", {}).items():
            if key != "type":
                assert schema.get("description") or "$ref" in schema, f"{name}.{key}"


def test_a_loose_plugin_is_part_of_the_schema(folder):
    from test_loading import PLUGIN

    (folder / "sum_fusion.py").write_text(PLUGIN)
    schema = recipe_schema(plugins.load([folder / "sum_fusion.py"]))
    validator = jsonschema.Draft202012Validator(schema)
    assert not list(validator.iter_errors({"fusion": {"type": "sum", "scale": 2}}))
    assert list(validator.iter_errors({"fusion": {"type": "sum", "scale": 0}}))
