"""Finding a recipe, its plugins and its sources; writing it resolved."""

import shutil

import pytest

from ercframe import InputError, recipes
from ercframe.recipes.files import installed_folder

PLUGIN = '''
from pydantic import Field

from ercframe import ComponentConfig, FusedSpec, Fusion, FusionOutput, hookimpl


class SumFusion(Fusion):
    """Add the modalities up."""

    name = "sum"

    class Config(ComponentConfig):
        scale: float = Field(1.0, gt=0, description="Factor of the sum.")

    def __init__(self, config, dataset, streams):
        super().__init__()
        self.scale, self.spec = config.scale, FusedSpec(streams.width)

    def forward(self, streams, context):
        return FusionOutput(joint=self.scale * sum(streams.values()))


@hookimpl
def ercframe_components():
    return [SumFusion]
'''


@pytest.fixture
def plugin(folder):
    """A loose plugin file with a fusion ``sum``."""
    (folder / "sum_fusion.py").write_text(PLUGIN, encoding="utf-8")
    return folder / "sum_fusion.py"


# finding


@pytest.mark.parametrize("source", ["sdt_iemocap", "sdt_iemocap.yaml", "recipes/sdt_iemocap.yaml"])
def test_an_installed_recipe_is_found_by_name_and_that_is_said(folder, source):
    loaded = recipes.load(source)
    assert loaded.recipe.name == "sdt_iemocap"
    assert loaded.notices[0].startswith(f"There is no file {source} here; using the recipe installed with ercframe")


@pytest.mark.parametrize("source", ["mine/sdt_iemocap.yaml", "recipes/sub/sdt_iemocap.yaml", "sdt_iemocap.yml"])
def test_another_path_does_not_fall_back(folder, source):
    with pytest.raises(InputError, match="there is no recipe"):
        recipes.load(source)


def test_a_file_is_taken_before_an_installed_recipe(folder, mine):
    mine.rename(folder / "sdt_iemocap.yaml")
    loaded = recipes.load("sdt_iemocap.yaml")
    assert loaded.recipe.encoder.name == "identity"
    assert loaded.notices == ()


@pytest.mark.parametrize(("file", "name"), [("my récipe (1).yaml", "my-recipe-1"), ("会話.yaml", "recipe")])
def test_the_name_of_any_file_gives_a_run_that_can_be_repeated(folder, mine, file, name):
    mine.rename(file)
    recipe = recipes.load(file).recipe
    assert recipe.name == name
    (folder / "again.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    assert recipes.load("again.yaml").recipe.name == name


def test_a_folder_of_that_name_does_not_hide_an_installed_recipe(folder):
    (folder / "sdt_iemocap").mkdir()
    assert recipes.load("sdt_iemocap").recipe.encoder.name == "intra_inter_transformer"


# plugins


def test_a_recipe_names_plugin_files_relative_to_itself(folder, mine, plugin):
    (folder / "sub").mkdir()
    text = mine.read_text().replace("gated", "sum, scale: 2").replace("  distill", "  # distill")
    (folder / "sub" / "r.yaml").write_text(text + "plugins: [../sum_fusion.py]\n")
    recipe = recipes.load("sub/r.yaml").recipe
    assert recipe.fusion.config.scale == 2.0
    assert [file.resolve() for file in recipe.plugin_files] == [plugin.resolve()]


def test_plugin_files_of_what_a_recipe_extends_are_kept(folder, mine, plugin):
    (folder / "sub").mkdir()
    (folder / "sub" / "base.yaml").write_text("extends: ../mine.yaml\nplugins: [../sum_fusion.py]\n")
    (folder / "heir.yaml").write_text("extends: sub/base.yaml\nfusion: {type: sum}\nlosses: {distill: null}\n")
    assert recipes.load("heir.yaml").recipe.fusion.name == "sum"


@pytest.mark.parametrize("by_override", [True, False])
def test_plugin_files_of_the_command_line(folder, mine, plugin, by_override):
    (folder / "sub").mkdir()
    mine.rename(folder / "sub" / "mine.yaml")
    overrides = ["fusion.type=sum", "losses.distill=null"] + (["plugins=[sum_fusion.py]"] if by_override else [])
    loaded = recipes.load("sub/mine.yaml", overrides, plugin_files=[] if by_override else [plugin])
    assert loaded.recipe.fusion.name == "sum"
    assert [file.resolve() for file in loaded.recipe.plugin_files] == [plugin.resolve()]


def test_a_broken_plugin_that_is_not_needed_is_a_notice(folder, mine):
    (folder / "broken.py").write_text("import nowhere\n")
    loaded = recipes.load(mine, plugin_files=[folder / "broken.py"])
    assert loaded.notices == (
        f"Plugin {folder / 'broken.py'} cannot be used: ModuleNotFoundError: No module named 'nowhere'",
    )


# sources


def test_sources_say_where_a_value_was_written(folder, mine):
    (folder / "child.yaml").write_text("extends: mine.yaml\nfusion: {temperature: 2.0}\n")
    sources = recipes.load("child.yaml", ["encoder.width=3", "protocol.seeds=[1,2]"]).sources
    assert sources.where("fusion.temperature") == "child.yaml:2:23"
    assert sources.where("fusion.type") == "mine.yaml:4:16"
    assert sources.where("modalities[1]") == "mine.yaml:1:20"
    assert sources.where("encoder.width") == "command line"
    assert sources.where("protocol.seeds[1]") == "command line"


def test_what_was_left_out_is_where_it_would_stand(mine):
    sources = recipes.load(mine).sources
    assert sources.where("encoder.nothing") == "mine.yaml:3:10"
    assert sources.where("trainer.optimizer.weight_decay") == "mine.yaml:11:14"
    assert sources.where("transforms[0].rates") == "mine.yaml:1:1"


# resolved


def test_resolved_is_complete_and_stable(folder, mine):
    text = recipes.load(mine, ["transforms=[{type: modality_dropout}]"]).recipe.to_yaml()
    (folder / "again.yaml").write_text(text)
    again = recipes.load("again.yaml").recipe
    assert again.to_yaml() == text
    assert again.name == "mine"
    for default in ("standardise", "temperature: 1.0", "weight_decay: 0.0", "show_gap: true", "rates: 0.2"):
        assert default in text or default == "standardise"


def test_a_resolved_demo_is_the_demo(folder, mine):
    text = recipes.load(mine, demo=True).recipe.to_yaml()
    (folder / "again.yaml").write_text(text)
    assert recipes.load("again.yaml").recipe.encoder.config.width == 4


def test_resolved_names_plugin_files_so_that_they_are_found(folder, mine, plugin):
    recipe = recipes.load(mine, ["fusion.type=sum", "losses.distill=null"], plugin_files=[plugin]).recipe
    run = folder / "runs" / "mine"
    (run / "plugins").mkdir(parents=True)
    (run / "absolute.yaml").write_text(recipe.to_yaml())
    assert recipes.load(run / "absolute.yaml").recipe.fusion.name == "sum"
    shutil.move(plugin, run / "plugins" / plugin.name)
    (run / "recipe.yaml").write_text(recipe.to_yaml(plugins=["plugins/sum_fusion.py"]))
    assert recipes.load(run / "recipe.yaml").recipe.fusion.name == "sum"


def test_installed_recipes_are_where_their_package_is():
    assert (installed_folder() / "__init__.py").is_file()
