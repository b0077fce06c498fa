"""Every bundled encoder with every bundled fusion, and every classifier, as programs of PyTorch and of ONNX."""

from itertools import product

import pytest
import yaml

from ercframe import InputError, plugins, recipes
from ercframe.build import assemble
from ercframe.export.agreement import TOLERANCE, Cases
from ercframe.export.programs import write_programs

RECIPE = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 4, "dev": 2, "test": 4, "labels": 4},
    "losses": {"task": {"type": "cross_entropy"}},
}
WHY_NOT = {"dialogue_rnn": "it goes from turn to turn in Python, and PyTorch exports that for one number of turns only"}
LINEAR = {"type": "linear"}


def examples(kind):
    """Every bundled component of a kind, with each of its example settings."""
    registry = plugins.load([])
    named = ((name, registry.get(kind, name)) for name in registry.names(kind))
    return [{"type": name, **config} for name, component in named for config in component.example_configs]


def one_each(kind):
    """Every bundled component of a kind, with the first of its example settings that has one width for all streams."""
    sized = {"identity": {"type": "identity", "width": 6}}
    return list({example["type"]: sized.get(example["type"], example) for example in reversed(examples(kind))}.values())


IDENTITY, CONCAT = {"type": "identity", "width": 6}, {"type": "concat"}
PARTS = [
    *product(one_each("encoder"), one_each("fusion"), [LINEAR]),
    *product(examples("encoder"), [CONCAT], [LINEAR]),
    *product([IDENTITY], examples("fusion"), [LINEAR]),
    *product([IDENTITY], [CONCAT], examples("classifier")),
]


@pytest.mark.slow
@pytest.mark.extra
@pytest.mark.parametrize("parts", PARTS, ids=lambda parts: " ".join(part["type"] for part in parts))
def test_it_is_exported_or_says_why(parts, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    encoder, fusion, classifier = parts
    path = tmp_path / "parts.yaml"
    path.write_text(yaml.safe_dump({**RECIPE, "encoder": encoder, "fusion": fusion, "classifier": classifier}))
    try:
        experiment = assemble(recipes.load(path))
    except InputError as error:
        pytest.skip(str(error))  # they do not fit each other
    model = experiment.learner().eval().model
    found = write_programs(tmp_path, model, experiment.info.modalities, Cases.of(model, experiment), onnx=True)
    for kind, program in found.items():
        assert program.why_not == WHY_NOT.get(encoder["type"], ""), kind
        if not program.why_not:
            assert program.agreement.difference <= TOLERANCE
            assert (tmp_path / program.file).is_file()
