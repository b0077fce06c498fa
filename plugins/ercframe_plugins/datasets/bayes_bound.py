"""The accuracy that no classifier exceeds on generated conversations, but by luck: that of the exact posterior."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ercframe import Batch
from ercframe_plugins.datasets.circle_emission import CircleEmission
from ercframe_plugins.datasets.hidden_markov import EmotionChain

# Shape letters: N utterances, C emotions.


def bayes_facts(chain: EmotionChain, emissions: Mapping[str, CircleEmission], batch: Batch) -> dict[str, float]:
    """Share of scored utterances whose emotion the exact posterior names, for what a classifier may see.

    ``bayes_accuracy``: all modalities, the whole dialogue. ``bayes_accuracy_past``: no later turns.
    ``bayes_accuracy_no_context``: the utterance alone, whose posterior is its likelihood under a uniform prior. And of
    each single modality, and each set that leaves one out, ``bayes_accuracy[text+audio]`` and
    ``bayes_accuracy_no_context[text+audio]``. Empty where nothing is scored.
    """
    if len(batch.scored) == 0:
        return {}
    speaker_N, layout = batch.context.speaker, batch.context.layout
    evidence = {
        m: emission.log_likelihood(batch.features[m], batch.context.available[m]) for m, emission in emissions.items()
    }

    def accuracy(score_NC: Tensor) -> float:
        return (score_NC.argmax(dim=1) == batch.labels)[batch.scored].double().mean().item()

    all_NC = _sum(evidence, list(evidence))
    facts = {
        "bayes_accuracy": accuracy(chain.posterior(all_NC, speaker_N, layout)),
        "bayes_accuracy_past": accuracy(chain.posterior(all_NC, speaker_N, layout, future=False)),
        "bayes_accuracy_no_context": accuracy(all_NC),
    }
    for subset in _subsets(list(evidence)):
        some_NC, name = _sum(evidence, subset), "+".join(subset)
        facts[f"bayes_accuracy[{name}]"] = accuracy(chain.posterior(some_NC, speaker_N, layout))
        facts[f"bayes_accuracy_no_context[{name}]"] = accuracy(some_NC)
    return facts


def _sum(evidence: Mapping[str, Tensor], modalities: Sequence[str]) -> Tensor:
    """Modalities are independent given the emotion, so that their log likelihoods ``(N, C)`` add up."""
    return torch.stack([evidence[m] for m in modalities]).sum(dim=0)


def _subsets(modalities: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Single modalities and all but one, each set once, the full set not at all."""
    singles = [(m,) for m in modalities]
    but_one = [tuple(m for m in modalities if m != left_out) for left_out in reversed(modalities)]
    yield from (subset for subset in dict.fromkeys([*singles, *but_one]) if 0 < len(subset) < len(modalities))
