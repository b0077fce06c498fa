"""Every recipe that is shipped, with its header, its demo and its help."""

import re
import shlex

import pytest

from ercframe import InputError, recipes
from ercframe.build import assemble
from ercframe.cli.app import run_app
from ercframe.recipes.files import installed_files, installed_folder, installed_names, installed_summary

NAMES = installed_names()
FILES = [path.relative_to(installed_folder()).as_posix() for path in installed_files()]
SMALL = [
    "trainer.device=cpu",
    "dataset.train=3",
    "dataset.dev=2",
    "dataset.test=2",
]


def test_the_published_recipes_are_there():
    assert {
        "sdt_iemocap",
        "sdt_meld",
        "bclstm_iemocap",
        "mmgcn_iemocap",
        "mm_dfn_iemocap",
        "late_fusion_iemocap",
    } <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_loads_without_notices_and_its_resolved_form_repeats_it(name, folder):
    loaded = recipes.load(installed_folder() / f"{name}.yaml")
    (folder / "again.yaml").write_text(loaded.recipe.to_yaml(), encoding="utf-8")
    assert recipes.load("again.yaml").recipe == loaded.recipe
    assert not [notice for notice in loaded.notices if "ercframe " in notice]


@pytest.mark.parametrize("name", NAMES)
def test_its_demo_fits_together(name, folder):
    experiment = assemble(recipes.load(name, SMALL, demo=True))
    assert experiment.info.generated
    width = sum(p.numel() for p in experiment.learner().parameters())
    assert width < 3_000_000, "a demo must be small enough for two CPU cores"


@pytest.mark.parametrize("name", NAMES)
def test_without_its_data_it_gives_three_commands_that_make_it(name, folder):
    with pytest.raises(InputError) as caught:
        assemble(recipes.load(name))
    corpus = name.rpartition("_")[2]
    assert f"no bundle at data/{corpus}" in str(caught.value)
    steps = re.findall(r"^  (\d)\. (.*)$", caught.value.help, re.MULTILINE)
    assert [number for number, _ in steps] == ["1", "2", "3"]
    assert steps[0][1].startswith("ercframe data import ")
    assert [step for _, step in steps[1:]] == [f"ercframe data {verb} data/{corpus}" for verb in ("check", "show")]


@pytest.mark.parametrize(
    ("name", "source", "overrides"),
    [
        ("bclstm_iemocap", ("iemocap/iemocap.npz", "iemocap.npz"), []),
        ("sdt_iemocap", ("iemocap/iemocap.npz", "iemocap.npz"), ["encoder.width=8"]),
        ("bclstm_meld", ("meld", "MELD"), ["modalities=[text,audio]"]),
    ],
)
def test_the_commands_make_the_data(name, source, overrides, folder, real_data):
    (folder / source[1]).symlink_to(real_data / source[0])
    if "meld" in name:
        (folder / "meld.npz").symlink_to(real_data / "meld" / "meld.npz")
    for step in re.findall(r"^  \d\. ercframe (.*)$", recipes.load(name).recipe.data_help, re.MULTILINE):
        assert run_app(shlex.split(step)) == 0
    assert assemble(recipes.load(name, overrides)).info.splits["train"] > 100


@pytest.mark.parametrize("file", FILES)
def test_its_first_line_names_the_schema_for_editors(file):
    path = installed_folder() / file
    first, second = path.read_text(encoding="utf-8").splitlines()[:2]
    schema = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / schema).resolve() == (installed_folder() / "schema.json").resolve()
    assert second.startswith("# ")


@pytest.mark.parametrize("name", NAMES)
def test_its_header_has_a_summary_and_the_command(name):
    comment = [line for line in (installed_folder() / f"{name}.yaml").read_text().splitlines() if line.startswith("# ")]
    assert installed_summary(name)[-1] == "."
    assert f"ercframe run recipes/{name}.yaml" in " ".join(comment)


def test_sdt_has_the_published_settings():
    iemocap, meld = recipes.load("sdt_iemocap").recipe, recipes.load("sdt_meld").recipe
    for recipe in (iemocap, meld):
        encoder, optimizer = recipe.encoder.config, recipe.trainer.optimizer
        assert (encoder.width, encoder.heads, encoder.dropout, encoder.streams) == (1024, 8, 0.5, "all")
        assert (optimizer.name, optimizer.weight_decay) == ("adam", 1e-5)
        distill = recipe.losses["distill"]
        assert distill.weight == {"hard": 1.0, "soft": 1.0}
        assert not distill.config.detach_teacher
        assert not distill.config.scale_by_temperature

    def published(recipe):
        trainer, distill = recipe.trainer, recipe.losses["distill"].config
        weights = recipe.losses["task"].config.class_weights
        assert distill.class_weights == weights
        return (
            trainer.optimizer.lr,
            trainer.batch_dialogues,
            trainer.epochs,
            distill.temperature,
            weights,
            recipe.fusion.config.unimodal_gate,
        )

    assert published(iemocap) == (1e-4, 16, 150, 1.0, "inverse_frequency", "learned")
    assert published(meld) == (5e-6, 8, 50, 8.0, "none", "silu")


def test_multiemo_has_the_published_settings():
    iemocap, meld = recipes.load("multiemo_iemocap").recipe, recipes.load("multiemo_meld").recipe

    def published(recipe):
        fusion, losses, trainer = recipe.fusion.config, recipe.losses, recipe.trainer
        assert recipe.encoder.config.emotion_width * 2 == 256  # of both directions: what the released code calls 256
        assert (fusion.heads, fusion.hidden, fusion.dropout, fusion.window) == (4, 1024, 0.0, None)
        assert (trainer.optimizer.lr, trainer.optimizer.weight_decay) == (1e-4, 1e-5)
        contrast = losses["contrast"].config
        weights = [losses[name].weight for name in ("task", "contrast", "correlation")]
        assert sum(weights) == pytest.approx(1)
        return (
            fusion.layers,
            trainer.epochs,
            trainer.batch_dialogues,
            contrast.temperature,
            contrast.gamma,
            (
                contrast.alpha,
                *weights,
            ),
        )

    assert published(iemocap) == (6, 100, 64, 0.8, 2.4, (1.1, 0.2, 0.4, 0.4))
    assert published(meld) == (2, 15, 100, 1.4, 2.0, (1.2, 0.4, 0.3, 0.3))
    assert iemocap.encoder.config.recurrent is None
    assert meld.encoder.config.recurrent == ("audio", "visual")


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("_meld")])
def test_a_variant_differs_from_its_sibling_only_where_it_says_so(name):
    meld, iemocap = (recipes.load(n).recipe for n in (name, name.replace("_meld", "_iemocap")))
    assert [slot.name for slot in (meld.encoder, meld.fusion, meld.classifier)] == [
        slot.name for slot in (iemocap.encoder, iemocap.fusion, iemocap.classifier)
    ]
    assert str(meld.dataset.config.path) == "data/meld"
