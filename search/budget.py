"""A token budget that is never exceeded, however many requests run beside each other."""

from dataclasses import dataclass


@dataclass(slots=True)
class Budget:
    """Counts the tokens of delivered replies, and holds back the worst case of what is out.

    `tokens` None means no limit; `cost` is the most tokens that one step and its judgement take. Since only delivered
    replies count, timing changes no decision. `refused` tells that the search ended for want of tokens.
    """

    tokens: int | None = None
    cost: int = 1
    spent: int = 0
    reserved: int = 0
    refused: bool = False

    def reserve(self, width: int, alone: bool) -> int:
        """Hold back what `width` steps may cost; how many steps there is room for now, 0 to wait or give up.

        With nothing else out (`alone`) fewer than `width` are granted rather than none.

        >>> budget = Budget(tokens=100, cost=30)
        >>> budget.reserve(2, alone=True), budget.reserve(2, alone=False), budget.reserved
        (2, 0, 60)
        >>> budget.settle(2, 20)
        >>> budget.reserve(4, alone=True), budget.reserved
        (2, 60)
        """
        if self.tokens is not None:
            room = max(0, self.tokens - self.spent - self.reserved) // max(1, self.cost)
            if room < width and not alone:
                return 0
            width = min(width, room)
            self.refused = not width
        self.reserved += width * self.cost
        return width

    def settle(self, width: int, tokens: int) -> None:
        """Release the reservation of `width` steps, which took `tokens`."""
        self.reserved -= width * self.cost
        self.spent += tokens
