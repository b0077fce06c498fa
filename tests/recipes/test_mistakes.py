"""Wrong recipes: each mistake with its whole message."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from small_recipe import MINE

from ercframe import InputError, recipes
from ercframe.build import assemble
from ercframe.plugins import load as load_plugins
from ercframe.recipes.files import installed_names

FUSIONS = ", ".join(load_plugins().names("fusion"))
LOSSES = ", ".join(load_plugins().names("loss"))
RECIPES = ", ".join(installed_names())


@dataclass
class Mistake:
    """A recipe that is wrong.

    Attributes:
        message: the whole error.
        change: text of the small recipe and what takes its place.
        content: the whole file instead; None where it is the small recipe.
        overrides: ``key=value`` arguments.
        files: other files in the folder.
        recipe: what is loaded.
    """

    message: str
    change: tuple[str, str] = ("", "")
    content: str | bytes | None = None
    overrides: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    recipe: str = "mine.yaml"

    def load(self, folder: Path) -> recipes.Loaded:
        """Write the files and load the recipe."""
        old, new = self.change
        assert old in MINE
        content = MINE.replace(old, new, 1) if self.content is None else self.content
        (folder / "mine.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
        for name, text in self.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        return recipes.load(self.recipe, self.overrides)


def one(where: str, key: str, message: str) -> str:
    """The error of a recipe with one problem."""
    return (
        f"1 problem in mine.yaml\n  {where}  {key}  {message}"
        if key
        else f"1 problem in mine.yaml\n  {where}  {message}"
    )


def command_line(key: str, message: str) -> str:
    return one("command line", key, message)


LOADING = {
    # keys and names
    "misspelt slot": Mistake(
        "2 problems in mine.yaml\n"
        f"  1:1  fusion  must be given: {{type: …}}, one of {FUSIONS}\n"
        "  4:1  fusoin  unknown key; did you mean 'fusion'?",
        change=("fusion:", "fusoin:"),
    ),
    "misspelt setting": Mistake(
        one("3:27", "encoder.widht", "unknown key; did you mean 'width'?"), change=("width: 8", "widht: 8")
    ),
    "misspelt nested setting": Mistake(
        one("11:15", "trainer.optimizer.lrr", "unknown key; did you mean 'lr'?"), change=("lr:", "lrr:")
    ),
    "misspelt type": Mistake(
        one("4:23", "fusion.typ", "unknown key; did you mean 'type'?"),
        change=("type: gated", "type: gated, typ: gated"),
    ),
    "unknown setting without a neighbour": Mistake(
        one("4:23", "fusion.xyz", "unknown key; known: temperature, type"),
        change=("type: gated", "type: gated, xyz: 1"),
    ),
    "misspelt component": Mistake(
        one("4:16", "fusion.type", f"unknown fusion 'gatd'; did you mean 'gated'? Installed: {FUSIONS}."),
        change=("gated", "gatd"),
    ),
    "component of another kind": Mistake(
        one("4:16", "fusion.type", f"unknown fusion 'bilstm'. Installed: {FUSIONS}."), change=("gated", "bilstm")
    ),
    "misspelt choice": Mistake(
        one("12:18", "protocol.name", "must be one of 'heldout', 'paper' (got 'papr'); did you mean 'paper'?"),
        change=("{seeds: 1}", "{name: papr}"),
    ),
    "misspelt choice beside a list": Mistake(
        one(
            "7:46",
            "losses.task.class_weights",
            "must be one of 'none', 'inverse_frequency' or a list (got 'inverse_freq'); "
            "did you mean 'inverse_frequency'?",
        ),
        change=("cross_entropy", "cross_entropy, class_weights: inverse_freq"),
    ),
    # types
    "number as text": Mistake(
        one("11:19", "trainer.optimizer.lr", "must be a number (got '1e-3'); remove the quotes"),
        change=("1e-3", "'1e-3'"),
    ),
    "text for a number": Mistake(
        one("11:19", "trainer.optimizer.lr", "must be a number (got 'fast')"), change=("1e-3", "fast")
    ),
    "truth for a number": Mistake(
        one("10:11", "trainer.epochs", "must be a whole number (got true)"), change=("2", "true")
    ),
    "fraction for a whole number": Mistake(
        one("10:11", "trainer.epochs", "must be a whole number (got 2.5)"), change=("2", "2.5")
    ),
    "YAML 1.1 truth": Mistake(
        one("12:23", "protocol.show_gap", "must be true or false (got 'no')"), change=("{seeds: 1}", "{show_gap:  no}")
    ),
    "null where there must be a value": Mistake(
        one("10:10", "trainer.epochs", "must be a whole number (got null)"), change=("epochs: 2", "epochs:")
    ),
    "mapping for a number": Mistake(
        one("10:11", "trainer.epochs", "must be a whole number (got a mapping)"), change=("2", "{from: 1}")
    ),
    "number for a mapping": Mistake(one("12:11", "protocol", "must be a mapping (got 3)"), change=("{seeds: 1}", "3")),
    "text for a slot": Mistake(
        one("4:9", "fusion", "must be a mapping {type: …} (got 'gated')"), change=("{type: gated}", "gated")
    ),
    "slot without a type": Mistake(
        one("4:9", "fusion", f"must have a type, one of {FUSIONS}"), change=("{type: gated}", "{}")
    ),
    "type that is no text": Mistake(
        one("4:16", "fusion.type", f"must be one of {FUSIONS} (got 3)"), change=("{type: gated}", "{type: 3}")
    ),
    "text for a list": Mistake(
        one("1:13", "modalities", "must be a list (got 'text')"), change=("[text, audio]", "text")
    ),
    "mapping for the list of transforms": Mistake(
        one("12:13", "transforms", "must be a list of mappings {type: …} (got a mapping)"),
        change=("protocol: {seeds: 1}", "transforms: {type: modality_dropout}"),
    ),
    # bounds
    "too small": Mistake(one("10:11", "trainer.epochs", "must be at least 1 (got 0)"), change=("2", "0")),
    "not above zero": Mistake(
        one("11:19", "trainer.optimizer.lr", "must be above 0 (got 0.0)"), change=("1e-3", "0.0")
    ),
    "too large": Mistake(
        one("5:37", "classifier.dropout", "must be below 1 (got 1.5)"), change=("linear", "linear, dropout: 1.5")
    ),
    "not a number": Mistake(one("11:19", "trainer.optimizer.lr", "must be finite (got .nan)"), change=("1e-3", ".nan")),
    "infinite": Mistake(one("11:19", "trainer.optimizer.lr", "must be finite (got .inf)"), change=("1e-3", ".inf")),
    "either a number or a list, and neither": Mistake(
        one("12:19", "protocol.seeds", "must be at least 1 or a list (got 0)"), change=("seeds: 1", "seeds: 0")
    ),
    "bad entry of a list": Mistake(
        one("12:23", "protocol.seeds[1]", "must be at least 0 (got -1)"), change=("seeds: 1", "seeds: [0, -1]")
    ),
    "text that does not match": Mistake(
        one("10:11", "trainer.device", r"must be text that matches ^(auto|cpu|cuda(:\d+)?)$ (got 'gpu')"),
        change=("epochs: 2", "device: gpu"),
    ),
    "settings that contradict each other": Mistake(
        one("3:10", "encoder", "width must be divisible by heads (got width 8, heads 3)"),
        change=("type: identity", "type: intra_inter_transformer, heads: 3"),
    ),
    # slots
    "missing slot": Mistake(
        one("1:1", "fusion", f"must be given: {{type: …}}, one of {FUSIONS}"), change=("fusion: {type: gated}\n", "")
    ),
    "missing modalities": Mistake(
        one("1:1", "modalities", "must be given"), change=("modalities: [text, audio]\n", "")
    ),
    "missing losses": Mistake(
        one("1:1", "losses", "must be given: a name and {type: …} for each loss"),
        content=MINE[: MINE.index("losses:")] + MINE[MINE.index("trainer:") :],
    ),
    "no loss left": Mistake(
        one("7:3", "losses", "must have at least one loss (got none)"),
        overrides=("losses.task=null", "losses.distill=null"),
    ),
    "missing setting": Mistake(
        one("2:10", "dataset.path", "must be given"),
        change=("type: synthetic, train: 6, dev: 3, test: 3", "type: bundle"),
    ),
    "no modality": Mistake(
        one("1:13", "modalities", "must be a list with at least 1 entry (got an empty list)"),
        change=("[text, audio]", "[]"),
    ),
    "modality twice": Mistake(
        one("1:13", "modalities", "must differ from each other (got 'text' more than once)"),
        change=("[text, audio]", "[text, text]"),
    ),
    "modality with a dot": Mistake(
        one("1:14", "modalities[0]", "must be letters, digits and underscores, a letter first (got 'a.b')"),
        change=("[text", "[a.b"),
    ),
    "modality that would hide a method": Mistake(
        one("1:14", "modalities[0]", "must be another name (got 'type', which every PyTorch module uses itself)"),
        change=("[text", "[type"),
    ),
    "weight of a term that the loss does not have": Mistake(
        one("8:58", "losses.distill.weight.sfot", "unknown key; did you mean 'soft'?"), change=("soft", "sfot")
    ),
    "negative weight": Mistake(
        one("7:39", "losses.task.weight", "must be at least 0 or a mapping (got -1)"),
        change=("cross_entropy", "cross_entropy, weight: -1"),
    ),
    # YAML
    "duplicate key": Mistake(
        one("5:1", "fusion", "duplicate key; first at 4:1"),
        change=("classifier: {type: linear}", "fusion: {type: gated}\nclassifier: {type: linear}"),
    ),
    "merge key": Mistake(
        one(
            "12:12",
            "<<",
            "YAML 1.2 has no merge keys; repeat the settings, or let extends: name what to start from",
        ),
        change=("protocol: {seeds: 1}", "protocol: {<<: {seeds: 1}}"),
    ),
    "tab": Mistake(
        one("10:1", "", "must be indented and separated by spaces (got a tab)"), change=("  epochs", "\tepochs")
    ),
    "bracket that is not closed": Mistake(
        one("2:8", "", "must be valid YAML: expected ',' or ']', but got ':'"), change=("audio]", "audio")
    ),
    "wrong indentation": Mistake(
        one("11:13", "", "must be valid YAML: mapping values are not allowed here"),
        change=("  optimizer", "   optimizer"),
    ),
    "tag": Mistake(
        one("4:16", "", "must not have a tag (got !!python/name:os.system)"),
        change=("type: gated", "type: !!python/name:os.system gated"),
    ),
    "key that is a number": Mistake(
        one("7:3", "", "a key must be text (got 1); put it in quotes"), change=("task", "1")
    ),
    "alias inside what it names": Mistake(
        one("1:17", "", "alias '*a' must come after the whole of what it names"), change=("[text, audio]", "&a [*a]")
    ),
    "two documents": Mistake(
        one("14:1", "", "must hold one YAML document (got a second one)"), content=MINE + "---\na: 1\n"
    ),
    "empty file": Mistake(
        one("1:1", "", "must be a mapping with keys such as modalities, dataset and encoder (got an empty file)"),
        content="",
    ),
    "list": Mistake(
        one("1:1", "", "must be a mapping with keys such as modalities, dataset and encoder (got a list)"),
        content="- a\n",
    ),
    "binary file": Mistake(
        "mine.yaml must be text in UTF-8 (got byte 0x89 at offset 0)", content=b"\x89PNG\r\n\x1a\n\x00"
    ),
    "escape sequence": Mistake(
        one("12:21", "protocol.monitor", "must be one of 'weighted_f1', 'accuracy', 'macro_f1' (got '\\x1b[31m')"),
        change=("seeds: 1", 'monitor: "\\e[31m"'),
    ),
    "control character": Mistake(one("1:2", "", "must be text (got the character 0x00)"), content="a\0: 1\n"),
    "huge file": Mistake("mine.yaml must be a recipe of at most 1000000 bytes (got more)", content="a" * 1_000_001),
    # extends
    "unknown recipe to extend": Mistake(
        "1 problem in mine.yaml\n"
        "  1:10  extends  must be a recipe file or the name of an installed recipe (got 'bse.yaml'); "
        "did you mean 'base.yaml'?",
        content="extends: bse.yaml\n" + MINE,
        files={"base.yaml": MINE},
    ),
    "unknown recipe to extend, and nothing of one's own": Mistake(
        "2 problems in mine.yaml\n"
        "  1:10  extends        must be a recipe file or the name of an installed recipe (got 'sdt_iemocp'); "
        "did you mean 'sdt_iemocap'?\n"
        "  3:5   encoder.widht  unknown key; did you mean 'width'?",
        content="extends: sdt_iemocp\nencoder: {type: identity,\n    widht: 3}\nfusion: {temperature: 2}\n",
    ),
    "extends itself": Mistake(
        one("1:10", "extends", "must not lead back to the recipe itself (got mine.yaml → mine.yaml)"),
        content="extends: mine.yaml\n" + MINE,
    ),
    "extends in a circle": Mistake(
        one(
            "1:10",
            "extends",
            "must not lead back to the recipe itself (got mine.yaml → a.yaml → mine.yaml) (from a.yaml:1:10)",
        ),
        content="extends: a.yaml\n" + MINE,
        files={"a.yaml": "extends: mine.yaml\n"},
    ),
    "mistake in what it extends": Mistake(
        "2 problems in mine.yaml\n"
        "  2:10  trainer.epochs  must be at least 1 (got 0) (from base.yaml:10:11)\n"
        "  3:12  fusion.widht    unknown key; known: temperature, type",
        content="# mine\nextends: base.yaml\nfusion:   {widht: 3}\n",
        files={"base.yaml": MINE.replace("epochs: 2", "epochs: 0")},
    ),
    "syntax of what it extends": Mistake(
        "1 problem in base.yaml\n  1:5  must be valid YAML: mapping values are not allowed here",
        content="extends: base.yaml\n",
        files={"base.yaml": "a: b: c\n"},
    ),
    # the command line
    "override without a value": Mistake(
        command_line("trainer.epochs", "must be key=value, such as trainer.epochs=10"), overrides=("trainer.epochs",)
    ),
    "override with nothing after the sign": Mistake(
        command_line("trainer.epochs", "must have a value after '='; null sets to nothing"),
        overrides=("trainer.epochs=",),
    ),
    "override with an empty key": Mistake(
        command_line("trainer..epochs=3", "must be key=value, such as trainer.epochs=10"),
        overrides=("trainer..epochs=3",),
    ),
    "override with an endless key": Mistake(
        command_line("a" + 31 * ".a" + "=1", "must be key=value, such as trainer.epochs=10"),
        overrides=("a" + 31 * ".a" + "=1",),
    ),
    "override with an endless number": Mistake(
        command_line("trainer.optimizer.lr", f"must be finite (got {59 * '9'}…)"),
        overrides=(f"trainer.optimizer.lr={390 * '9'}",),
    ),
    "override of a setting that is further in": Mistake(
        command_line("lr", "unknown key; did you mean 'trainer.optimizer.lr'?"), overrides=("lr=3",)
    ),
    "override of a setting that is one step further in": Mistake(
        command_line("trainer.lr", "unknown key; did you mean 'trainer.optimizer.lr'?"), overrides=("trainer.lr=3",)
    ),
    "override of a part's setting": Mistake(
        command_line("width", "unknown key; did you mean 'encoder.width'?"), overrides=("width=3",)
    ),
    "override of an unknown key": Mistake(
        command_line("trainer.epocs", "unknown key; did you mean 'epochs'?"), overrides=("trainer.epocs=3",)
    ),
    "override of an unknown slot": Mistake(
        command_line("encodr", "unknown key; did you mean 'encoder'?"), overrides=("encodr.width=3",)
    ),
    "override that is no YAML": Mistake(
        command_line("modalities", "must be valid YAML: expected ',' or ']', but got '<stream end>'"),
        overrides=("modalities=[text",),
    ),
    "override out of range": Mistake(
        command_line("trainer.epochs", "must be at least 1 (got 0)"), overrides=("trainer.epochs=0",)
    ),
    "override of extends": Mistake(
        command_line("extends", "must be written in the recipe file"), overrides=("extends=sdt_iemocap",)
    ),
    # demo
    "misspelt key in demo": Mistake(
        one("13:8", "encoder.widht", "unknown key; did you mean 'width'?"),
        change=("encoder.width: 4", "encoder.widht: 4"),
    ),
    "bad value in demo": Mistake(
        one("13:23", "encoder.width", "must be at least 1 (got 0)"), change=("width: 4", "width: 0")
    ),
    "demo with an empty key": Mistake(
        one("13:8", "demo.encoder.", "must be a dotted key, such as trainer.epochs"),
        change=("encoder.width: 4", "encoder.: 4"),
    ),
    "demo that is no mapping": Mistake(
        one("13:7", "demo", "must be a mapping of dotted keys, such as {trainer.epochs: 3} (got true)"),
        change=("{encoder.width: 4}", "true"),
    ),
    # plugins
    "missing plugin file": Mistake(
        one("14:11", "plugins[0]", "must be an existing Python file, relative to the recipe (got 'mine.py')"),
        content=MINE + "plugins: [mine.py]\n",
    ),
    "plugins that are no list": Mistake(
        one("14:10", "plugins", "must be a list of Python files (got 'mine.py')"), content=MINE + "plugins: mine.py\n"
    ),
    "broken plugin": Mistake(
        one(
            "4:16",
            "fusion.type",
            f"unknown fusion 'mine'. Installed: {FUSIONS}. Plugins that failed to load: "
            "FOLDER/mine.py: ModuleNotFoundError: No module named 'nowhere'",
        ),
        content=MINE.replace("gated", "mine") + "plugins: [mine.py]\n",
        files={"mine.py": "import nowhere\n"},
    ),
    # which recipe
    "unknown recipe": Mistake(
        "there is no recipe 'sdt_iemocp'; did you mean 'sdt_iemocap'?\n\n"
        f"Give a file, or the name of an installed recipe: {RECIPES}",
        recipe="sdt_iemocp",
    ),
    "folder": Mistake(
        "folder.yaml must be a recipe file, or a run folder with recipe.yaml in it (got another folder)",
        recipe="folder.yaml",
    ),
}


@pytest.mark.parametrize("mistake", LOADING.values(), ids=LOADING.keys())
def test_what_is_wrong_with_a_recipe_is_said_exactly(mistake, folder):
    (folder / "folder.yaml").mkdir()
    with pytest.raises(InputError) as caught:
        mistake.load(folder)
    assert str(caught.value).replace(str(folder), "FOLDER") == mistake.message


def unfit(where: str, key: str, message: str) -> str:
    """The error of parts that are right one by one."""
    return f"the parts of 'mine' do not fit\n  {where}  {key}  {message}"


BUILDING = {
    "loss that needs what the fusion lacks": Mistake(
        unfit(
            "mine.yaml:8:12",
            "losses.distill",
            "loss 'self_distillation' needs one representation per modality; fusion 'tensor' provides none. "
            "Fusions that do: concat, cross_attention, dynamic_graph, gated, graph, hierarchical_gated",
        ),
        change=("gated", "tensor"),
    ),
    "class weights for another corpus": Mistake(
        unfit(
            "mine.yaml:7:9",
            "losses.task",
            "loss 'cross_entropy': class_weights must have one number for each of the 6 emotions neutral, happy, sad, "
            "angry, excited, frustrated (got 2)",
        ),
        change=("cross_entropy", "cross_entropy, class_weights: [1, 2]"),
    ),
    "modality that the bundle does not have": Mistake(
        "bundle has no modality 'txet'; it has text, audio; did you mean 'text'?\n\n"
        "To train on what it has: modalities=[text,audio]",
        change=("dataset: {type: synthetic, train: 6, dev: 3, test: 3}", "dataset: {type: bundle, path: bundle}"),
        overrides=("modalities=[txet,audio]",),
    ),
    "missing bundle": Mistake(
        "dataset.path: no bundle at data/none\n\n1. import it\n2. check it\n3. run again\n"
        "Add --demo to see the recipe on generated conversations first.",
        content=MINE.replace("{type: synthetic, train: 6, dev: 3, test: 3}", "{type: bundle, path: data/none}")
        + "data_help: |\n  1. import it\n  2. check it\n  3. run again\n",
    ),
    "path of one's own that is no bundle": Mistake(
        f"dataset.path: no bundle at {Path(__file__).resolve()}: it is a file\n\n"
        "A bundle is a folder that `ercframe data import` makes. Paths are relative to FOLDER.",
        content=MINE + "data_help: import it\n",
        overrides=(f"dataset={{type: bundle, path: {Path(__file__).resolve()}}}",),
    ),
}


@pytest.mark.parametrize("mistake", BUILDING.values(), ids=BUILDING.keys())
def test_what_does_not_fit_together_is_said_exactly(mistake, folder, tiny_bundle):
    loaded = mistake.load(folder)
    with pytest.raises(InputError) as caught:
        assemble(loaded)
    assert str(caught.value).replace(str(folder), "FOLDER") == mistake.message


def test_the_small_recipe_has_no_mistake(mine):
    assemble(recipes.load(mine))
