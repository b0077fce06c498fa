"""Distributions as they lie in a site-packages folder: modules, and a dist-info with metadata and entry points."""

import json
import os
import subprocess
import sys
from pathlib import Path

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"

FUSION = '''
from pydantic import Field
from ercframe import ComponentConfig, FusedSpec, Fusion, FusionOutput, hookimpl

class Mean(Fusion):
    """The mean of all streams."""

    name = "{name}"

    class Config(ComponentConfig):
        power: float = Field(1.0, description="Nothing.")

    def __init__(self, config, dataset, streams):
        super().__init__()
        self.spec = FusedSpec(streams.width)

    def forward(self, streams, context):
        return FusionOutput(joint=sum(streams.values()) / len(streams))

@hookimpl
def ercframe_components():
    return [Mean]
'''


def install(site: Path, module: str, text: str, *, point: str = "", version: str = "1.0") -> None:
    """Put a distribution with one plugin module into a folder, as an installer would."""
    (site / f"{module}.py").write_text(text, encoding="utf-8")
    info = site / f"{module}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA.format(name=module, version=version), encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[ercframe]\n{point or module} = {module}\n", encoding="utf-8")


def ercframe(site: Path, *arguments: str, expect: int = 0, cwd: Path | None = None, **settings: str) -> str:
    """Run the command with the folder on its path; what it printed, followed by what it complained."""
    environment = {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1", "COLUMNS": "200", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "ercframe", *arguments],
        cwd=cwd or site,
        env=os.environ | environment | settings,
        capture_output=True,
        text=True,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    assert "Traceback" not in done.stderr or "--verbose" in arguments
    return done.stdout + done.stderr


def doctor(site: Path, *arguments: str, expect: int = 1, **settings: str) -> dict:
    """What ``ercframe doctor --json`` found."""
    return json.loads(ercframe(site, "doctor", "--json", *arguments, expect=expect, **settings))
