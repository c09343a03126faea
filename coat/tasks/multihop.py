"""Questions over several facts, which a memory can hold: HotpotQA, MuSiQue and 2WikiMultihopQA."""

from collections.abc import Mapping
from typing import Any

from coat.problem import Problem
from coat.tasks.qa import QuestionAnswering, normalise, token_f1


class MultiHop(QuestionAnswering):
    """A question that takes several hops; graded by exact match with the answer or one of its aliases."""

    form = 'a "question" and an "answer", perhaps "answer_aliases"'

    def given(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Other spellings of the answer."""
        return {"aliases": tuple(map(str, data.get("answer_aliases") or ()))}

    def grade(self, problem: Problem, answer: str) -> bool | None:
        """Exact match after normalisation."""
        return None if problem.gold is None else any(normalise(answer) == normalise(each) for each in golds(problem))

    def score(self, problem: Problem, answer: str) -> float | None:
        """The best token F1 over the spellings of the answer."""
        return max((token_f1(answer, each) for each in golds(problem)), default=0.0)


def golds(problem: Problem) -> tuple[str, ...]:
    """All spellings of the right answer."""
    return () if problem.gold is None else (problem.gold, *problem.given.get("aliases", ()))


class HotpotQA(MultiHop):
    """HotpotQA (arXiv 1809.09600)."""

    name = "hotpotqa"
    summary = "answer a question that joins two facts"
    source = "hotpotqa.github.io, hotpot_dev_distractor_v1.json (CC BY-SA 4.0)"
    sample = "In which country was the director of the film Parasite born?"


class MuSiQue(MultiHop):
    """MuSiQue (arXiv 2108.00573)."""

    name = "musique"
    summary = "answer a question that takes two to four hops"
    source = "github.com/stonybrooknlp/musique, musique_ans_v1.0_dev.jsonl (CC BY 4.0)"
    sample = "Who is the mayor of the city where the composer of Fidelio was born?"


class TwoWiki(MultiHop):
    """2WikiMultihopQA (arXiv 2011.01060)."""

    name = "2wikimultihopqa"
    summary = "answer a question over two articles, by comparison or by inference"
    source = "github.com/Alab-NII/2wikimultihop, dev.json (Apache-2.0)"
    sample = "Who lived longer, Ada Lovelace or Charles Babbage?"
