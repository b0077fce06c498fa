"""``ablations:`` of a recipe: checked with the recipe, inherited, and made into trials."""

import pytest
from small_recipe import MINE

from ercframe import InputError, recipes
from ercframe.recipes.files import installed_names
from ercframe.sweep.ablations import ablations
from ercframe.sweep.plan import Source, plan, without_repeats

ABLATIONS = """\
ablations:
  no_distill: {losses.distill: null}
  mean: {fusion.temperature: 1000.0}
  text: {modalities: [text]}
"""


@pytest.fixture
def ablated(folder):
    """Write ``mine.yaml`` with these ablations."""

    def write(text=ABLATIONS, name="mine.yaml"):
        (folder / name).write_text(text if text.startswith("extends") else MINE + text, encoding="utf-8")
        return name

    return write


def trials(*overrides, only=(), recipe="mine.yaml"):
    return ablations(Source(recipe, overrides), only)


def test_the_full_recipe_comes_first_and_values_are_yaml_again(ablated):
    ablated()
    settings, notices = trials()
    assert settings == {
        "full": {},
        "no_distill": {"losses.distill": "null"},
        "mean": {"fusion.temperature": "1000.0"},
        "text": {"modalities": "[text]"},
    }
    assert notices == []
    assert list(trials(only=["mean"])[0]) == ["full", "mean"]


def test_a_resolved_recipe_keeps_them(ablated, folder):
    recipe = recipes.load(ablated()).recipe
    (folder / "again.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    again = recipes.load("again.yaml").recipe
    assert list(again.ablations) == ["no_distill", "mean", "text"]
    assert again == recipe


def test_every_slip_is_told_with_its_place(ablated):
    text = ABLATIONS.replace("fusion.temperature", "fusion.temprature").replace("[text]", "[]")
    with pytest.raises(InputError) as caught:
        recipes.load(ablated(text + "  full: {trainer.epochs: 1}\n  none: {}\n  word: epochs\n"))
    assert [(p.where, p.what, p.message) for p in caught.value.problems] == [
        (
            "18:3",
            "ablations.full",
            "must be letters, digits and underscores, a letter first, and not 'full' (got 'full')",
        ),
        ("19:9", "ablations.none", "must change something (got an empty mapping)"),
        ("20:9", "ablations.word", "must be a mapping of dotted keys, such as {trainer.epochs: 3} (got 'epochs')"),
    ]
    with pytest.raises(InputError) as caught:
        recipes.load(ablated(text))
    assert [(p.where, p.what, p.message) for p in caught.value.problems] == [
        ("16:10", "fusion.temprature", "unknown key; did you mean 'temperature'?"),
        ("17:22", "modalities", "must be a list with at least 1 entry (got an empty list)"),
    ]


def test_ablations_that_are_no_mapping_are_refused(ablated):
    with pytest.raises(InputError, match=r"ablations +must be a mapping, a name and \{dotted key: value\} for each"):
        recipes.load(ablated("ablations: [no_speaker]\n"))


def test_they_are_inherited_but_those_of_a_part_that_is_another_are_not(ablated):
    ablated()
    child = ablated(
        "extends: mine.yaml\nfusion: {type: concat}\nablations: {text: null, wide: {encoder.width: 16}}\n", "c.yaml"
    )
    assert list(recipes.load(child).recipe.ablations) == ["no_distill", "wide"]
    assert list(recipes.load("mine.yaml", ["fusion.type=concat", "losses.distill=null"]).recipe.ablations) == ["text"]


def test_a_change_for_one_run_is_not_refused_for_an_ablation_that_it_does_not_fit(ablated):
    ablated("ablations: {narrow: {encoder.width: 4}}\n")
    assert recipes.load("mine.yaml", ["trainer.epochs=1", "encoder.width=5"]).recipe.trainer.epochs == 1


def test_what_would_ablate_nothing_is_left_out_with_the_reason(ablated):
    ablated()
    settings, notices = trials("modalities=[audio]")
    assert list(settings) == ["full", "no_distill", "mean"]
    assert notices == ["text is left out: the recipe has no modality text now"]
    source = Source("mine.yaml", ("modalities=[text]", "losses.distill=null"))
    kept, notices = without_repeats(plan(source, ablations(source)[0]))
    assert [trial.name for trial in kept] == ["full", "mean"]
    assert notices == ["text is left out: it trains the same as full"]


def test_unknown_names_and_recipes_without_ablations_are_refused(ablated, folder):
    ablated()
    with pytest.raises(
        InputError, match=r"(?s)--only must name.*meann  unknown; did you mean 'mean'\?.*Ablations: full, no_"
    ):
        trials(only=["meann"])
    ablated("")
    with pytest.raises(InputError, match=r"^recipe 'mine' must have an ablations: section \(it has none\)"):
        trials()


@pytest.mark.parametrize("name", [name for name in installed_names() if recipes.load(name).recipe.ablations])
def test_every_installed_ablation_fits_together(name, folder):
    small = ("dataset.train=3", "dataset.dev=2", "dataset.test=2")
    source = Source(name, small, demo=True)
    settings, notices = ablations(source)
    assert notices == []
    trials = plan(source, settings)
    assert [trial.name for trial in trials] == list(settings)
    assert without_repeats(trials) == (trials, [])


def test_sdt_loses_each_of_its_parts_and_every_set_of_modalities():
    assert list(recipes.load("sdt_iemocap").recipe.ablations) == [
        *("no_inter_modal", "no_intra_modal", "no_position", "no_speaker", "no_unimodal_gate", "no_multimodal_gate"),
        *("no_hard", "no_soft", "no_distillation"),
        *("text", "audio", "visual", "text_audio", "text_visual", "audio_visual"),
    ]
