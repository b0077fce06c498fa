"""The Sphinx extension in a project of somebody else: pages, links, warnings, and a second project that links in."""

import html
import json
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.errors import ConfigError, ExtensionError
from sphinx.util.docutils import docutils_namespace, patch_docutils
from sphinx.util.inventory import InventoryFile

from ercframe.cli.app import run_app

PLUGIN = '''
"""Weighted sum."""

import torch
from pydantic import Field
from torch import nn

from ercframe import ComponentConfig, FusedSpec, Fusion, FusionOutput, hookimpl


class WeightedSum(Fusion):
    r"""Mix the modalities with one learned weight each.

    .. math:: h = \\sum_m w_m x_m

    Reads each modality's own stream, ``(N, D)``.

    References:
        Nobody (1999).
    """

    name = "weighted_sum"

    class Config(ComponentConfig):
        temperature: float = Field(1.5, gt=0, description="Above 1 makes the *weights* more equal.")

    def __init__(self, config, dataset, streams):
        super().__init__()
        self.modalities, self.temperature = tuple(streams.own_widths()), config.temperature
        self.score = nn.Parameter(torch.zeros(len(self.modalities)))
        self.spec = FusedSpec(streams.width, dict.fromkeys(self.modalities, streams.width))

    def forward(self, streams, context):
        x_NMD = torch.stack([streams.intra(m) for m in self.modalities], dim=1)
        weight_NM = (self.score / self.temperature).softmax(dim=0).expand(len(x_NMD), -1)
        joint_ND = torch.einsum("nm,nmd->nd", weight_NM, x_NMD)
        return FusionOutput(joint_ND, dict(zip(self.modalities, x_NMD.unbind(dim=1), strict=True)))


@hookimpl
def ercframe_components():
    return [WeightedSum]
'''

RECIPE = """\
# A recipe of one's own.
modalities: [text, audio]
dataset: {type: synthetic, train: 20}
transforms:
  - {type: modality_dropout, rates: 0.5}
encoder: {type: identity, width: 48}
fusion: {type: weighted_sum, temperature: 2.0}
classifier: {type: linear}
losses:
  task: {type: cross_entropy, weight: 0.5}
trainer: {epochs: 3}
"""

PAGES = {
    "index.md": """\
# Mine

```{toctree}
others
```

```{erc-component} fusion/weighted_sum
```

{erc}`fusion/weighted_sum`, {erc}`hot <fusion/weighted_sum.temperature>`, {erc}`~loss/focal`, {erc}`mine`,
{erc}`trainer.optimizer.lr`

```{erc-catalogue} fusion
```
""",
    "others.rst": """\
Others
======

.. erc-component:: loss/focal
   :contract: no
   :source: no

.. erc-settings:: trainer

.. erc-recipe:: mine.yaml
   :widths: audio=7

:erc:component:`fusion/weighted_sum`

.. erc-catalogue:: recipe
""",
}


def project(folder: Path, pages: dict[str, str] = PAGES, plugin: str = PLUGIN, **settings: object) -> Path:
    """Write a project."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"extensions": ["myst_parser", "ercframe.sphinxext"], "erc_plugins": ["mine.py"], **settings}
    files = {**pages, "mine.py": plugin, "mine.yaml": RECIPE}
    files["conf.py"] = "\n".join(f"{name} = {value!r}" for name, value in settings.items())
    for name, text in files.items():
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text:
            (folder / name).write_text(text, encoding="utf-8")
    return folder


def build(folder: Path, builder: str = "html") -> tuple[Path, str, list[str]]:
    """Where the pages are, what Sphinx warned of, and the documents that it read."""
    out, told, read = folder / "_build" / builder, StringIO(), []
    with patch_docutils(), docutils_namespace():
        app = Sphinx(folder, folder, out, folder / "_build" / "trees", builder, status=None, warning=told)
        app.connect("source-read", lambda app, name, source: read.append(name))
        app.build()
    return out, re.sub(r"\x1b\[[0-9;]*m", "", told.getvalue()), sorted(read)


def text_of(page: Path) -> str:
    """What a reader sees of a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8"))).split())


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """The project, built: its folder, its pages, what Sphinx warned of."""
    folder = project(tmp_path_factory.mktemp("mine"), project="mine", html_theme="basic")
    out, told, _ = build(folder)
    return folder, out, told


class TestPages:
    def test_nothing_is_warned_of(self, mine):
        assert mine[2] == ""

    def test_a_component_is_told_whole(self, mine):
        text = text_of(mine[1] / "index.html")
        for part in (
            "Mix the modalities with one learned weight each.",
            "Reads each modality's own stream, (N, D)".replace("'", "’"),
            "Nobody (1999).",
            "temperature number > 0 1.5 Above 1 makes the weights more equal.",
            "fusion : { type : weighted_sum , temperature : 1.5 }",
            "Not on own streams of different widths: needs streams of one width.",
            "identity with width: 6",
            "mine.py , lines 11 to 37",
        ):
            assert part in text, text

    def test_its_contract_was_tried(self, mine):
        text = text_of(mine[1] / "index.html")
        assert re.search(r"Keeps all \d\d checks that concern it: .*gaps_are_not_read", text)
        assert "Contract" not in text_of(mine[1] / "others.html")

    def test_source_is_there_unless_unwanted(self, mine):
        assert "def forward ( self , streams , context )" in text_of(mine[1] / "index.html")
        assert "class FocalLoss" not in text_of(mine[1] / "others.html")

    def test_links_lead_to_components_settings_and_recipes(self, mine):
        source = (mine[1] / "index.html").read_text(encoding="utf-8")
        for target in (
            'href="#erc-component-fusion-weighted_sum"',
            'href="#erc-field-fusion-weighted_sum.temperature"',
            'href="others.html#erc-component-loss-focal"',
            'href="others.html#erc-recipe-mine"',
            'href="others.html#erc-field-trainer.optimizer.lr"',
        ):
            assert target in source

    def test_every_link_has_a_target(self, mine):
        for page in ("index.html", "others.html"):
            for file, anchor in re.findall(r'href="(\w*\.?\w*)#([^"]+)"', (mine[1] / page).read_text("utf-8")):
                assert f'id="{anchor}"' in (mine[1] / (file or page)).read_text("utf-8"), (page, file, anchor)

    def test_a_recipe_has_its_flow_its_text_and_the_meaning_of_its_lines(self, mine):
        source = (mine[1] / "others.html").read_text(encoding="utf-8")
        text = text_of(mine[1] / "others.html")
        assert "<svg" in source
        assert "Dataset synthetic gives features: text (D text), audio (7)." in text
        assert "fusion.temperature 2.0 Above 1 makes the weights more equal." in text
        assert "losses.task.weight 0.5 A factor of all the loss’s terms" in text
        assert "transforms[0].rates 0.5 How often" in text
        recipe = source[source.index("erc-recipe-text") :]
        recipe = recipe[: recipe.index("</pre>")]
        assert 'href="index.html#erc-component-fusion-weighted_sum"' in recipe
        assert 'href="index.html#erc-field-fusion-weighted_sum.temperature"' in recipe
        assert 'href="#erc-field-trainer.epochs"' in recipe
        assert html.unescape(re.sub(r"<[^>]+>", "", recipe)).endswith(RECIPE)

    def test_a_catalogue_names_all_that_is_installed(self, mine):
        text = text_of(mine[1] / "index.html")
        assert all(name in text for name in ("weighted_sum", "concat", "hierarchical_gated", "tensor"))

    @pytest.mark.parametrize("builder", ["text", "latex", "man", "singlehtml"])
    def test_other_formats_are_built_too(self, mine, builder):
        out, told, _ = build(mine[0], builder)
        assert told == ""
        if builder == "text":
            text = (out / "others.txt").read_text(encoding="utf-8")
            assert "Fusion weighted_sum makes a joint representation (48)" in text


class TestInventory:
    def test_it_lists_every_object(self, mine):
        with (mine[1] / "objects.inv").open("rb") as file:
            found = InventoryFile.load(file, "", lambda base, path: path)
        assert "fusion/weighted_sum" in found["erc:component"]
        assert {"fusion/weighted_sum.temperature", "trainer.optimizer.lr"} <= set(found["erc:field"])
        assert list(found["erc:recipe"]) == ["mine"]

    def test_another_project_links_to_them(self, mine, tmp_path):
        links = ":erc:`fusion/weighted_sum` :erc:`mine` :erc:`fusion/weighted_sum.temperature`"
        theirs = project(
            tmp_path,
            {"index.rst": f"Theirs\n======\n\n{links}\n"},
            extensions=["ercframe.sphinxext", "sphinx.ext.intersphinx"],
            erc_plugins=[],
            intersphinx_mapping={"mine": ("https://mine.example/", str(mine[1] / "objects.inv"))},
        )
        out, told, _ = build(theirs)
        assert told == ""
        page = (out / "index.html").read_text(encoding="utf-8")
        assert 'href="https://mine.example/index.html#erc-component-fusion-weighted_sum"' in page
        assert 'href="https://mine.example/others.html#erc-recipe-mine"' in page
        assert 'href="https://mine.example/index.html#erc-field-fusion-weighted_sum.temperature"' in page


def warned(folder: Path, page: str, plugin: str = PLUGIN, **settings: object) -> str:
    """What Sphinx says of a project of one page."""
    return build(project(folder, {"index.rst": f"Page\n====\n\n{page}\n"}, plugin, **settings))[1]


class TestMistakes:
    def test_an_unknown_component_is_told_with_the_nearest(self, tmp_path):
        assert "unknown fusion 'weighted_sun'; did you mean 'weighted_sum'?" in warned(
            tmp_path, ".. erc-component:: fusion/weighted_sun"
        )

    def test_an_unknown_kind_of_catalogue(self, tmp_path):
        assert "(got 'fusions'); did you mean 'fusion'?" in warned(tmp_path, ".. erc-catalogue:: fusions")

    def test_an_unknown_recipe(self, tmp_path):
        assert "there is no recipe 'sdt_iemocup'; did you mean 'sdt_iemocap'?" in warned(
            tmp_path, ".. erc-recipe:: sdt_iemocup"
        )

    def test_a_link_that_leads_nowhere(self, tmp_path):
        page = ".. erc-component:: fusion/weighted_sum\n   :contract: no\n\n:erc:`fusion/weighted_sun`"
        assert "nothing describes 'fusion/weighted_sun'; did you mean 'fusion/weighted_sum'?" in warned(tmp_path, page)

    def test_an_option_that_is_neither_yes_nor_no(self, tmp_path):
        told = warned(tmp_path, ".. erc-component:: fusion/weighted_sum\n   :contract: maybe")
        assert "must be yes or no (got 'maybe')" in told

    def test_a_plugin_file_that_is_not_there(self, tmp_path):
        with pytest.raises(ConfigError, match=r"erc_plugins: plugin file not found: .*none.py"):
            warned(tmp_path, "", erc_plugins=["none.py"])

    def test_a_plugin_that_cannot_be_loaded(self, tmp_path):
        told = warned(tmp_path, "", plugin="import nothing_of_this_name")
        assert "cannot be used: ModuleNotFoundError: No module named 'nothing_of_this_name'" in told

    def test_a_component_that_says_no_shape(self, tmp_path):
        told = warned(tmp_path, ".. erc-component:: fusion/weighted_sum", PLUGIN.replace("``(N, D)``", "a tensor"))
        assert "fusion/weighted_sum is not documented: its docstring must say what it reads or returns" in told

    def test_a_setting_without_a_description(self, tmp_path):
        plugin = PLUGIN.replace(', description="Above 1 makes the *weights* more equal."', "")
        told = warned(tmp_path, ".. erc-component:: fusion/weighted_sum", plugin)
        assert "WeightedSum.Config.temperature must have a description" in told

    def test_a_broken_contract(self, tmp_path):
        plugin = PLUGIN.replace("x_NMD = torch.stack", "self.score.data += 1\n        x_NMD = torch.stack").replace(
            "joint_ND = torch", "joint_ND = self.score.sum() + torch"
        )
        told = warned(tmp_path, ".. erc-component:: fusion/weighted_sum", plugin)
        assert "fusion/weighted_sum breaks its contract (results_repeat):" in told
        assert "Breaks" in text_of(tmp_path / "_build" / "html" / "index.html")

    def test_verdicts_can_be_read_from_a_file(self, tmp_path):
        page = ".. erc-component:: fusion/weighted_sum\n"
        plugin = project(tmp_path, {}) / "mine.py"
        assert run_app(["check", str(plugin), "--json", str(tmp_path / "contract.json")]) == 0
        assert warned(tmp_path, page, erc_contract="contract.json") == ""
        assert "Keeps all" in text_of(tmp_path / "_build" / "html" / "index.html")
        found = json.loads((tmp_path / "contract.json").read_text())
        found["components"][0]["checks"][0] |= {"status": "failed", "message": "must not"}
        (tmp_path / "contract.json").write_text(json.dumps(found))
        assert "breaks its contract (class_is_usable): must not" in warned(tmp_path, page, erc_contract="contract.json")
        (tmp_path / "contract.json").write_text(json.dumps(found | {"components": []}))
        assert "fusion/weighted_sum is not in contract.json" in warned(tmp_path, page, erc_contract="contract.json")
        (tmp_path / "contract.json").write_text("[]")
        with pytest.raises(ExtensionError, match="must be a file of `ercframe check --json`"):
            warned(tmp_path, page, erc_contract="contract.json")

    def test_what_is_described_twice(self, tmp_path):
        pages = {
            "index.rst": "A\n=\n\n.. toctree::\n\n   b\n\n.. erc-settings:: protocol\n",
            "b.rst": "B\n=\n\n.. erc-settings:: protocol\n",
        }
        told = build(project(tmp_path, pages))[1]
        assert "field 'protocol.name' is also described in" in told
        pages["b.rst"] += "   :no-index:\n"
        assert build(project(tmp_path, pages))[1] == ""


class TestBuildingAgain:
    def test_only_what_changed_is_read(self, tmp_path):
        pages = PAGES | {"alone.rst": ":orphan:\n\nAlone\n=====\n"}
        project(tmp_path, pages, erc_contract=False)
        assert build(tmp_path)[2] == ["alone", "index", "others"]
        assert build(tmp_path)[2] == []
        project(tmp_path, pages, PLUGIN.replace("Nobody (1999)", "Somebody (2001)"), erc_contract=False)
        assert build(tmp_path)[2] == ["index", "others"]
        assert "Somebody (2001)" in text_of(tmp_path / "_build" / "html" / "index.html")

    @pytest.mark.slow
    def test_reading_in_parallel_gives_the_same_inventory(self, mine, tmp_path):
        folder = project(tmp_path, PAGES | {f"page{i}.rst": f":orphan:\n\nP\n=\n\n{i}\n" for i in range(6)})
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "-j", "2", str(folder), str(folder / "out")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        inventories = []
        for path in (mine[1] / "objects.inv", folder / "out" / "objects.inv"):
            with path.open("rb") as file:
                found = InventoryFile.load(file, "", lambda base, path: path)
            inventories.append({kind: sorted(found[kind]) for kind in found if kind.startswith("erc:")})
        assert inventories[0] == inventories[1]
