"""The model card: what the model is, what it reached and how that was measured, what it is not for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined

from ercframe.data.intake import Inputs, Preparation
from ercframe.export.programs import onnx_names
from ercframe.exported import Export
from ercframe.prediction.features import IMPORTED
from ercframe.protocol import OWN
from ercframe.recipes import Recipe
from ercframe.scored_turns import ScoredTurns
from ercframe.settings import AverageSettings
from ercframe.statistics.confusion import NAMES
from ercframe.statistics.over_seeds import Estimate


@dataclass(frozen=True)
class Facts:
    """All that the card is made of.

    Attributes:
        recipe: what was trained.
        summary: of the run.
        environment: of the run; may be empty.
        inputs: what is kept of its data.
        export: what ``export.json`` will say.
        test: this seed's predictions of test; None where there are none.
        sees_future: whether the model looks at later turns.
    """

    recipe: Recipe
    summary: Mapping[str, Any]
    environment: Mapping[str, Any]
    inputs: Inputs
    export: Export
    test: ScoredTurns | None
    sees_future: bool


def model_card(facts: Facts) -> str:
    """The card as Markdown, with a header that the Hugging Face Hub reads."""
    source = (files("ercframe.export") / "templates" / "README.md.jinja").read_text(encoding="utf-8")
    # The result is Markdown, not HTML; `cell` keeps names from leaving their cell.
    template = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    template.filters |= {"cell": _cell, "percent": _percent, "interval": _interval}
    seeds = facts.summary["seeds"]
    return template.from_string(source).render(
        header=yaml.safe_dump(_header(facts), sort_keys=False, allow_unicode=True).rstrip(),
        facts=facts,
        info=facts.inputs.info,
        counts=dict(zip(facts.inputs.info.labels, facts.inputs.info.class_counts, strict=False)),
        recipe=facts.recipe,
        summary=facts.summary,
        environment=facts.environment,
        export=facts.export,
        test=facts.test,
        seeds=seeds,
        this=next(entry for entry in seeds if entry["seed"] == facts.export.seed),
        average=_average(facts),
        named=NAMES,
        monitor=facts.summary["protocol"]["monitor"],
        has_dev=all("dev" in entry["selected"] for entry in seeds),
        shows_gap=all("selected_on_test" in entry for entry in seeds),
        on_test=facts.summary["selection"] == "selected on test",
        preparations=facts.inputs.intake.modalities if facts.inputs.intake else {},
        imported=[name for name, p in _preparations(facts) if p.modality.extractor == IMPORTED],
        onnx_names=onnx_names(list(facts.inputs.info.modalities)),
    )


def _preparations(facts: Facts) -> list[tuple[str, Preparation]]:
    return list(facts.inputs.intake.modalities.items()) if facts.inputs.intake else []


def _average(facts: Facts) -> AverageSettings | None:
    """What the weights are an average by; None where they are those of a step."""
    average = facts.recipe.trainer.average
    return average if average and facts.export.epoch >= average.start_epoch else None


def _header(facts: Facts) -> dict[str, Any]:
    """Metadata in the Hub's own terms. The licence of the weights is for whoever publishes them to state."""
    info = facts.inputs.info
    header: dict[str, Any] = {
        "library_name": "ercframe",
        "license": "other",
        "license_name": "not-stated",
        "tags": ["emotion-recognition-in-conversations", "emotion-recognition", "multimodal", *info.modalities],
    }
    if facts.test:
        header["model-index"] = [
            {
                "name": facts.recipe.name,
                "results": [
                    {
                        "task": {"type": "emotion-recognition-in-conversations"},
                        "dataset": {"type": info.name, "name": _corpus(facts), "split": _split(facts)},
                        "metrics": [
                            {
                                "type": "accuracy" if key == "accuracy" else "f1",
                                "name": f"{NAMES[key]}, seed {facts.export.seed}, {facts.summary['selection']}",
                                "value": round(score.value, 4),
                            }
                            for key, score in facts.test.headline.items()
                        ],
                    }
                ],
            }
        ]
    return header


def _corpus(facts: Facts) -> str:
    return (
        f"{facts.inputs.info.name} (generated conversations)" if facts.inputs.info.generated else facts.inputs.info.name
    )


def _split(facts: Facts) -> str:
    test = str(facts.summary["dataset"].get("test", OWN))  # versions before groups had no other
    return "test" if test == OWN else test


def _cell(value: object) -> str:
    """Text for a cell of a Markdown table or a line of prose."""
    text = " ".join(str(value).split())
    for mark in ("\\", "|", "`", "*", "_", "<", "[", "]"):
        text = text.replace(mark, f"\\{mark}")
    return text


def _percent(share: float | None) -> str:
    return "–" if share is None or math.isnan(share) else f"{100 * share:.2f}"


def _interval(score: Estimate) -> str:
    return "–" if math.isnan(score.low) else f"{_percent(score.low)} to {_percent(score.high)}"
