"""The documentation builds without a warning, its links lead somewhere, and what it tells a reader to do works."""

import contextlib
import importlib.util
import io
import re
import shlex
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import torch
from guide import blocks, write_files
from sphinx.util.inventory import InventoryFile

from ercframe.cli.app import run_app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WORDS = ("utterance", "dialogue", "modality", "stream", "component", "plugin", "recipe", "bundle", "protocol", "run")
LINK = re.compile(r'<(?:a|link|script|img)\s[^>]*?(?:href|src)="([^"]+)"')


def test_it_builds_without_a_warning(built_site):
    assert built_site[1] == ""


class TestLinks:
    def test_every_link_within_the_site_leads_to_a_page_and_a_place_on_it(self, site):
        anchors = {page: set(re.findall(r'\sid="([^"]+)"', page.read_text("utf-8"))) for page in site.rglob("*.html")}
        dead = []
        for page in anchors:
            for link in LINK.findall(page.read_text(encoding="utf-8")):
                url = urlsplit(link.replace("&amp;", "&"))
                if url.scheme or url.netloc:
                    continue
                target = (page.parent / unquote(url.path)).resolve() if url.path else page
                fragment = unquote(url.fragment)
                if not target.is_file() or (fragment and target in anchors and fragment not in anchors[target]):
                    dead.append(f"{page.relative_to(site)}: {link}")
        assert dead == []

    def test_links_to_elsewhere_are_well_formed(self, site):
        links = {link for page in site.rglob("*.html") for link in LINK.findall(page.read_text("utf-8"))}
        foreign = {link for link in links if ":" in link.split("/")[0]}
        assert foreign
        wrong = [
            link
            for link in foreign
            if urlsplit(link).scheme != "https" or not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", urlsplit(link).netloc)
        ]
        assert wrong == []

    def test_nothing_that_a_page_shows_is_loaded_from_elsewhere(self, site):
        for page in site.rglob("*.html"):
            loaded = re.findall(r'<(?:script|img)\s[^>]*?src="([^"]+)"', page.read_text(encoding="utf-8"))
            loaded += re.findall(r'<link[^>]*?rel="stylesheet"[^>]*?href="([^"]+)"', page.read_text(encoding="utf-8"))
            assert [link for link in loaded if "//" in link] == [], page

    def test_links_to_python_names_lead_to_the_reference(self, site):
        with (site / "objects.inv").open("rb") as file:
            found = InventoryFile.load(file, "", lambda base, path: path)
        known = {name for kind in found if kind.startswith("py:") for name in found[kind]}
        named = {
            target
            for page in DOCS.rglob("*.md")
            for target in re.findall(r"\{py:\w+\}`~?([\w.]+)`", page.read_text(encoding="utf-8"))
        }
        assert named
        assert named - known == set()

    def test_every_page_is_reached_from_the_first(self, site):
        front = (site / "index.html").read_text(encoding="utf-8")
        pages = {page.stem for page in DOCS.glob("*.md")} - {"index"}
        assert {page for page in pages if f'href="{page}.html"' not in front} == set()


class TestConcepts:
    def test_every_word_has_a_page(self):
        assert {page.stem for page in (DOCS / "concepts").glob("*.md")} == set(WORDS)

    @pytest.mark.parametrize("word", WORDS)
    def test_it_says_what_the_word_means_and_leads_on(self, word):
        text = (DOCS / "concepts" / f"{word}.md").read_text(encoding="utf-8")
        assert text.startswith(f"# {word.capitalize()}\n")
        assert "](" in text

    @pytest.mark.parametrize("word", WORDS)
    def test_its_code_runs_and_prints_what_it_says(self, word):
        names: dict[str, object] = {}
        for block in blocks(DOCS / "concepts" / f"{word}.md"):
            if block.language == "python" and "import" in block.text:
                told = io.StringIO()
                with contextlib.redirect_stdout(told):
                    exec(block.text, names)
                promised = re.findall(r"print\(.*\)  # (.*)", block.text)
                assert told.getvalue().splitlines() == promised

    @pytest.mark.parametrize("word", WORDS)
    def test_its_recipes_load(self, word, tmp_path):
        for block in blocks(DOCS / "concepts" / f"{word}.md"):
            if block.language == "yaml" and "encoder" in block.text:
                (tmp_path / "shown.yaml").write_text(block.text, encoding="utf-8")
                assert run_app(["show", str(tmp_path / "shown.yaml")]) == 0


class TestTutorial:
    page = DOCS / "tutorial.md"

    @pytest.fixture(autouse=True)
    def reader(self, tmp_path, monkeypatch):
        """A folder with the files that a reader has written."""
        write_files(self.page, tmp_path)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    def commands(self, word):
        """The page's commands with this word."""
        found = [shlex.split(c)[1:] for block in blocks(self.page) for c in block.commands if f"ercframe {word}" in c]
        assert found
        return found

    def test_the_fusion_has_twenty_lines(self, reader):
        lines = (reader / "spotlight.py").read_text(encoding="utf-8").partition('"""\n')[2].splitlines()
        assert len([line for line in lines if line.strip()]) <= 20

    def test_its_formula_is_what_the_code_computes(self, reader):
        from ercframe import Stream, Streams, StreamSpec
        from ercframe.testing import example_batch, example_dataset

        loaded = importlib.util.spec_from_file_location("spotlight", reader / "spotlight.py")
        module = importlib.util.module_from_spec(loaded)
        loaded.loader.exec_module(module)
        dataset = example_dataset()
        batch = example_batch(dataset)
        spec = StreamSpec({Stream(m, m): 6 for m in dataset.modalities})
        fusion = module.Spotlight(module.Spotlight.Config(), dataset, spec)
        x = {stream: torch.randn(len(batch.labels), 6) for stream in spec.widths}
        u = fusion.score.weight[0]
        w = torch.stack([x_m @ u for x_m in x.values()]).softmax(dim=0)
        expected = sum(w_m[:, None] * x_m for w_m, x_m in zip(w, x.values(), strict=True))
        torch.testing.assert_close(fusion(Streams(x), batch.context).joint, expected)

    def test_check_says_what_the_page_says(self, capsys):
        (command,) = self.commands("check")
        assert run_app(command) == 0
        told, page = capsys.readouterr().out, self.page.read_text(encoding="utf-8")
        # The suite grows: how many checks there are, and its version, may be those of an earlier day.
        assert re.sub(r"\d+", "1", told) in re.sub(r"\d+", "1", page)

    def test_parts_that_do_not_fit_are_told_as_the_page_says(self, capsys):
        (refused,) = [c for b in blocks(self.page) if b.options.get("class") == "fails" for c in b.commands]
        assert run_app(shlex.split(refused)[1:]) == 2
        told = capsys.readouterr().err.partition(" Encoders that do:")  # more of them may have come
        assert told[0] in self.page.read_text(encoding="utf-8")
        assert "bilstm" in told[2]

    @pytest.mark.slow
    def test_it_trains_and_the_simplest_fusion_is_ahead_as_the_page_says(self):
        import json

        reached = []
        for command in self.commands("run")[:2]:
            assert run_app([*command, "--out", "runs"]) == 0
            (summary,) = Path("runs").rglob("summary.json")
            over_seeds = json.loads(summary.read_text(encoding="utf-8"))["over_seeds"]
            reached.append(over_seeds["selected"]["test"]["accuracy"]["mean"])
            summary.unlink()
        spotlight, concat = reached
        assert concat > spotlight > 0.8


class TestSdt:
    page = DOCS / "sdt.md"
    COMMANDS = [command for block in blocks(page) for command in block.commands]

    @pytest.mark.parametrize("command", COMMANDS)
    def test_each_variation_is_a_recipe(self, command):
        assert run_app(shlex.split(command)[1:]) == 0

    def test_the_figures_are_what_their_script_draws(self):
        loaded = importlib.util.spec_from_file_location("draw", DOCS / "figures" / "draw.py")
        draw = importlib.util.module_from_spec(loaded)
        loaded.loader.exec_module(draw)
        assert {path.stem for path in (DOCS / "figures").glob("*.svg")} == set(draw.FIGURES)
        for name, figure in draw.FIGURES.items():
            assert (DOCS / "figures" / f"{name}.svg").read_text(encoding="utf-8") == figure() + "\n"
            assert f"figures/{name}.svg" in self.page.read_text(encoding="utf-8")

    def test_drawings_have_no_colour_of_their_own_and_say_what_they_show(self):
        for path in (DOCS / "figures").glob("*.svg"):
            text = path.read_text(encoding="utf-8")
            assert set(re.findall(r'(?:fill|stroke)="([^"]+)"', text)) <= {"currentColor", "none"}
            assert re.search(r"<title[^>]*>[^<]{10,}</title><desc[^>]*>[^<]{60,}</desc>", text)


def test_what_other_code_calls_something_leads_to_what_it_is_called_here():
    """Every role resolves, or the build would warn; and each of the four has its table."""
    text = (DOCS / "coming-from.md").read_text(encoding="utf-8")
    assert text.count("| there | here |") == 4
    assert text.count("{erc}`") > 15


def test_the_page_of_the_extension_names_all_that_it_adds():
    from ercframe import sphinxext

    class App:
        """Notes what an extension registers."""

        names: tuple[str, ...] = ()

        def __getattr__(self, method):
            def note(name="", *rest, **options):
                if method in ("add_config_value", "add_directive", "add_role"):
                    self.names += (name,)

            return note

    app = App()
    assert sphinxext.setup(app)["parallel_read_safe"] is True
    text = (DOCS / "sphinxext.md").read_text(encoding="utf-8")
    sources = "".join(p.read_text(encoding="utf-8") for p in Path(sphinxext.__file__).parent.glob("*.py"))
    silenced = set(re.findall(r'subtype="(\w+)"', sources)) - {"erc"} | set(
        re.findall(r'self\.warn\([^)]*"(\w+)"\)', sources)
    )
    assert {"erc_plugins", "erc-component", "erc"} <= set(app.names)
    assert [name for name in app.names if f"`{name}`" not in text and f".. {name}::" not in text] == []
    assert silenced
    assert [name for name in silenced if f"`erc.{name}`" not in text] == []
    options = {name for d in sphinxext.DIRECTIVES.values() for name in d.option_spec}
    assert [name for name in options if f":{name}:" not in text] == []


def test_the_python_of_the_training_page_runs(capsys):
    (block,) = [block for block in blocks(DOCS / "training.md") if block.language == "python"]
    exec(block.text, {})
    assert int(capsys.readouterr().out) > 100_000
