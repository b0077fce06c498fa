"""Whether the components that are shown keep the contract of their kind: the suite of ``ercframe.testing``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from docutils import nodes
from sphinx.util import logging
from sphinx.util.display import status_iterator

from ercframe.components import Component
from ercframe.sphinxext.domain import ErcDomain
from ercframe.sphinxext.installed import digest, registry_of
from ercframe.sphinxext.markup import bullets, code, paragraph
from ercframe.testing import ContractError, NotApplicableError, contract_cases

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verdict:
    """What the contract suite said of a component.

    Attributes:
        key: of what it was said; another key means that it has to be asked again.
        passed: names of the checks that were kept, each once.
        skipped: what did not apply, each with the reason.
        failed: what was broken, each with the message.
        runs: how many times a check ran, over every example setting.
    """

    key: str
    passed: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str], ...]
    runs: int


class contract_verdict(nodes.General, nodes.Element):  # noqa: N801 (docutils finds visitors by the name of the class)
    """Stands for a verdict until all pages are read: the suite runs once, whatever builds in parallel."""

    def __init__(self, component: str = "") -> None:
        super().__init__("", component=component)


def judge(component: type[Component]) -> Verdict:
    """Run the contract suite over a component with each of its example settings."""
    passed, skipped, failed, runs = {}, {}, [], 0
    for case in contract_cases(component):
        name = case.check.__name__
        try:
            case.run()
        except NotApplicableError as reason:
            skipped[name] = str(reason)
            continue
        except ContractError as error:
            failed.append((name, str(error)))
        else:
            passed[name] = True
        runs += 1
    return Verdict(
        digest(component),
        tuple(name for name in passed if name not in dict(failed)),
        tuple((name, reason) for name, reason in skipped.items() if name not in passed),
        tuple(failed),
        runs,
    )


def judge_what_is_shown(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Run the suite for every component whose verdict a page shows and that changed; the pages to write again."""
    domain = cast(ErcDomain, env.domains["erc"])
    known: dict[str, Verdict] = domain.data["contracts"]
    shown = dict.fromkeys(name for names in domain.pages.values() for name in names)
    components = {name: registry_of(env).get(*name.split("/")) for name in shown}
    stale = [
        name for name, component in components.items() if name not in known or known[name].key != digest(component)
    ]
    for name in status_iterator(stale, "checking contracts... ", "brown", len(stale), app.verbosity, str):
        known[name] = judge(components[name])
    for name in shown:
        for check, message in known[name].failed:
            logger.warning("%s breaks its contract (%s): %s", name, check, message, type="erc", subtype="contract")
    return [page for page, names in domain.pages.items() if set(names) & set(stale)]


def show_verdicts(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the verdicts into a page."""
    known = cast(ErcDomain, app.env.domains["erc"]).data["contracts"]
    for node in list(doctree.findall(contract_verdict)):
        node.replace_self(list(_shown(known[node["component"]])))


def _shown(verdict: Verdict) -> Iterator[nodes.Node]:
    total = len(verdict.passed) + len({name for name, _ in verdict.failed})
    if not total:
        yield paragraph("No check ran.")
    elif verdict.failed:
        yield paragraph(f"Breaks {len({name for name, _ in verdict.failed})} of {total} checks:")
        yield bullets([[code(name), f": {message.splitlines()[-1]}"] for name, message in verdict.failed])
    else:
        runs = f", in {verdict.runs} runs over its example settings" if verdict.runs > total else ""
        yield paragraph(f"Keeps all {total} checks that concern it{runs}: ", *_names(verdict.passed), ".")
    if verdict.skipped:
        yield paragraph("Did not apply:")
        yield bullets([[code(name), f": {reason}"] for name, reason in verdict.skipped])


def _names(names: Sequence[str]) -> Iterator[Any]:
    for i, name in enumerate(names):
        yield from ((", ", code(name)) if i else (code(name),))
