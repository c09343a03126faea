"""A token budget that is never exceeded, however many requests run beside each other."""

from dataclasses import dataclass, replace

from search.requests import Expand, Request


@dataclass(slots=True)
class Budget:
    """`tokens` None means no limit. `spent` counts delivered replies only, so that timing changes no decision.

    `reserved` is the worst case of the expansions that are out, the judgement of their steps included.
    """

    tokens: int | None = None
    spent: int = 0
    reserved: int = 0

    def admit(self, request: Request, cost: int, alone: bool) -> Request | None:
        """Reserve `request`, whose worst case is `cost` tokens a step; None where there is no room for it now.

        An expansion that is alone is made narrower rather than refused, as long as one step fits. Evaluations were
        reserved with the expansion that they follow.
        """
        if not isinstance(request, Expand):
            return request
        if self.tokens is not None:
            left = self.tokens - self.spent - self.reserved
            width = min(request.width, max(0, left) // max(1, cost))
            if width < request.width and not (alone and width):
                return None
            request = replace(request, width=width)
        self.reserved += request.width * cost
        return request

    def settle(self, reserved: int, spent: int) -> None:
        """Turn `reserved` tokens of a request into the tokens it `spent`."""
        self.reserved -= reserved
        self.spent += spent
