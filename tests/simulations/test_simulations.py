"""Coverage of the intervals and false alarms of the tests, on splits drawn from a known population."""

import pytest
from simulate import any_false_alarm, coverage, coverage_of_folds, false_alarms, seeds_alone

pytestmark = pytest.mark.slow
TRIALS = 300  # the standard error of a rate of 5 % is then 1.3 points, of 95 % as well


@pytest.mark.parametrize("dialogues", [31, 120, 280])
def test_intervals_hold_the_truth_about_as_often_as_they_say(dialogues):
    held = coverage(dialogues, TRIALS)
    assert 0.89 < held["these models: percentile, seeds held"] < 0.985
    assert 0.90 < held["the recipe: percentile, seeds drawn"] < 0.995
    assert held["the recipe: percentile, seeds held"] < held["the recipe: percentile, seeds drawn"]


@pytest.mark.parametrize("dialogues", [31, 120, 280])
def test_tests_over_dialogues_keep_their_level_and_mcnemar_does_not(dialogues):
    alarms = false_alarms(dialogues, seeds=1, seeds_differ=False, trials=TRIALS)
    assert alarms["randomisation"] < 0.09
    assert alarms["bootstrap, seeds held"] < 0.10
    assert alarms["McNemar"] > 0.10 or dialogues == 280  # dialogues of MELD are short: there is less to ignore


def test_only_drawn_seeds_keep_the_level_where_seeds_differ():
    alarms = false_alarms(120, seeds=5, seeds_differ=True, trials=TRIALS)
    assert alarms["bootstrap, seeds drawn"] < 0.10
    assert alarms["randomisation"] > 0.10
    assert alarms["bootstrap, seeds held"] > alarms["bootstrap, seeds drawn"]


def test_holm_keeps_the_level_of_all_tests_together():
    alarms = any_false_alarm(120, trials=TRIALS)
    assert alarms["Holm"] < 0.10
    assert alarms["Holm"] < alarms["uncorrected"]


@pytest.mark.parametrize("seeds", [2, 3, 5, 20])
def test_few_seeds_keep_the_level_even_where_they_are_all_that_is_left_to_chance(seeds):
    assert seeds_alone(seeds, 0.0, TRIALS) < 0.10
    assert seeds_alone(seeds, 1.0, TRIALS) < 0.10


def test_of_few_groups_that_differ_only_the_jackknife_holds_the_truth():
    held = coverage_of_folds(5, 0.2, TRIALS)
    assert 0.90 < held["over groups"] < 0.99
    assert held["percentiles of groups"] < 0.90
    assert held["over dialogues"] < 0.75
