"""What a person reads when something is wrong."""

import pytest

from ercframe import InputError, Problem, RunError, SpecError


class TestInputError:
    def test_all_problems_stand_in_columns(self):
        error = InputError(
            "2 problems in recipes/mine.yaml",
            [
                Problem("3:11", "trainer.epochs", "must be at least 1 (got 0)"),
                Problem("14:3", "fusion.widht", "unknown key; did you mean 'width'?"),
            ],
        )
        assert str(error) == (
            "2 problems in recipes/mine.yaml\n"
            "  3:11  trainer.epochs  must be at least 1 (got 0)\n"
            "  14:3  fusion.widht    unknown key; did you mean 'width'?"
        )

    def test_a_column_that_nobody_fills_is_left_out(self):
        assert str(InputError("t", [Problem("", "seeds", "must differ")])) == "t\n  seeds  must differ"
        assert str(InputError("t", [Problem("1:1", "", "must be YAML")])) == "t\n  1:1  must be YAML"
        assert str(InputError("t", [Problem("", "", "must be YAML")])) == "t\n  must be YAML"

    def test_a_gap_in_a_column_keeps_the_next_aligned(self):
        error = InputError("t", [Problem("1:1", "", "first"), Problem("", "epochs", "second")])
        assert str(error) == "t\n  1:1          first\n       epochs  second"

    def test_help_follows_after_an_empty_line(self):
        assert str(InputError("no bundle", help="Make one:\n  ercframe data import …\n")) == (
            "no bundle\n\nMake one:\n  ercframe data import …"
        )

    def test_it_keeps_its_parts_for_programs(self):
        problem = Problem("1:1", "a", "must be b")
        error = InputError("t", [problem], help="h")
        assert (error.title, error.problems, error.help) == ("t", (problem,), "h")


def test_a_spec_error_says_what_is_needed_and_what_there_is():
    error = SpecError("fusion", "one representation per modality", "none")
    assert str(error) == "needs one representation per modality; the fusion provides none"


@pytest.mark.parametrize("error", [InputError("a"), SpecError("encoder", "a", "b"), RunError("a")])
def test_none_is_caught_as_a_programming_error(error):
    assert not isinstance(error, ValueError | TypeError | LookupError)
