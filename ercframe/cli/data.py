"""Commands: ``ercframe data import``, ``extract``, ``show`` and ``check``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ercframe.cli.options import PluginFiles
from ercframe.cli.working import working

commands = typer.Typer(
    no_args_is_help=True, help="Import, extract, show and check bundles: features, labels and provenance."
)

BundleFolder = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of the bundle.")]
AllPlaces = Annotated[bool, typer.Option("--all", help="Name every place, not only the first few.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(commands, name="data")


@commands.command("import")
def import_(
    importer: Annotated[str, typer.Argument(metavar="IMPORTER", help="Its name; `ercframe list importer` has them.")],
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="File or folder to read.")],
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder to write.")],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Its settings; `ercframe show importer/NAME` has them."),
    ] = None,
    modality: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=ARRAY[,ARRAY]", help="A modality and the arrays joined for it. Repeat for more."),
    ] = None,
    features: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File with the features, where SOURCE has none.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(metavar="MAP", help="Label map: a YAML file of old names to new, or an installed one.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle that is there.")] = False,
    plugin: PluginFiles = None,
) -> None:
    """Read foreign files once and write a bundle.

    What deserves a look is listed and kept in the manifest; what cannot be right is refused, all of it at once.
    The bundle appears when it is complete, never in part.
    """
    from ercframe import __version__, plugins
    from ercframe.cli.data_settings import configure, portable
    from ercframe.cli.data_tables import print_findings, print_manifest
    from ercframe.data.label_map import relabelled
    from ercframe.data.manifest import MANIFEST, MadeBy
    from ercframe.data.new_folder import refuse_to_overwrite
    from ercframe.data.writer import origin, write_bundle
    from ercframe.recipes.label_maps import read_label_map

    refuse_to_overwrite(bundle, force, MANIFEST, "bundle")
    label_map = read_label_map(labels) if labels is not None else None
    kind: Any = plugins.load(plugin or []).get("importer", importer)
    config = configure(kind, settings or [], modality or [], features)
    with working() as on_step:
        on_step(f"reading {source}")
        corpus = kind(config).read(source)
        if label_map is not None:
            corpus = relabelled(corpus, label_map, str(labels))
        made_by = MadeBy(
            ercframe=__version__,
            importer=importer,
            settings=portable(config),
            sources=tuple(origin(file) for file in corpus.sources),
        )
        manifest = write_bundle(corpus, bundle, made_by, force=force, on_step=on_step)
    print_findings(corpus.findings)
    print_manifest(manifest, bundle)


@commands.command("extract")
def extract(
    extractor: Annotated[
        str, typer.Argument(metavar="EXTRACTOR", help="Its name; `ercframe list extractor` has them.")
    ],
    bundle: BundleFolder,
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Its settings; `ercframe show extractor/NAME` has them."),
    ] = None,
    modality: Annotated[
        str | None, typer.Option("--as", metavar="MODALITY", help="Name of the modality, instead of its usual one.")
    ] = None,
    media: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the paths of the bundle's recordings start.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="DEVICE", help="cpu, cuda, cuda:1; CUDA where there is one if left out.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processes that read files; one for each core if left out.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first broken file, with exit code 1.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a modality that is there.")] = False,
    plugin: PluginFiles = None,
    all_places: AllPlaces = False,
) -> int:
    """Compute the features of a modality from a bundle's text, times or recordings, and add them to the bundle.

    Stopped in whatever way, the same command goes on where it was. What is broken is listed at the end and is not
    available; the bundle changes only when everything is done.
    """
    from ercframe.cli.data_extract import run

    options = {"--media": media, "--device": device, "--workers": workers}
    return run(
        extractor, bundle, settings or [], modality, options, strict, force, tuple(plugin or ()), every_place=all_places
    )


@commands.command("show")
def show(bundle: BundleFolder) -> None:
    """Show what a bundle holds: splits, emotions, modalities and where they come from."""
    from ercframe.cli.data_tables import print_bundle
    from ercframe.data.reader import Bundle

    print_bundle(Bundle(bundle))


@commands.command("check")
def check(
    bundle: BundleFolder,
    all_places: AllPlaces = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the findings, with every place, to a file.")
    ] = None,
) -> None:
    """Check a bundle for damage, faults of labels and features, and leaks of the answer or between splits.

    Exits with 1 if there are errors, otherwise with 0.
    """
    from ercframe.cli.data_tables import print_findings
    from ercframe.data.check import check_bundle
    from ercframe.data.findings import as_json
    from ercframe.files import write_json

    with working() as on_step:
        findings = check_bundle(bundle, on_step)
    if json_file is not None:
        write_json(json_file, as_json(findings))
    print_findings(findings, every_place=all_places, summary=str(bundle))
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)
