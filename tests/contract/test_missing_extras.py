"""A component whose extra is not installed is not judged, wherever it asks for the package."""

import pytest
from broken_extractors import SoundExtractor

from ercframe import require
from ercframe.testing import contract_cases


class AsksInTheConstructor(SoundExtractor):
    def __init__(self, config):
        require("no_such_package", "audio", "extractor 'sound'")


class AsksWhenItLearns(SoundExtractor):
    fits = True

    def fit(self, contents):
        require("no_such_package", "audio", "extractor 'sound'")


@pytest.mark.parametrize("component", [AsksInTheConstructor, AsksWhenItLearns])
def test_what_cannot_be_run_is_skipped_with_the_way_to_install_it(component):
    outcomes = {case.check.__name__: case.outcome() for case in contract_cases(component)}
    skipped = outcomes["features_have_one_width"]
    assert skipped.status == "skipped"
    assert skipped.message.endswith("pip install -c constraints.txt 'ercframe[audio]'")
    assert "failed" not in {outcome.status for outcome in outcomes.values()}
