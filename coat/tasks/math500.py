"""MATH-500: problems of school competitions, whose answer is a number or a formula (arXiv 2103.03874, 2305.20050)."""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from coat import prompts
from coat.algebra import ALGEBRA
from coat.errors import UnreadableAnswerError
from coat.problem import Problem
from coat.tasks.qa import QuestionAnswering, normalise, str_of

RULES = (
    "Solve the problem. {how} The last line is 'Answer:' and nothing but the answer, in its simplest form, in LaTeX"
    " where it is no plain number."
)
ANSWERED = (
    (
        r"A right triangle has legs of length $5$ and $10$. How long is its hypotenuse?",
        (
            r"By Pythagoras the square of the hypotenuse is $5^2 + 10^2 = 125$.",
            r"$125 = 25 \cdot 5$, so its root is $5\sqrt{5}$.",
            r"Answer: 5\sqrt{5}",
        ),
    ),
    (
        r"Find all real $x$ with $x^2 - x = 6$. Write them with a comma between.",
        (
            r"$x^2 - x - 6 = 0$ factors into $(x - 3)(x + 2) = 0$.",
            r"So $x = 3$ or $x = -2$.",
            r"Answer: -2, 3",
        ),
    ),
    (
        r"Two fair dice are rolled. What is the probability that the sum is at least $11$?",
        (
            r"There are $6 \cdot 6 = 36$ rolls.",
            r"A sum of $11$ comes from $2$ of them, a sum of $12$ from $1$.",
            r"The probability is $\frac{3}{36} = \frac{1}{12}$.",
            r"Answer: \frac{1}{12}",
        ),
    ),
)
DRAFTED = (
    (ANSWERED[0][0], (r"$5^2 + 10^2 = 125$", r"$\sqrt{125} = 5\sqrt{5}$", r"Answer: 5\sqrt{5}")),
    (ANSWERED[1][0], (r"$(x - 3)(x + 2) = 0$", "Answer: -2, 3")),
    (ANSWERED[2][0], ("36 rolls", "2 + 1 = 3 of them", r"$\frac{3}{36}$", r"Answer: \frac{1}{12}")),
)

NAMES = "sqrt|pi|infty|sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|sinh|cosh|tanh|log|ln|exp|det|gcd|lcm|min|max"
_SIMPLER: tuple[tuple[str, str], ...] = (
    (r"\\(?:left|right|displaystyle|big|Big|bigg|Bigg)(?![A-Za-z])|(?<!\\)\\[!,;:]|\$|~", ""),
    (r"(?<!\\)\\ |\\(?:quad|qquad)(?![A-Za-z])", " "),
    (r"\\[dtc]frac", r"\\frac"),
    ("[−–]", "-"),
    ("π", r"\\pi "),
    ("∞", r"\\infty "),
    (r"√\s*(\w+)|√\s*\(([^()]*)\)", r"\\sqrt{\1\2}"),
    (rf"(?<![\\A-Za-z])({NAMES})(?![A-Za-z])", r"\\\1"),
    (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
    (r"\\(frac|sqrt)\s*(\d)", r"\\\1{\2}"),
    (r"\\frac\{(\d)\}\s*(\d)", r"\\frac{\1}{\2}"),
    (r"\^\s*\{?\s*\\circ\s*\}?|°|\s*\\?degrees?\b", ""),
    (r",?\s*(?:\\text\s*\{\s*(?:and|or)\s*\}|(?<![A-Za-z])(?:and|or)(?![A-Za-z]))\s*", ", "),
    (r"(\d)\{,\}(?=\d)", r"\1,"),
    (r"\\%", "%"),
)
_SIMPLER_READ = tuple((re.compile(pattern), new) for pattern, new in _SIMPLER)
_TEXT = re.compile(r"\\(?:text|mbox|mathrm|textbf|textit)\s*\{([^{}]*)\}")
_UNIT = re.compile(
    rf"(?<=[\d}})])\s*(?:{_TEXT.pattern}|(?<=\s)(?!(?:{NAMES})\b)[A-Za-z]{{3,}}(?:\s+[A-Za-z]+)*)(?:\^\{{?\d\}}?)?$"
)
_LETTER = re.compile(r"\(\s*([A-Za-z])\s*\)")
_BASE = re.compile(r"(\d[0-9A-F]*)_\{?(\d+)\}?")
_THOUSANDS = re.compile(r"(?<!\d)\d{1,3}(?:,\d{3})+(?![\d,])")
_DECIMAL = re.compile(r"([+-]?)(\d{1,50}\.?\d{0,50}|\.\d{1,50})")
_FRACTION = re.compile(r"([+-]?)(?:\\frac\{(-?\d{1,50})\}\{(\d{1,50})\}|(\d{1,50})/(\d{1,50}))")
_ASSIGNED = re.compile(r"[A-Za-z]\s*=\s*(?!.*=)")
_PAIR = re.compile(r"[(\[][^()\[\]]*,[^()\[\]]*[)\]]")
_NAMED = re.compile(rf"\\(?:begin|end|operatorname)\{{[^{{}}]*\}}|{_TEXT.pattern}")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}")


class Math500(QuestionAnswering):
    """A problem in LaTeX; graded by algebra."""

    name = "math500"
    summary = "solve a competition problem; the answer is a number or a formula in LaTeX"
    source = "github.com/openai/prm800k, prm800k/math_splits/test.jsonl (MIT)"
    form = 'a "problem" and an "answer" in LaTeX'
    sample = r"What is the sum of all positive divisors of $28$?"

    def write(self, style: prompts.Style) -> None:
        """From now on steps are of this style; formulas take more tokens than words."""
        super().write(style)
        self.step_tokens = {"lines": 96, "free": 384, "draft": 32}[style]

    def worked(self, problem: Problem) -> prompts.Worked:
        """Problems with their solutions."""
        return prompts.worked(RULES, "Problem: ", ANSWERED, DRAFTED)

    def depth(self, problem: Problem) -> int:
        """Up to twelve steps: a competition takes more of them than a question of a few hops."""
        return 12

    def asked(self, data: Mapping[str, Any]) -> str:
        """The problem."""
        return str_of(data["problem"])

    def answer(self, problem: Problem, path: Sequence[str]) -> str:
        """What follows `Answer:`, and of that what stands in the last box or, among words, in formulas."""
        return bare(prompts.label(path[-1])[1]) if path else ""

    def canonical(self, answer: str) -> str:
        """The answer without spaces and units, numbers as fractions, of `x = 5` only the 5."""
        text = simplified(answer)
        value = number(text)
        if value is None:
            text = _ASSIGNED.sub("", text)
            value = number(text)
        return str(value) if value is not None else "".join(text.split())

    def grade(self, problem: Problem, answer: str) -> bool | None:
        """Whether it is the gold answer as algebra knows it, or its words where it is words.

        Raises:
            UnreadableAnswerError: it is no mathematics, or takes too long to compare.
            BackendError: the process that compares formulas does not start.
        """
        return None if problem.gold is None else equal(problem.gold, answer)


def equal(gold: str, answer: str) -> bool:
    r"""Whether `answer` is `gold`, where units, degrees and the way to write it do not count.

    >>> equal(r"\frac{1}{2}", "0.5"), equal(r"90^\circ", "90"), equal(r"\text{east}", "East"), equal("52_8", "52_9")
    (True, True, True, False)

    Raises:
        UnreadableAnswerError: `answer` is no mathematics, and `gold` is.
        BackendError: the process that compares formulas does not start.
    """
    right, given = simplified(gold), simplified(answer)
    if "".join(right.split()) == "".join(given.split()):
        return True
    if _TEXT.fullmatch(gold.strip()):
        return normalise(_TEXT.sub(r"\1", gold)) == normalise(_TEXT.sub(r"\1", given))
    based = _BASE.fullmatch(right), _BASE.fullmatch(given)
    if based[0] is not None:
        return given == based[0][1] if based[1] is None else based[0].groups() == based[1].groups()
    if _is_list(right) and _PAIR.fullmatch(given):
        return False
    values = number(right), number(given)
    if None not in values and (values[0] == values[1] or ("." in right) == ("." in given)):
        return values[0] == values[1]
    if words := set(_WORD.findall(_NAMED.sub(" ", given))) - set(_WORD.findall(right)):
        raise UnreadableAnswerError(f"{answer[:80]!r} is no mathematics: {sorted(words)[0]!r}")
    return ALGEBRA.equal(right, given)


def _is_list(text: str) -> bool:
    """Whether values stand side by side, which have no order, and no brackets around them."""
    return "," in text and not set(text) & set("()[]{}")


def bare(answer: str) -> str:
    r"""What stands in the last box, else in the formulas that `answer` marks, with commas between, else all of it.

    >>> bare(r"so \boxed{\frac{1}{\sqrt{2}}}."), bare("They are $3$ and $-2$."), bare(r"\(x+1\)"), bare("$18.90")
    ('\\frac{1}{\\sqrt{2}}', '3, -2', 'x+1', '$18.90')
    """
    start = answer.rfind(r"\boxed{")
    if start >= 0:
        depth, first = 0, start + len(r"\boxed")
        for index in range(first, len(answer)):
            depth += {"{": 1, "}": -1}.get(answer[index], 0)
            if depth == 0:
                return answer[first + 1 : index].strip()
    found = re.findall(r"(?<!\\)\$([^$]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", answer)
    return ", ".join("".join(each).strip() for each in found) or answer.strip()


def simplified(answer: str) -> str:
    r"""The answer in the plain form of LaTeX that its readers share, without units.

    >>> simplified(r"\left( 3, \dfrac12 \right)."), simplified(r"5\text{ cm}^2"), simplified("1,080 dollars")
    ('( 3, \\frac{1}{2} )', '5', '1080')
    """
    text = " ".join(bare(answer).replace(r"\$", "").split()).rstrip(".")
    for pattern, new in _SIMPLER_READ:
        text = pattern.sub(new, text)
    text = _UNIT.sub("", text.strip())
    if whole := _TEXT.fullmatch(text) or _LETTER.fullmatch(text):
        text = whole[1]
    if letter := _LETTER.fullmatch(text.strip()):
        text = letter[1]
    return _THOUSANDS.sub(lambda found: found[0].replace(",", ""), text).strip()


def number(text: str) -> Fraction | None:
    r"""The number that `text` writes out, as a decimal or a fraction; None where it is no more than that.

    >>> number("-0.50"), number(r"\frac{7}{2}"), number("1/0"), number("x")
    (Fraction(-1, 2), Fraction(7, 2), None, None)
    """
    plain = "".join(text.split())
    if found := _DECIMAL.fullmatch(plain):
        return Fraction(found[1] + found[2])
    if found := _FRACTION.fullmatch(plain):
        over, under = int(found[2] or found[4]), int(found[3] or found[5])
        return (-1 if found[1] == "-" else 1) * Fraction(over, under) if under else None
    return None
