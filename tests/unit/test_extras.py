"""Optional packages are imported when they are used, and a missing one is told with its extra."""

import json
import sys

import pytest

from ercframe.extras import MissingExtraError, require


def test_an_installed_package_is_returned():
    assert require("json", "text", "extractor 'x'") is json


def test_a_missing_package_is_told_with_its_extra():
    with pytest.raises(MissingExtraError) as caught:
        require("no_such_package.part", "audio", "extractor 'x'")
    assert str(caught.value) == (
        "extractor 'x' needs the package 'no_such_package.part', which is not installed: "
        "pip install -c constraints.txt 'ercframe[audio]'"
    )


def test_a_package_that_misses_one_of_its_own_is_not_taken_for_missing(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import another_missing_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="another_missing_package"):
        require("half_installed", "audio", "extractor 'x'")
    assert "half_installed" not in sys.modules
