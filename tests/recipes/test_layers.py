"""What ``extends``, the command line and ``demo:`` do to a recipe: the same kind of layer over it."""

import pytest

from ercframe import InputError, recipes


@pytest.fixture
def child(mine, folder):
    """Write ``child.yaml``, which extends the small recipe, and load it."""

    def load(text, *overrides, **options):
        (folder / "child.yaml").write_text(f"extends: mine.yaml\n{text}", encoding="utf-8")
        return recipes.load("child.yaml", overrides, **options).recipe

    return load


def settings(slot):
    return {"type": slot.name, **slot.config.model_dump(mode="json")}


# extends


def test_settings_are_merged_at_every_depth(child):
    recipe = child("trainer: {optimizer: {weight_decay: 0.1}}\n")
    assert recipe.trainer.epochs == 2
    assert recipe.trainer.optimizer.lr == 1e-3
    assert recipe.trainer.optimizer.weight_decay == 0.1


def test_lists_are_replaced(child):
    assert child("modalities: [audio]\n").modalities == ("audio",)


def test_another_type_drops_the_settings_of_the_old_one(child):
    recipe = child(
        "encoder: {type: bilstm, hidden: 3}\n"
    )  # `width` is no setting of bilstm, nor `encoder.width` of its demo
    assert settings(recipe.encoder)["hidden"] == 3
    assert recipe.demo == {}


def test_the_same_type_keeps_them(child):
    recipe = child("encoder: {type: identity}\n")
    assert settings(recipe.encoder) == {"type": "identity", "width": 8}
    assert recipe.demo == {"encoder.width": 4}


def test_null_leaves_a_loss_out(child):
    assert list(child("losses: {distill: null}\n").losses) == ["task"]


def test_a_weight_per_term_is_merged_and_what_is_left_out_is_one(child):
    assert child("losses: {distill: {weight: {hard: 0.1}}}\n").losses["distill"].weight == {"hard": 0.1, "soft": 0.5}
    recipe = child("losses: {distill: {type: focal}}\n")  # another type: its weight is gone, too
    assert recipe.losses["distill"].weight == 1.0
    assert child(
        "", "losses.distill.weight=null", "losses.distill={type: self_distillation, weight: {soft: 2}}"
    ).losses["distill"].weight == {"hard": 1.0, "soft": 2.0}


def test_of_several_the_later_wins_and_the_recipe_over_all(folder, mine):
    (folder / "a.yaml").write_text("trainer: {epochs: 11, batch_dialogues: 11, patience: 11}\n")
    (folder / "b.yaml").write_text("trainer: {batch_dialogues: 12, patience: 12}\n")
    (folder / "c.yaml").write_text("extends: [mine.yaml, a.yaml, b.yaml]\ntrainer: {patience: 13}\n")
    trainer = recipes.load("c.yaml").recipe.trainer
    assert (trainer.epochs, trainer.batch_dialogues, trainer.patience) == (11, 12, 13)


def test_a_recipe_may_be_reached_by_two_ways(folder, mine):
    (folder / "a.yaml").write_text("extends: mine.yaml\n")
    (folder / "b.yaml").write_text("extends: [mine.yaml, a.yaml]\n")
    assert recipes.load("b.yaml").recipe.trainer.epochs == 2


def test_an_installed_recipe_can_be_extended_by_name(folder):
    (folder / "mine.yaml").write_text("extends: sdt_iemocap\ntrainer: {epochs: 3}\n")
    recipe = recipes.load("mine.yaml").recipe
    assert recipe.trainer.epochs == 3
    assert recipe.encoder.name == "intra_inter_transformer"


def test_the_file_is_looked_for_beside_the_recipe_that_names_it(folder, mine):
    (folder / "sub").mkdir()
    (folder / "sub" / "child.yaml").write_text("extends: ../mine.yaml\n")
    assert recipes.load("sub/child.yaml").recipe.trainer.epochs == 2


def test_a_name_is_not_inherited(folder, mine):
    (folder / "named.yaml").write_text("extends: mine.yaml\nname: something\n")
    (folder / "heir.yaml").write_text("extends: named.yaml\n")
    assert recipes.load("named.yaml").recipe.name == "something"
    assert recipes.load("heir.yaml").recipe.name == "heir"


# the command line


def test_an_override_is_split_at_the_first_equals_sign(mine):
    assert recipes.load(mine, ["data_help=a=b"]).recipe.data_help == "a=b"


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("trainer.optimizer.lr=1e-4", 1e-4),
        ("trainer.optimizer.lr=5", 5.0),
        ("trainer={optimizer: {lr: 0.5}}", 0.5),
        ("trainer.optimizer={lr: 0.5}", 0.5),
    ],
)
def test_keys_are_nested_and_values_are_yaml(mine, override, value):
    recipe = recipes.load(mine, [override]).recipe
    assert recipe.trainer.optimizer.lr == value
    assert recipe.trainer.epochs == 2


def test_null_and_lists_on_the_command_line(mine):
    recipe = recipes.load(mine, ["encoder.width=null", "protocol.seeds=[3,1]", "modalities=[audio]"]).recipe
    assert recipe.encoder.config.width is None
    assert recipe.protocol.seed_list() == (3, 1)
    assert recipe.modalities == ("audio",)


@pytest.mark.parametrize("form", ["encoder.type=bilstm", "encoder={type: bilstm}"])
def test_another_type_on_the_command_line_resets_the_slot(mine, form):
    assert recipes.load(mine, [form]).recipe.encoder.name == "bilstm"


def test_the_order_of_different_overrides_does_not_matter(mine):
    overrides = ["encoder.hidden=3", "encoder.type=bilstm", "encoder.layers=1"]
    loaded = [recipes.load(mine, order).recipe.to_yaml() for order in (overrides, overrides[::-1])]
    assert loaded[0] == loaded[1]
    assert "hidden: 3" in loaded[0]


def test_of_two_overrides_of_one_key_the_last_wins(mine):
    assert recipes.load(mine, ["trainer.epochs=3", "trainer.epochs=4"]).recipe.trainer.epochs == 4


def with_transforms(mine):
    transforms = "transforms: [{type: modality_dropout, rates: 0.1}, {type: feature_noise, levels: 0.2}]"
    mine.write_text(f"{mine.read_text()}{transforms}\n")


def test_a_number_reaches_an_entry_of_a_list(mine):
    with_transforms(mine)
    changes = ["transforms.0.rates=0.5", "transforms.1.levels=0.25", "protocol.seeds=[4, 5]", "protocol.seeds.1=9"]
    loaded = recipes.load(mine, changes)
    assert [settings(slot)["type"] for slot in loaded.recipe.transforms] == ["modality_dropout", "feature_noise"]
    assert settings(loaded.recipe.transforms[0])["rates"] == 0.5
    assert settings(loaded.recipe.transforms[1])["levels"] == 0.25
    assert loaded.recipe.protocol.seed_list() == (4, 9)
    assert loaded.sources.where("transforms[0].rates") == "command line"
    assert loaded.sources.where("transforms[0].type").startswith("mine.yaml:")


def test_another_type_resets_an_entry(mine):
    with_transforms(mine)
    (first, _) = recipes.load(mine, ["transforms.0.type=feature_noise"]).recipe.transforms
    assert first.name == "feature_noise"


@pytest.mark.parametrize("entries", [0, 2])
def test_an_entry_that_is_not_there_is_told(mine, entries):
    if entries:
        with_transforms(mine)
    with pytest.raises(InputError) as refused:
        recipes.load(mine, ["transforms.2.rates=0.5", *["transforms.0.rates=0.5"] * (entries > 0)])
    assert [(p.where, p.what, p.message) for p in refused.value.problems] == [
        ("command line", "transforms.2", "must name an entry of the list, from 0")
    ]


def test_a_tracker_that_is_not_there_is_told_by_its_own_name(mine):
    with pytest.raises(InputError) as refused:
        recipes.load(mine, ["trackers.0.folder=here"])
    assert [(p.what, p.message) for p in refused.value.problems] == [
        ("trackers.0", "must name an entry of the list, from 0")
    ]


# demo


def test_demo_takes_generated_data_and_the_demo_settings(mine, folder):
    text = mine.read_text().replace("{type: synthetic, train: 6, dev: 3, test: 3}", "{type: bundle, path: nowhere}")
    mine.write_text(text)
    recipe = recipes.load(mine, demo=True).recipe
    assert recipe.dataset.name == "synthetic"
    assert recipe.encoder.config.width == 4
    assert recipe.modalities == ("text", "audio")
    assert recipes.load(mine).recipe.dataset.name == "bundle"


def test_the_command_line_wins_over_demo(mine):
    assert recipes.load(mine, ["encoder.width=16"], demo=True).recipe.encoder.config.width == 16
    assert recipes.load(mine, ["encoder.type=bilstm"], demo=True).recipe.encoder.name == "bilstm"
    assert recipes.load(mine, ["dataset.train=9"], demo=True).recipe.dataset.config.train == 9


def test_a_demo_may_be_nested_and_is_checked_without_demo_too(mine):
    mine.write_text(mine.read_text().replace("{encoder.width: 4}", "{encoder: {width: 4}, trainer.optimizer.lr: 0.1}"))
    assert recipes.load(mine).recipe.demo == {"encoder.width": 4, "trainer.optimizer.lr": 0.1}
    mine.write_text(mine.read_text().replace("width: 4", "wdth: 4"))
    with pytest.raises(InputError, match=r"encoder\.wdth"):
        recipes.load(mine)


def test_overrides_of_the_data_do_not_spoil_the_check_of_the_demo(mine):
    recipe = recipes.load(mine, ["dataset={type: bundle, path: x}"]).recipe
    assert settings(recipe.dataset)["path"] == "x"
