"""What ``ercframe eval`` found, where it has written ``evaluation.json``: the parts that are there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ercframe.report.figures.curves import Series, curves
from ercframe.report.figures.intervals import Bars, interval_bars
from ercframe.report.figures.reliability import reliability_diagram
from ercframe.report.material import RunMaterial
from ercframe.report.page import Figure, Section, Table
from ercframe.report.table import percent
from ercframe.report.words import interval, mean_and_std, with_std
from ercframe.statistics.confusion import HEADLINE, NAMES
from ercframe.statistics.over_seeds import Estimate
from ercframe.wording import counted

Found = Mapping[str, Any]


def evaluated(run: RunMaterial) -> Iterator[Section]:
    """A section for each part of the evaluation; one that says how to get it where there is none."""
    found = run.evaluation
    if found is None:
        note = "There is no evaluation.json: ercframe eval RUN writes it, ercframe report RUN then shows it here."
        yield Section("evaluation", "Evaluation", [note], plain=True)
        return
    about = f"On {found['split']}, {counted(len(found['seeds']), 'seed')}, by ercframe eval."
    parts = {"slices": _slices, "calibration": _calibration, "context": _context, "robustness": _robustness}
    for part, make in parts.items():
        if found.get(part):
            yield make(found, about)


def _slices(found: Found, about: str) -> Section:
    """A figure of weighted F1 for each kind of slice."""
    kinds = dict.fromkeys(one["by"] for one in found["slices"])
    figures = []
    for number, kind in enumerate(kinds):
        slices = [one for one in found["slices"] if one["by"] == kind]
        bars = [
            Bars(f"{one['name']}{'*' * bool(one.get('few'))}", [_estimate(one["scores"]["weighted_f1"])])
            for one in slices
        ]
        told = f"Weighted F1 of the turns of {found['split']}, by {kind}; thin lines are 95 % intervals over dialogues."
        figures.append(interval_bars(f"slices-{number}", f"Weighted F1 by {kind}, in percent", told, bars, first=kind))
    rows = [
        [one["by"], one["name"], f"{one['turns']:,}", f"{one['dialogues']:,}", *_scores(one["scores"])]
        for one in found["slices"]
    ]
    tables = [Table("Slices, in percent", ["by", "turns that are", "turns", "dialogues", *NAMES.values()], rows)]
    if confusions := found.get("confusions"):
        rows = [
            [
                one["label"],
                one["prediction"],
                f"{one['turns']:,}",
                with_std(_sure(one["share"])),
                interval(_sure(one["share"])),
            ]
            for one in confusions
        ]
        head = ["label", "taken for", "turns of the label", "share", "95 % interval"]
        tables.append(Table("Largest confusions, in percent of the label's turns", head, rows))
    notes = [about]
    if any(one.get("few") for one in found["slices"]):
        notes.append("*: from so few dialogues that the interval is too narrow.")
    return Section("slices", "Slices", notes, figures, tables)


def _calibration(found: Found, about: str) -> Section:
    """Reliability as it is and at the fitted temperature, and the measures of both."""
    calibration = found["calibration"]
    ways = [("as it is", calibration["as_is"]), ("at the temperature", calibration["scaled"])]
    there = [(name, way) for name, way in ways if way]
    figures = [
        reliability_diagram(f"reliability-{i}", f"Reliability {name}", way["reliability"])
        for i, (name, way) in enumerate(there)
    ]
    rows = []
    for name, way in there:
        over = way["over_seeds"]
        factors = {"ece": 100, "nll": 1, "brier": 1}
        rows.append([name, *(_plain(over[key], factor) for key, factor in factors.items())])
        if "low" in over["nll"]:  # version 2 has no intervals
            ends = [f"{over[key]['low']:.3f} to {over[key]['high']:.3f}" for key in ("nll", "brier")]
            rows.append(["95 % interval", "none", *ends])
    notes = [about]
    if heat := calibration["temperature"]:
        notes.append(f"Temperature, fitted on {heat['fitted_on']} alone: {_plain(heat['over_seeds'], 1)}.")
    else:
        notes.append("No temperature: there is nothing to fit it on.")
    head = ["probabilities", "ECE, percent", "NLL, nats", "Brier score"]
    title = f"Calibration; ECE with {calibration['bins']} bins of equal width"
    return Section("calibration", "Calibration", notes, figures, [Table(title, head, rows)])


def _context(found: Found, about: str) -> Section:
    """How the score and the predictions depend on what is seen of a dialogue."""
    views = found["context"]["views"]
    cut = [view for view in views if view["speakers"] == "all" and view["order"] == "kept"]
    places = list(dict.fromkeys(view["past"] for view in cut))
    figures = []
    for key, title, values in (
        ("score", "Weighted F1, in percent", [view["scores"]["weighted_f1"]["value"] for view in cut]),
        ("flips", "Predictions that change, in percent", [view["flipped"]["value"] for view in cut]),
    ):
        seen = list(zip(cut, values, strict=True))
        series = [
            Series(
                "with all future turns" if future else "without the future",
                [(places.index(view["past"]), 100 * value) for view, value in seen if view["future"] == future],
            )
            for future in (False, True)
        ]
        told = f"{title}, over how many turns before the utterance are shown."
        figures.append(_over_past(f"context-{key}", title, told, series, [str(place) for place in places]))
    rows = [
        [
            str(view["past"]),
            "yes" if view["future"] else "no",
            "all" if view["speakers"] == "all" else "own turns only",
            view["order"],
            with_std(_sure(view["scores"]["weighted_f1"])),
            interval(_sure(view["scores"]["weighted_f1"])),
            f"{100 * view['difference']['value']:+.2f}",
            percent(view["flipped"]["value"]),
        ]
        for view in views
    ]
    head = ["past", "future", "speakers", "order", "weighted F1", "95 % interval", "difference", "flipped"]
    title = "Each utterance scored with a part of its dialogue, in percent; against the whole dialogue"
    return Section("context", "Context", [about], figures, [Table(title, head, rows)])


def _over_past(name: str, title: str, told: str, series: Sequence[Series], places: Sequence[str]) -> Figure:
    last = len(places) - 1
    return curves(
        name,
        title,
        told,
        series,
        x="turns before the utterance",
        show=lambda value: f"{value:g}",
        x_range=(0, last),
        name_at=dict(enumerate(places)),
    )


def _robustness(found: Found, about: str) -> Section:
    """Curves over what is hidden and over noise, and every set of modalities."""
    robustness = found["robustness"]
    figures = [
        _curve(
            "hidden", "Weighted F1 with modalities hidden at random", "share hidden", "rate", robustness["drop_rates"]
        ),
        _curve("noise", "Weighted F1 with noise", "noise, in deviations", "level", robustness["noise_levels"]),
    ]
    rows = [
        [" ".join(one["modalities"]), *(mean_and_std(one["over_seeds"][key]) for key in HEADLINE)]
        for one in robustness["subsets"]
    ]
    table = Table("Every set of modalities, in percent", ["shown", *NAMES.values()], rows)
    return Section("robustness", "Robustness", [about], figures, [table])


def _curve(name: str, title: str, x: str, number: str, found: Sequence[Found]) -> Figure:
    series = [
        Series(
            "all together" if len(curve["modalities"]) > 1 else curve["modalities"][0],
            [(point[number], 100 * point["over_seeds"]["weighted_f1"]["mean"]) for point in curve["points"]],
        )
        for curve in found
    ]
    told = f"{title}, in percent, mean over the seeds; a line for each modality."
    return curves(f"robustness-{name}", f"{title}, in percent", told, series, x=x, show=lambda value: f"{value:g}")


def _scores(scores: Found) -> list[str]:
    found = [_estimate(scores[key]) for key in HEADLINE]
    return [with_std(one) if one else "none" for one in found]


def _estimate(found: Found) -> Estimate | None:
    if found["value"] is None:
        return None
    numbers = (found.get(key) for key in ("value", "std", "low", "high"))
    return Estimate(*(math.nan if x is None else float(x) for x in numbers))


def _sure(found: Found) -> Estimate:
    return _estimate(found) or Estimate(math.nan, math.nan, math.nan, math.nan)


def _plain(found: Found, factor: float) -> str:
    mean = f"{factor * found['mean']:.3f}"
    return mean if found["std"] is None else f"{mean} ± {factor * found['std']:.3f}"
