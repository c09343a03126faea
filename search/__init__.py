"""Trees and search algorithms, without a model and without I/O.

A search is a generator: it yields the requests that became possible and is sent one reply at a time. `drive` runs it
over anything that can answer; a list of canned replies does for a test.
"""

from search.ab_mcts import ab_mcts
from search.auto import auto, take_up
from search.backup import maximum, mean
from search.beam import beam, dvts
from search.best_first import best_first
from search.best_of_n import best_of_n
from search.budget import Budget
from search.driver import drive
from search.feedback_edit import feedback_edit
from search.mcts import mcts
from search.particles import particles
from search.rebase import rebase
from search.requests import (
    Evaluate,
    Evaluation,
    Execute,
    Execution,
    Expand,
    Expansion,
    Reply,
    Request,
    Search,
)
from search.rstar import rstar
from search.s_star import s_star
from search.selection import priors, puct, uct
from search.tpo import tpo
from search.tree import Action, Node, Status, Step, Tree

__all__ = [
    "Action",
    "Budget",
    "Evaluate",
    "Evaluation",
    "Execute",
    "Execution",
    "Expand",
    "Expansion",
    "Node",
    "Reply",
    "Request",
    "Search",
    "Status",
    "Step",
    "Tree",
    "ab_mcts",
    "auto",
    "beam",
    "best_first",
    "best_of_n",
    "drive",
    "dvts",
    "feedback_edit",
    "maximum",
    "mcts",
    "mean",
    "particles",
    "priors",
    "puct",
    "rebase",
    "rstar",
    "s_star",
    "take_up",
    "tpo",
    "uct",
]
