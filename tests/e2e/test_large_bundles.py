"""Bundles of a million utterances open at once, and those larger than the memory are trained on."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ercframe import Bundle, Corpus, DialogueRecord, FeatureArray, UtteranceRecord
from ercframe.data.manifest import MANIFEST, MadeBy
from ercframe.data.writer import write_bundle

pytestmark = pytest.mark.slow

LABELS = ("joy", "anger")
MADE_BY = MadeBy(ercframe="0", importer="test", settings={}, sources=())
TURNS = 250

OPEN = """
import sys, time
from pathlib import Path
from ercframe import Bundle
import numpy, safetensors, torch
def resident():
    return next(int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmRSS')) / 1024
before, started = resident(), time.process_time()
bundle = Bundle(Path(sys.argv[1]))
counts = bundle.class_counts('train').tolist()
last = bundle.record(len(bundle) - 1)['utterances'][-1]['id']
print(time.process_time() - started, resident() - before, len(bundle.label), sum(counts), last)
"""

# Private memory, which is what runs out; pages of mapped files can be dropped and read again.
RUN = """
import resource, sys
from ercframe.cli.app import run_app
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
code = run_app(sys.argv[2:])
with open('/proc/self/status') as file:
    print('resident', *[line.split()[1] for line in file if line.startswith('RssAnon')])
sys.exit(code)
"""


def large(path: Path, dialogues: int, width: int) -> Bundle:
    """A bundle of dialogues of 250 turns; the last tenth is dev, then test."""
    rng = np.random.default_rng(0)
    records = [
        DialogueRecord(
            f"d{d}",
            "train" if d < 0.8 * dialogues else "dev" if d < 0.9 * dialogues else "test",
            tuple(UtteranceRecord(f"d{d}_{i}", "AB"[i % 2], int(rng.integers(2)), f"turn {i}") for i in range(TURNS)),
        )
        for d in range(dialogues)
    ]
    values = rng.normal(size=(dialogues * TURNS, width)).astype("float32")
    write_bundle(Corpus("large", LABELS, records, {"text": FeatureArray(values)}), path, MADE_BY)
    return Bundle(path)


def widen(bundle: Bundle, width: int) -> int:
    """Replace the features by a sparse file of ``width`` columns, zeros but for the first rows; returns its bytes."""
    rows = len(bundle.label)
    layout = {"values": ((rows, width), "F32", 4), "available": ((rows,), "BOOL", 1)}
    layout |= dict.fromkeys(("mean", "scale"), ((width,), "F32", 4))
    header, places = {}, {}
    at = 0
    for name, (shape, dtype, size) in layout.items():
        end = at + size * int(np.prod(shape))
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, end]}
        places[name], at = at, end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    modality = bundle.manifest.modalities["text"]
    with (bundle.path / modality.file).open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        began = file.tell()
        file.write(np.random.default_rng(0).normal(size=(16, width)).astype("float32").tobytes())
        file.seek(began + places["available"])
        file.write(b"\1" * rows)
        file.seek(began + places["scale"])
        file.write(np.ones(width, "float32").tobytes())
        file.truncate(began + at)
    manifest = json.loads((bundle.path / MANIFEST).read_text())
    manifest["modalities"]["text"]["width"] = width
    (bundle.path / MANIFEST).write_text(json.dumps(manifest))
    return began + at


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return large(tmp_path_factory.mktemp("large") / "bundle", 4000, 1)


def test_a_million_utterances_open_at_once(bundle):
    said = subprocess.run([sys.executable, "-c", OPEN, bundle.path], capture_output=True, text=True, check=True)
    seconds, megabytes, *counts = said.stdout.split()
    assert counts == ["1000000", "800000", "d3999_249"]
    assert float(seconds) < 1.0  # of processor time; it takes about a twentieth
    assert float(megabytes) < 200


def test_a_bundle_larger_than_the_memory_is_trained_on(bundle, tmp_path):
    size = widen(bundle, 1024)
    limit = 2 << 30
    assert size > 1.5 * limit
    recipe = tmp_path / "wide.yaml"
    recipe.write_text(
        f"modalities: [text]\ndataset: {{type: bundle, path: {bundle.path}}}\n"
        "encoder: {type: identity}\nfusion: {type: concat}\nclassifier: {type: linear}\n"
        "losses: {task: {type: cross_entropy, class_weights: inverse_frequency}}\n"
        "trainer: {epochs: 1, batch_dialogues: 16, optimizer: {lr: 1e-3}}\nprotocol: {seeds: 1}\n"
    )
    command = [sys.executable, "-c", RUN, str(limit), "run", recipe, "--out", tmp_path / "runs"]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # the stack of each counts, and there may be many cores
    done = subprocess.run(command, capture_output=True, text=True, env=one_thread)
    assert done.returncode == 0, done.stderr
    resident = int(done.stdout.split("resident")[-1].split()[0]) * 1024
    assert resident < limit < size
    (summary,) = (tmp_path / "runs").rglob("summary.json")
    assert json.loads(summary.read_text())["status"] == "finished"
