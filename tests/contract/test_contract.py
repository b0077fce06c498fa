"""The contract suite over every installed component, with each of its example settings."""

import pytest
from small_corpus import bundle

from ercframe import plugins
from ercframe.testing import as_pytest, contract_cases

REGISTRY = plugins.load()
COMPONENTS = [entry.component for entry in REGISTRY.entries()]

test_contract = as_pytest([case for component in COMPONENTS for case in contract_cases(component)])
test_contract_slow = pytest.mark.slow(
    as_pytest([case for component in COMPONENTS for case in contract_cases(component, slow=True)])
)


@pytest.mark.parametrize("unscored", ["drop", "context"])
def test_contract_of_a_bundle_on_disk(tmp_path, unscored):
    path = bundle(tmp_path / "small").path
    cases = contract_cases(
        REGISTRY.get("dataset", "bundle"), modalities=("text", "audio"), path=path, unscored=unscored
    )
    assert len(cases) == 10
    for case in cases:
        case.run()


def test_every_installed_plugin_loads():
    assert [f"{failure.origin}: {failure.cause}" for failure in REGISTRY.failures] == []
