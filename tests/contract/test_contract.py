"""The contract suite over every installed component, with each of its example settings."""

import pytest

from ercframe import plugins
from ercframe.testing import contract_cases, parametrised

REGISTRY = plugins.load()
COMPONENTS = [entry.component for entry in REGISTRY.entries()]

test_contract = parametrised([case for component in COMPONENTS for case in contract_cases(component)])
test_contract_slow = pytest.mark.slow(
    parametrised([case for component in COMPONENTS for case in contract_cases(component, slow=True)])
)
