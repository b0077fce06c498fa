"""The command answers at once: what only prints text does not load PyTorch."""

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "torchmetrics", "scipy", "einops")

PROBE = """
import json, sys
from ercframe.cli.app import run_app
code = run_app({arguments!r})
print()
print(json.dumps([code, [name for name in {heavy!r} if name in sys.modules]]))
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["-h"], []], ids=" ".join)
def test_the_command_line_frame_loads_nothing_heavy(arguments):
    program = PROBE.format(arguments=arguments, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    code, loaded = json.loads(done.stdout.splitlines()[-1])
    assert loaded == []
    assert code == (0 if arguments else 2)


def test_importing_the_package_loads_nothing_heavy():
    program = f"import sys, ercframe; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_importable_on_first_use():
    program = "import ercframe\nfor name in ercframe.__all__: getattr(ercframe, name)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_name_that_is_not_public_is_refused():
    import ercframe

    with pytest.raises(AttributeError, match="module 'ercframe' has no attribute 'Fuson'"):
        _ = ercframe.Fuson


def test_public_names_are_sorted_and_have_a_home():
    import ercframe

    assert sorted(ercframe.__all__) == ercframe.__all__
    assert set(ercframe.__all__) - {"__version__"} == set(ercframe._HOME)


def test_a_recipe_is_checked_without_the_compiler_and_without_the_metrics():
    """Either takes as long to import as PyTorch itself."""
    program = PROBE.format(arguments=["check", "sdt_iemocap", "--demo"], heavy=("torch._dynamo", "torchmetrics"))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [0, []]
