"""Tiny GGUFs with random weights, one of each kind of architecture that llama.cpp knows how to cache."""

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Weights = dict[str, Floats]

WIDTH, HEADS, HEAD, HIDDEN, LAYERS, EXPERTS, WINDOW = 32, 4, 8, 64, 4, 4, 16
CONV, STATE, RANK = 4, 8, 4
"""Of the recurrent layers: how far the convolution looks back, the size of a channel's state, the time step's rank."""
CONTEXT = 2048
NORMAL, UNKNOWN, CONTROL, USER, BYTE = 1, 2, 3, 4, 6
"""Token types of the "llama" tokenizer."""
PRINTABLE = {f"<0x{byte:02X}>".encode() for byte in range(32, 127)}
"""The bytes that a model writes; the logits of the others are 0, since embeddings are used for both."""

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class Dice:
    """Random weights of a size that neither fades nor explodes from layer to layer."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def matrix(self, *shape: int) -> Floats:
        """Weights of a linear map, shape (…, out, in)."""
        return self._random.normal(0, 1.5 / shape[-1] ** 0.5, shape).astype(np.float32)

    def norm(self, size: int) -> Floats:
        """Weights of a normalisation."""
        return self._random.uniform(0.5, 1.5, size).astype(np.float32)


def attention(dice: Dice, at: str) -> Weights:
    """The matrices of an attention layer."""
    return {f"{at}.attn_{part}.weight": dice.matrix(WIDTH, WIDTH) for part in ("q", "k", "v", "output")}


def feed_forward(dice: Dice, at: str) -> Weights:
    """The matrices of a gated feed-forward layer."""
    shapes = {"gate": (HIDDEN, WIDTH), "up": (HIDDEN, WIDTH), "down": (WIDTH, HIDDEN)}
    return {f"{at}.ffn_{part}.weight": dice.matrix(*shape) for part, shape in shapes.items()}


def dense(dice: Dice, at: str, layer: int) -> Weights:
    """A layer of a plain transformer."""
    return norms(dice, at, "attn_norm", "ffn_norm") | attention(dice, at) | feed_forward(dice, at)


def experts(dice: Dice, at: str, layer: int) -> Weights:
    """A layer whose feed-forward part is a choice of experts."""
    shapes = {"gate": (HIDDEN, WIDTH), "up": (HIDDEN, WIDTH), "down": (WIDTH, HIDDEN)}
    chosen = {f"{at}.ffn_{part}_exps.weight": dice.matrix(EXPERTS, *shape) for part, shape in shapes.items()}
    chosen[f"{at}.ffn_gate_inp.weight"] = dice.matrix(EXPERTS, WIDTH)
    return norms(dice, at, "attn_norm", "ffn_norm") | attention(dice, at) | chosen


def window(dice: Dice, at: str, layer: int) -> Weights:
    """A layer of Gemma 2, of which every other one looks back no further than a window."""
    names = ("attn_norm", "ffn_norm", "post_attention_norm", "post_ffw_norm")
    return norms(dice, at, *names) | attention(dice, at) | feed_forward(dice, at)


def recurrent(dice: Dice, at: str, layer: int) -> Weights:
    """A layer of Mamba, which keeps one state a sequence and no tokens."""
    inner = 2 * WIDTH
    return {
        f"{at}.attn_norm.weight": dice.norm(WIDTH),
        f"{at}.ssm_in.weight": dice.matrix(2 * inner, WIDTH),
        f"{at}.ssm_conv1d.weight": dice.matrix(inner, CONV),
        f"{at}.ssm_conv1d.bias": dice.norm(inner) - 1,
        f"{at}.ssm_x.weight": dice.matrix(RANK + 2 * STATE, inner),
        f"{at}.ssm_dt.weight": dice.matrix(inner, RANK),
        f"{at}.ssm_dt.bias": dice.norm(inner) - 2,
        f"{at}.ssm_a": -np.tile(np.arange(1, STATE + 1, dtype=np.float32), (inner, 1)),
        f"{at}.ssm_d": dice.norm(inner),
        f"{at}.ssm_out.weight": dice.matrix(WIDTH, inner),
    }


def hybrid(dice: Dice, at: str, layer: int) -> Weights:
    """A layer of LFM2: attention in every other one, a short convolution in the rest."""
    shared = norms(dice, at, "attn_norm", "ffn_norm") | feed_forward(dice, at)
    if attends(layer):
        each = {f"{at}.attn_{part}_norm.weight": dice.norm(HEAD) for part in ("q", "k")}
        return shared | attention(dice, at) | each
    return shared | {
        f"{at}.shortconv.conv.weight": dice.matrix(WIDTH, CONV),
        f"{at}.shortconv.in_proj.weight": dice.matrix(3 * WIDTH, WIDTH),
        f"{at}.shortconv.out_proj.weight": dice.matrix(WIDTH, WIDTH),
    }


def attends(layer: int) -> bool:
    """Whether a layer of the hybrid has attention."""
    return layer % 2 == 1


def norms(dice: Dice, at: str, *names: str) -> Weights:
    """Normalisations by name."""
    return {f"{at}.{name}.weight": dice.norm(WIDTH) for name in names}


LAYER: dict[str, tuple[str, Callable[[Dice, str, int], Weights]]] = {
    "dense": ("llama", dense),
    "experts": ("llama", experts),
    "window": ("gemma2", window),
    "recurrent": ("mamba", recurrent),
    "hybrid": ("lfm2", hybrid),
}
"""By kind: llama.cpp's name of the architecture, and a layer's weights."""

KINDS = tuple(LAYER)


def write(kind: str, path: Path, *, seed: int = 0, template: str | None = CHATML, words: tuple[str, ...] = ()) -> Path:
    """Write a GGUF of `kind` with a byte vocabulary, the marks of ChatML, and `words` that are a token each."""
    architecture, layer = LAYER[kind]
    dice = Dice(seed)
    tokens = vocabulary(words)
    embeddings = dice.matrix(len(tokens), WIDTH) * WIDTH**0.5
    embeddings[[at for at, (text, token) in enumerate(tokens) if token == BYTE and text not in PRINTABLE]] = 0
    weights = {"token_embd.weight": embeddings}
    weights["token_embd_norm.weight" if kind == "hybrid" else "output_norm.weight"] = dice.norm(WIDTH)
    for number in range(LAYERS):
        weights |= layer(dice, f"blk.{number}", number)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(f"random {kind}")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _describe(writer, kind)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _ in tokens])
    writer.add_token_types([token for _, token in tokens])
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(tokens.index((b"<|im_end|>", CONTROL)))
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    if template is not None:
        writer.add_chat_template(template)
    for name, weight in weights.items():
        writer.add_tensor(name, np.ascontiguousarray(weight, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def vocabulary(words: tuple[str, ...]) -> list[tuple[bytes, int]]:
    """Texts and types of the tokens."""
    marks = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)]
    octets = [(f"<0x{byte:02X}>", BYTE) for byte in range(256)]
    marks += [*octets, ("<|im_start|>", CONTROL), ("<|im_end|>", CONTROL), *((word, USER) for word in words)]
    return [(text.encode(), kind) for text, kind in marks]


def _describe(writer: gguf.GGUFWriter, kind: str) -> None:
    """The architecture's metadata."""
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_layer_norm_rms_eps(1e-5)
    if kind == "recurrent":
        writer.add_ssm_conv_kernel(CONV)
        writer.add_ssm_inner_size(2 * WIDTH)
        writer.add_ssm_state_size(STATE)
        writer.add_ssm_time_step_rank(RANK)
        return
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv([HEADS * attends(layer) for layer in range(LAYERS)] if kind == "hybrid" else HEADS)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_rope_dimension_count(HEAD)
    if kind == "experts":
        writer.add_expert_count(EXPERTS)
        writer.add_expert_used_count(2)
    if kind == "window":
        writer.add_sliding_window(WINDOW)
    if kind == "hybrid":
        writer.add_shortconv_l_cache(CONV)
