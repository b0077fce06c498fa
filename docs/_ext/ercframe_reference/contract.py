"""Every check of the contract suite, by kind: what it asks and why it matters."""

from __future__ import annotations

import inspect

from ercframe.components import KINDS
from ercframe.testing.catalogue import BY_KIND, CONTRACT_VERSION, EVERY_COMPONENT, SLOW_BY_KIND, Check

from .rst import table, title

_HEAD = f"""\
Version {CONTRACT_VERSION} of the contract. :doc:`/contract` tells how it is checked; names are those of ``--except``,
``known_exceptions`` and the JSON.
"""


def pages() -> dict[str, str]:
    """One page: what every component must keep, then what each kind must keep besides."""
    parts = [title("Contract"), _HEAD, title("Every component", "-"), _checks(EVERY_COMPONENT)]
    for kind in KINDS:
        parts += [title(kind.capitalize(), "-"), _checks((*BY_KIND.get(kind, ()), *SLOW_BY_KIND.get(kind, ())))]
    return {"contract.rst": "\n".join(parts)}


def _checks(checks: tuple[Check, ...]) -> str:
    rows = [(f"``{check.__name__}``", inspect.getdoc(check) or "") for check in checks]
    head = ("Check", "What it asks, and why it matters")
    return table(head, rows, widths=(30, 70)) if rows else "No checks besides those of every component.\n"
