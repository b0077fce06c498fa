"""visual_timm against the real library, in a process of its own: timm cannot be installed beside transformers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ercframe import InputError
from ercframe_plugins.extractors.visual_timm import VisualTimm

TORCHVISION = "torchvision==0.28.0"
"""The one that goes with the pinned PyTorch, 2.13.0."""


def test_without_timm_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"'visual_timm' needs the package 'timm', .*'ercframe\[timm\]'"):
        VisualTimm(VisualTimm.Config(model="densenet121"))


@pytest.fixture(scope="module")
def timm_folder(tmp_path_factory):
    """The pinned timm and torchvision in a folder of their own, without what they depend on."""
    root, folder = Path(__file__).parents[2], tmp_path_factory.mktemp("timm")
    lines = (root / "constraints.txt").read_text("utf-8").splitlines()
    (pinned,) = [line for line in lines if line.startswith("timm==")]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, pinned, TORCHVISION]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"timm cannot be installed: {installed.stderr.splitlines()[-1]}")
    return folder


@pytest.mark.slow
@pytest.mark.extra
def test_timm_s_models_see_squares_of_real_videos(tmp_path, timm_folder):
    tests = Path(__file__).parents[1]
    script = [str(tests / "with_timm.py"), str(timm_folder), str(tests / "timm_features.py"), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, *script],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.stdout.endswith("all checked\n"), done.stderr
