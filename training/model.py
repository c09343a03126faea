"""A transformer of the `llama` architecture, small enough to read at once and to load in llama.cpp.

RMSNorm before each block, rotary positions (half-split; `export` permutes them to llama.cpp's order), SwiGLU,
embeddings tied to the output. It knows nothing about puzzles: it gets token ids, positions and a mask, so that
one row can hold a whole tree of paths that share their prefixes.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

Cache = list[tuple[Tensor, Tensor]]
"""Per layer, the keys and values so far, each (batch, heads, time, head_width)."""


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a model; every weight's shape follows from it.

    Attributes:
        vocabulary: token ids.
        width: of the residual stream; a multiple of 32, the block of Q8_0.
        layers: transformer blocks.
        heads: attention heads; `width / heads` is even.
        hidden: width inside the feed-forward network; a multiple of 32.
        context: tokens that llama.cpp is told the model can take.
        rope_base: wavelength base of the rotary positions.
        epsilon: added to the mean square in RMSNorm.
    """

    vocabulary: int
    width: int = 256
    layers: int = 6
    heads: int = 8
    hidden: int = 704
    context: int = 512
    rope_base: float = 10_000.0
    epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        """Elements of one head."""
        return self.width // self.heads

    @property
    def parameters(self) -> int:
        """Number of weights; the tied embedding counts once."""
        block = 4 * self.width**2 + 3 * self.width * self.hidden + 2 * self.width
        return self.vocabulary * self.width + self.layers * block + self.width


def rotary(positions: Tensor, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Cosines and sines (batch, 1, time, head_width / 2) of RoFormer (arXiv 2104.09864) at `positions`."""
    half = config.head_width // 2
    index = torch.arange(half, device=positions.device, dtype=torch.float32)
    angles = positions[:, None, :, None].float() * config.rope_base ** (-index / half)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (i, i + head_width / 2) of `x` (batch, heads, time, head_width) by their angles."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).type_as(x)


class Attention(nn.Module):
    """Multi-head attention with rotary positions.

    Written out: with a mask, at these lengths and in bfloat16 on a CPU, PyTorch's own
    `scaled_dot_product_attention` takes three to four times as long forward and backward.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.query = nn.Linear(config.width, config.width, bias=False)
        self.key = nn.Linear(config.width, config.width, bias=False)
        self.value = nn.Linear(config.width, config.width, bias=False)
        self.output = nn.Linear(config.width, config.width, bias=False)

    def forward(
        self, x: Tensor, angles: tuple[Tensor, Tensor], bias: Tensor, cache: Cache | None, layer: int
    ) -> Tensor:
        """(batch, time, width) to the same shape; appends this call's keys and values to `cache`."""
        batch, time, _ = x.shape
        shape = (batch, time, -1, self.config.head_width)
        query = rotate(self.query(x).view(shape).transpose(1, 2), *angles)
        key = rotate(self.key(x).view(shape).transpose(1, 2), *angles)
        value = self.value(x).view(shape).transpose(1, 2)
        if cache is not None and layer < len(cache):
            key = torch.cat((cache[layer][0], key), dim=2)
            value = torch.cat((cache[layer][1], value), dim=2)
        if cache is not None:
            cache[layer : layer + 1] = [(key, value)]
        scores = query * self.config.head_width**-0.5 @ key.transpose(2, 3) + bias.type_as(query)
        mixed = scores.softmax(dim=-1).type_as(value) @ value
        written: Tensor = self.output(mixed.transpose(1, 2).reshape(batch, time, -1))
        return written


class Block(nn.Module):
    """Attention and a SwiGLU feed-forward network (arXiv 2002.05202), each behind RMSNorm and a residual."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.width, eps=config.epsilon)
        self.attention = Attention(config)
        self.feed_norm = nn.RMSNorm(config.width, eps=config.epsilon)
        self.gate = nn.Linear(config.width, config.hidden, bias=False)
        self.up = nn.Linear(config.width, config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)

    def forward(
        self, x: Tensor, angles: tuple[Tensor, Tensor], bias: Tensor, cache: Cache | None, layer: int
    ) -> Tensor:
        """(batch, time, width) to the same shape."""
        x = x + self.attention(self.attention_norm(x), angles, bias, cache, layer)
        normed = self.feed_norm(x)
        written: Tensor = self.down(F.silu(self.gate(normed)) * self.up(normed))
        return x + written


class Transformer(nn.Module):
    """The whole model: `forward` gives hidden states, `logits` reads the ones that are asked for."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=config.epsilon)

    def forward(
        self, tokens: Tensor, positions: Tensor, mask: Tensor | None = None, cache: Cache | None = None
    ) -> Tensor:
        """Hidden states (batch, time, width).

        Args:
            tokens: ids (batch, time).
            positions: rotary positions (batch, time); tokens of sibling branches share them.
            mask: (batch, 1, time, time + cached), true where a query may look; causal when None and nothing is cached.
            cache: keys and values of earlier calls, extended in place.
        """
        x = self.embedding(tokens)
        angles = rotary(positions, self.config)
        if mask is None:
            mask = torch.ones(tokens.shape[1], tokens.shape[1], device=x.device).tril().bool()[None, None]
        bias = torch.zeros(mask.shape, device=x.device).masked_fill_(~mask, -torch.inf)
        for layer, block in enumerate(self.blocks):
            x = block(x, angles, bias, cache, layer)
        normed: Tensor = self.norm(x)
        return normed

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits (..., vocabulary) of the next token from hidden states (..., width)."""
        return F.linear(hidden, self.embedding.weight)


class Reach(nn.Module):
    """A second reading of the hidden states, for training alone: which targets the numbers left can reach.

    One judgement is one bit about one target; here every line that is read teaches a hundred. The logit of a
    target is the product of its embedding with the projected hidden state.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.projection = nn.Linear(config.width, config.width, bias=False)
        self.offset = nn.Parameter(torch.tensor(-2.0))
        nn.init.zeros_(self.projection.weight)

    def forward(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Logits (states, targets) from hidden states (states, width) and embeddings (targets, width)."""
        return F.linear(self.projection(hidden), targets) + self.offset


def initialise(model: Transformer, number_ids: tuple[int, int], structured: bool, seed: int) -> None:
    """Fill the weights in place, deterministically from `seed`.

    Matrices are normal with variance 1 / fan-in, those that write to the residual stream zero. When
    `structured`, half of the embedding of the numbers in `number_ids` (first, last + 1) is `number_waves`.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1:
                weight.fill_(1.0)
            elif name.endswith(("output.weight", "down.weight")):
                weight.zero_()
            else:
                scale = 0.05 if name.startswith("embedding") else weight.shape[1] ** -0.5
                weight.normal_(0.0, scale, generator=generator)
        if structured:
            first, last = number_ids
            waves = number_waves(last - first, model.config.width // 2)
            model.embedding.weight[first:last, : waves.shape[1]] = 0.05 * math.sqrt(2) * waves


def number_waves(count: int, width: int) -> Tensor:
    """Sines and cosines (count, width) of the numbers 0..count-1, half of n itself and half of log(1 + n).

    Sums turn angles of the first kind and products those of the second, which is what networks trained on
    modular addition were found to invent (arXiv 2301.05217); starting there saves them the search.
    """
    number = torch.arange(count, dtype=torch.float64)[:, None]
    waves = width // 4
    period = 2.0 * (count / 2.0) ** (torch.arange(waves) / max(waves - 1, 1)).double()
    frequency = 2.0 ** torch.linspace(0, math.log2(count), waves).double()
    angles = torch.cat((2 * math.pi * number / period, frequency * (1 + number).log()), dim=1)
    return torch.cat((angles.cos(), angles.sin()), dim=1).float()
