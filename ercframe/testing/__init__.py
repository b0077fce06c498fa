"""The contract suite: what every component must keep, for the authors of plugins.

In the tests of a plugin::

    from ercframe.testing import contract_checks

    test_contract = contract_checks(MyFusion)

Each check is one test case; where it fails, it says what must hold and why. :func:`example_batch` makes awkward
conversations for tests of one's own. Checks may be added in a minor version, and are named in the changelog.
"""

from ercframe.testing.conversations import example_batch, example_dataset, example_dialogues
from ercframe.testing.suite import ContractCase, as_pytest, contract_cases, contract_checks
from ercframe.testing.verdicts import ContractError, NotApplicableError

__all__ = [
    "ContractCase",
    "ContractError",
    "NotApplicableError",
    "as_pytest",
    "contract_cases",
    "contract_checks",
    "example_batch",
    "example_dataset",
    "example_dialogues",
]
