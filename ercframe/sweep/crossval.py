"""The trials of a cross-validation: one for each group of the corpus, which is test there and nowhere else."""

from __future__ import annotations

from ercframe.build import open_dataset
from ercframe.errors import InputError, Problem
from ercframe.groups import DEV_GROUPS, HELP, TEST_GROUPS, every_dialogue, in_order, ungrouped
from ercframe.recipes.fields import in_yaml
from ercframe.sweep.grid import plainly
from ercframe.sweep.plan import Changes, Source


def folds(source: Source, next_is_dev: bool = False) -> dict[str, Changes]:
    """Leave one group out, each in turn.

    Args:
        source: the recipe, whose changes hold for all folds.
        next_is_dev: whether dev is the group after the one that is test, and after the last one the first, instead of
            a share of the dialogues of all other groups.

    Returns:
        Changes by the name of the fold, which is that of its group as far as a file may have it.

    Raises:
        InputError: the recipe is wrong, or names groups itself, or the corpus has no groups to leave out; all at once.
    """
    loaded = source.load({})
    protocol, problems = loaded.recipe.protocol, list[Problem]()
    for key, named in ((TEST_GROUPS, protocol.test_groups), (DEV_GROUPS, protocol.dev_groups)):
        if named is not None:
            message = f"must be left out: each group is held out in turn (got {', '.join(named)})"
            problems.append(Problem(loaded.sources.where(key), key, message))
    if next_is_dev and protocol.name == "paper":
        problems.append(Problem("command line", "--next-is-dev", "needs a dev, which protocol 'paper' does not have"))
    dialogues = list(every_dialogue(open_dataset(loaded)))
    groups, fewest = in_order([dialogue.group for dialogue in dialogues]), 3 if next_is_dev else 2
    if lacking := ungrouped(dialogues):
        problems.append(Problem("", "dataset", lacking))
    elif len(groups) < fewest:
        problems.append(Problem("", "dataset", f"must have at least {fewest} groups (got {', '.join(groups)})"))
    if problems:
        raise InputError(f"{loaded.recipe.name} cannot be cross-validated", problems, HELP if lacking else "")
    names = plainly(groups)
    changes: dict[str, Changes] = {}
    for name, group, after in zip(names, groups, [*groups[1:], groups[0]], strict=True):
        dev = {DEV_GROUPS: in_yaml([after])} if next_is_dev else {}
        changes[name] = {TEST_GROUPS: in_yaml([group]), **dev}
    return changes
