"""Which checks concern which kind of component, and what each is tried on."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from ercframe.testing import class_checks as classes
from ercframe.testing import config_checks as config
from ercframe.testing import dataset_checks as dataset
from ercframe.testing import extractor_checks as extractor
from ercframe.testing import gradient_checks as gradients
from ercframe.testing import importer_checks as importer
from ercframe.testing import loss_checks as loss
from ercframe.testing import portability_checks as portability
from ercframe.testing import repetition_checks as repetition
from ercframe.testing import row_checks as rows
from ercframe.testing import shape_checks as shapes
from ercframe.testing import tracker_checks as tracker
from ercframe.testing import transform_checks as transform
from ercframe.testing.verdicts import NotApplicableError

Check = Callable[..., None]

CONTRACT_VERSION = "1.2"
"""Version of the contract: what the checks of this module ask for, all together."""

EVERY_COMPONENT: tuple[Check, ...] = (
    classes.class_is_usable,
    config.settings_survive_yaml,
    config.settings_are_strict,
)
IN_SCENES: tuple[Check, ...] = (classes.constructor_builds_or_refuses, classes.any_corpus_fits)
EVERY_PART: tuple[Check, ...] = (
    *IN_SCENES,
    shapes.shapes_as_promised,
    repetition.results_repeat,
    rows.gaps_are_not_read,
    rows.order_of_dialogues_is_free,
    gradients.every_parameter_learns,
    gradients.every_input_is_read,
    gradients.missing_modalities_stay_finite,
    gradients.single_utterance_is_enough,
    gradients.long_dialogue_is_accepted,
    gradients.ranks_add_up,
    portability.dtype_is_followed,
    portability.device_is_followed,
    portability.host_does_not_wait,
    portability.autocast_stays_finite,
    repetition.inputs_are_not_changed,
    repetition.checkpoint_restores,
    repetition.a_copy_gives_the_same,
)
EVERY_MODEL_PART: tuple[Check, ...] = (
    *EVERY_PART,
    shapes.weights_are_distributions,
    rows.dialogues_are_independent,
    rows.dialogue_alone_gives_the_same,
    rows.future_is_as_declared,
)
BY_KIND: dict[str, tuple[Check, ...]] = {
    "encoder": EVERY_MODEL_PART,
    "fusion": EVERY_MODEL_PART,
    "classifier": EVERY_MODEL_PART,
    "loss": (
        *EVERY_PART,
        loss.terms_are_as_declared,
        loss.batches_add_up,
        loss.counts_are_known_before,
        loss.nothing_scored_is_an_attached_zero,
        loss.only_scored_rows_count,
        loss.one_emotion_is_enough,
        loss.totals_are_exact,
    ),
    "transform": (
        *IN_SCENES,
        transform.batch_is_not_changed,
        transform.answers_are_kept,
        transform.only_the_generator_decides,
        transform.hidden_rows_are_recorded,
        transform.every_batch_is_accepted,
    ),
    "dataset": (
        dataset.info_fits_the_splits,
        dataset.modalities_follow_the_recipe,
        dataset.dialogues_are_well_formed,
        dataset.ids_are_unique,
        dataset.batches_can_be_made,
        dataset.reading_repeats,
        dataset.order_of_reading_is_free,
    ),
    "extractor": (
        extractor.features_have_one_width,
        extractor.batches_change_nothing,
        extractor.order_of_turns_is_free,
        extractor.extraction_repeats,
        extractor.strange_turns_are_accepted,
        extractor.what_it_learnt_is_enough,
    ),
    "importer": (
        importer.unreadable_sources_are_refused,
        importer.source_is_left_alone,
        importer.import_repeats,
        importer.corpus_makes_a_sound_bundle,
    ),
    "tracker": (
        tracker.a_run_is_followed,
        tracker.any_end_is_accepted,
        tracker.resumed_runs_are_accepted,
        tracker.training_is_left_alone,
        tracker.the_environment_is_not_written,
    ),
}
SLOW_BY_KIND: dict[str, tuple[Check, ...]] = dict.fromkeys(
    ("encoder", "fusion", "classifier", "loss"), (portability.compiled_gives_the_same,)
)

# Every other check is tried on one scene after the other.
OF_SETTINGS = frozenset({config.settings_survive_yaml, config.settings_are_strict})
OF_SUBJECT = frozenset({classes.class_is_usable, *IN_SCENES})
OF_ALL_SCENES = frozenset({gradients.every_parameter_learns, gradients.every_input_is_read})
OF_ONE_SCENE = frozenset({portability.compiled_gives_the_same, gradients.long_dialogue_is_accepted})
# Each try of these takes seconds, or is no smaller in a smaller scene.
NEVER_SHRUNK = OF_ONE_SCENE


def checks_of(kind: str, slow: bool = False) -> tuple[Check, ...]:
    """The checks that concern a kind of component: the slow ones, or all others."""
    return SLOW_BY_KIND.get(kind, ()) if slow else (*EVERY_COMPONENT, *BY_KIND.get(kind, ()))


def nothing_to_try() -> None:
    """Stands for all checks of a component that needs something from outside, such as data on disk."""
    raise NotApplicableError("example_configs is empty; give contract_checks the settings to try")


def explained(check: Check) -> tuple[str, str]:
    """What a check asks and why it matters: the first paragraph of its docstring, and the others."""
    asks, _, why = (inspect.getdoc(check) or "").partition("\n\n")
    return " ".join(asks.split()), "\n\n".join(" ".join(part.split()) for part in why.split("\n\n"))
