"""Where the engine can play with the model at hand: what `coat eval` measured, and what follows from it.

coat eval --task TASK --model MODEL --limit 50 --tokens 4000 --no-journal          (the puzzle model)
coat eval --task TASK --model MODEL --limit 12 --tokens 1500 --set seconds=25 --no-journal     (the others)
"""

from dataclasses import dataclass

from coat.models import JOINED
from coat.models.catalog import resolve
from coat.tasks import Task

MEASURED: dict[tuple[str, str], tuple[int, int]] = {
    ("game24", "puzzle"): (50, 50),
    ("countdown", "puzzle"): (50, 50),
    ("blocksworld", "smollm2"): (0, 12),
    ("blocksworld", "gemma3-270m"): (2, 12),
    ("cube2x2", "smollm2"): (0, 12),
    ("cube2x2", "gemma3-270m"): (1, 12),
    ("sudoku", "smollm2"): (0, 12),
    ("sudoku", "gemma3-270m"): (0, 12),
}
"""By task and model, how many made-up problems the search got right, and of how many."""
LEAST = 0.5
"""The share of problems from which on the engine plays."""


@dataclass(frozen=True, slots=True)
class Ability:
    """Whether the engine may play, and a sentence for the player about it."""

    can: bool
    sentence: str


def ability(task: Task, model: str | None) -> Ability:
    """Whether the search solves enough of `task` with `model`, None for the one that is used by itself.

    A model that was never measured may try, since the person chose it.

    Raises:
        ModelError: no model is installed.
    """
    name = model or task.model or resolve(None).name
    if not task.verifies:
        return Ability(True, f"the model {name} answers; nothing here can check it, and small models are often wrong")
    found = MEASURED.get((task.name, name))
    if found is None:
        measure = f"coat eval --task {task.name} --model {name}"
        several = " (several models together)" if JOINED in name else ""
        return Ability(True, f"how well {name}{several} plays is not known; `{measure}` measures it")
    right, of = found
    if right / of < LEAST:
        sentence = f"you play alone: with the model {name} the engine solved {right} of {of}"
        return Ability(False, f"{sentence}. Another model: coat play {task.name} --model NAME")
    return Ability(True, f"the engine can play it: with the model {name} it solved {right} of {of}")
