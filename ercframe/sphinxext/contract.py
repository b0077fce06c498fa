"""Whether the components that are shown keep the contract of their kind: the suite of ``ercframe.testing``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.display import status_iterator

from ercframe.components import Component
from ercframe.sphinxext.domain import ErcDomain
from ercframe.sphinxext.installed import digest, registry_of
from ercframe.sphinxext.markup import bullets, code, joined, paragraph
from ercframe.testing.report import examine

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verdict:
    """What the contract suite said of a component with its example settings.

    Attributes:
        key: of what it was said; another key means that it has to be asked again.
        runs: how many checks ran, over every example setting.
        passed: names of the checks that were kept, each once.
        failed: what was broken, each with the message.
        known: what is declared to be broken, each with the reason.
        skipped: what never applied, each with the reason.
    """

    key: str
    runs: int
    passed: tuple[str, ...]
    failed: dict[str, str]
    known: dict[str, str]
    skipped: dict[str, str]


class contract_verdict(nodes.General, nodes.Element):  # noqa: N801 (docutils finds visitors by the name of the class)
    """Stands for a verdict until all pages are read: the suite runs once, whatever builds in parallel."""

    def __init__(self, component: str = "") -> None:
        super().__init__("", component=component)


def judge_what_is_shown(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Ask for every verdict that a page shows and that may have changed; the pages to write again."""
    domain = cast(ErcDomain, env.domains["erc"])
    known: dict[str, Verdict] = domain.data["contracts"]
    shown = dict.fromkeys(name for names in domain.pages.values() for name in names)
    source = _Told(Path(app.config.erc_contract)) if isinstance(app.config.erc_contract, str) else _Asked()
    components = {name: registry_of(env).get(*name.split("/")) for name in shown}
    stale = [name for name, found in components.items() if name not in known or known[name].key != source.key(found)]
    for name in status_iterator(stale, "checking contracts... ", "brown", len(stale), app.verbosity, str):
        known[name] = _verdict(source.key(components[name]), source.results(components[name]))
    for name in shown:
        for fault in _faults(known[name], source):
            logger.warning("%s %s", name, fault, type="erc", subtype="contract")
    return [page for page, names in domain.pages.items() if set(names) & set(stale)]


def _faults(verdict: Verdict, source: _Asked | _Told) -> Iterator[str]:
    yield from (f"breaks its contract ({check}): {message}" for check, message in verdict.failed.items())
    if isinstance(source, _Told) and not (verdict.runs or verdict.skipped):
        yield f"is not in {source.file.name}"


class _Asked:
    """Verdicts of the suite, which runs now."""

    def key(self, component: type[Component]) -> str:
        return digest(component)

    def results(self, component: type[Component]) -> Iterator[tuple[str, str, str]]:
        for examined in examine(component):
            for result in examined.results:
                yield result.case.check.__name__, result.outcome.status, result.outcome.message


class _Told:
    """Verdicts that ``ercframe check --json FILE`` wrote.

    Raises:
        ExtensionError: there is no such file, or it is none of these.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            self._text = file.read_text(encoding="utf-8")
            self._components: list[Any] = json.loads(self._text)["components"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ExtensionError(
                f"erc_contract must be a file of `ercframe check --json` (got {file}: {error})"
            ) from error

    def key(self, component: type[Component]) -> str:
        return self._text

    def results(self, component: type[Component]) -> Iterator[tuple[str, str, str]]:
        for found in self._components:
            if (found["kind"], found["name"]) == (component.kind, component.name):
                for check in found["checks"]:
                    yield check["check"], check["status"], check["message"]


def _verdict(key: str, results: Iterable[tuple[str, str, str]]) -> Verdict:
    """Sum up what was found with several settings; a check that failed with one of them failed."""
    found: dict[str, dict[str, str]] = {status: {} for status in ("failed", "known", "passed", "skipped")}
    runs = 0
    for check, status, message in results:
        found[status].setdefault(check, message)
        runs += status != "skipped"
    taken: set[str] = set()
    for status in found:
        found[status] = {check: message for check, message in found[status].items() if check not in taken}
        taken |= found[status].keys()
    return Verdict(key, runs, tuple(found["passed"]), found["failed"], found["known"], found["skipped"])


def show_verdicts(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the verdicts into a page."""
    known = cast(ErcDomain, app.env.domains["erc"]).data["contracts"]
    for node in list(doctree.findall(contract_verdict)):
        node.replace_self(list(_shown(known[node["component"]])))


def _shown(verdict: Verdict) -> Iterator[nodes.Node]:
    total = len(verdict.passed) + len(verdict.failed) + len(verdict.known)
    if not total:
        yield paragraph("No check ran.")
    elif verdict.failed:
        yield paragraph(f"Breaks {len(verdict.failed)} of {total} checks:")
        yield bullets([code(name), f": {message.splitlines()[0]}"] for name, message in verdict.failed.items())
    else:
        kept = f"all {total} checks" if not verdict.known else f"{len(verdict.passed)} of {total} checks"
        runs = f", in {verdict.runs} runs over its example settings" if verdict.runs > total else ""
        yield paragraph(f"Keeps {kept} that concern it{runs}: ", *joined([code(name) for name in verdict.passed]), ".")
    for title, others in (("Known exceptions:", verdict.known), ("Did not apply:", verdict.skipped)):
        if others:
            yield paragraph(title)
            yield bullets([code(name), f": {reason}"] for name, reason in others.items())
