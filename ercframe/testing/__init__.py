"""The contract suite: what every component must keep, for the authors of plugins.

In the tests of a plugin::

    from ercframe.testing import contract_checks

    test_contract = contract_checks(MyFusion)

Each check is one test case; where it fails, it says what must hold and why, and shows the smallest input that shows it.
:func:`example_batch` makes awkward conversations for tests of one's own. :data:`CONTRACT_VERSION` is raised when a
check is added (second number) or asks for something else (first); the changelog names it.
"""

from ercframe.testing.catalogue import CONTRACT_VERSION
from ercframe.testing.conversations import example_batch, example_dataset, example_dialogues
from ercframe.testing.suite import ContractCase, Outcome, as_pytest, contract_cases, contract_checks
from ercframe.testing.verdicts import ContractError, NotApplicableError

__all__ = [
    "CONTRACT_VERSION",
    "ContractCase",
    "ContractError",
    "NotApplicableError",
    "Outcome",
    "as_pytest",
    "contract_cases",
    "contract_checks",
    "example_batch",
    "example_dataset",
    "example_dialogues",
]
