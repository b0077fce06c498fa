"""Commands: ``ercframe data import | show | check``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ercframe.errors import InputError, Problem, nearest

if TYPE_CHECKING:
    from ercframe.components import Importer

commands = typer.Typer(no_args_is_help=True, help="Import, show and check bundles of features and labels.")

BundlePath = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of the bundle.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(commands, name="data")


@commands.command("import")
def import_(
    importer: Annotated[str, typer.Argument(help="Name of an importer; `ercframe list importer` names them.")],
    source: Annotated[Path, typer.Argument(help="File or folder to read.")],
    bundle: Annotated[Path, typer.Argument(help="Folder to write.")],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Settings of the importer; `ercframe show importer/NAME`."),
    ] = None,
    modality: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=ARRAY[,ARRAY...]", help="A modality and the arrays joined for it; repeat for more."),
    ] = None,
    features: Annotated[Path | None, typer.Option(help="File with features, where they are not in SOURCE.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle that is there.")] = False,
    plugin: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A Python file with an importer of your own.")
    ] = None,
) -> None:
    """Read foreign files once and write a bundle.

    What deserves a look is listed and kept in the manifest. The bundle appears when it is complete, never in part.
    """
    from ercframe import __version__, plugins
    from ercframe.cli.data_tables import console, print_findings, print_manifest
    from ercframe.data.writer import refuse_to_overwrite, write_bundle

    refuse_to_overwrite(bundle, force)
    kind: Any = plugins.load(plugin or []).get("importer", importer)
    config = _configure(kind, settings or [], modality or [], features)
    with _working() as on_step:
        on_step(f"reading {source}")
        corpus = kind(config).read(source)
        made_with = (importer, _portable(config))
        manifest = write_bundle(corpus, bundle, *made_with, version=__version__, force=force, on_step=on_step)
    print_findings(console(), corpus.findings)
    print_manifest(console(), manifest, bundle)


def _configure(kind: type[Importer], settings: list[str], modalities: list[str], features: Path | None) -> Any:
    """The importer's config from the command line.

    Raises:
        InputError: something given is unknown or has a wrong value; lists every problem.
    """
    from pydantic import ValidationError

    given: dict[str, Any] = {}
    problems = [p for text in settings if (p := _set(given, text))]
    problems += [p for text in modalities if (p := _choose(given.setdefault("modalities", {}), text))]
    if features is not None:
        given["features"] = features
    known = kind.Config.model_fields
    for option, field in (("--modality", "modalities"), ("--features", "features")):
        if field in given and field not in known:
            problems.append(Problem("command line", option, f"importer '{kind.name}' has no such option"))
            del given[field]
    try:
        config = kind.Config.model_validate(given)
    except ValidationError as error:
        problems += [_in_words(e, list(known)) for e in error.errors()]
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise InputError(f"{count} in the settings of importer '{kind.name}'", problems)
    return config


def _set(given: dict[str, Any], text: str) -> Problem | None:
    """Put ``a.b=value`` into nested dictionaries; lists and null are written as in YAML."""
    import yaml

    key, equals, value = text.partition("=")
    if not (key and equals):
        return Problem("command line", text, "must be KEY=VALUE")
    *parents, last = key.split(".")
    for parent in parents:
        given = given.setdefault(parent, {})
    try:
        given[last] = yaml.safe_load(value) if value[:1] in ("[", "{") or value == "null" else value
    except yaml.YAMLError:
        return Problem("command line", key, f"must be a list or mapping as YAML has it (got {value!r})")
    return None


def _choose(modalities: dict[str, tuple[str, ...]], text: str) -> Problem | None:
    """Add ``name=array,array`` to the choice of modalities."""
    name, _, arrays = text.partition("=")
    if not name or not all(arrays.split(",")):
        return Problem("command line", "--modality", f"must be NAME=ARRAY or NAME=ARRAY,ARRAY… (got {text!r})")
    if name in modalities:
        return Problem("command line", "--modality", f"must name every modality once (got '{name}' again)")
    modalities[name] = tuple(arrays.split(","))
    return None


def _in_words(error: Any, known: list[str]) -> Problem:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return Problem("command line", key, f"unknown key{nearest(key, known) or '; keys: ' + ', '.join(known)}")
    return Problem("command line", key, f"{error['msg']} (got {error['input']!r})")


def _portable(config: Any) -> dict[str, Any]:
    """Settings for the manifest; of a path only the name, since folders differ between machines."""
    values = {name: getattr(config, name) for name in type(config).model_fields}
    plain: dict[str, Any] = config.model_dump(mode="json")
    return plain | {name: value.name for name, value in values.items() if isinstance(value, Path)}


@contextmanager
def _working() -> Iterator[Callable[[str], None]]:
    """Say what is being done while it is done, where somebody watches."""
    from rich.console import Console

    watched = Console(stderr=True)
    if not watched.is_terminal:
        yield lambda step: None
        return
    with watched.status("") as status:
        yield lambda step: status.update(f"{step} …")
