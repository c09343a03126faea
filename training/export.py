"""From a run to files that last: half-precision weights, and GGUF for llama.cpp in F32 and Q8_0."""

import ctypes
import json
from dataclasses import asdict
from pathlib import Path

import gguf
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from training import text
from training.errors import TrainingError
from training.model import ModelConfig, Transformer
from training.train import RunConfig, load_checkpoint, run_config

NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
"""Token types of the GGUF vocabulary (llama.h, `llama_token_type` of the "llama" tokenizer)."""

Q8_0 = 7
"""`LLAMA_FTYPE_MOSTLY_Q8_0` of llama.h."""


def write_weights(model: Transformer, config: RunConfig, path: Path) -> None:
    """Write the weights as float16 safetensors with the configuration in their header."""
    weights = {name: weight.detach().half().contiguous() for name, weight in model.state_dict().items()}
    save_file(weights, path, metadata={"config": json.dumps(asdict(config))})


def read_weights(path: Path) -> tuple[RunConfig, dict[str, Tensor]]:
    """Configuration and float32 weights from a checkpoint or from safetensors.

    Raises:
        TrainingError: the file is missing or is neither.
    """
    if path.suffix != ".safetensors":
        state = load_checkpoint(path)
        return run_config(state["config"]), state["model"]
    if not path.is_file():
        raise TrainingError(f"There is no weights file {path}.")
    try:
        with safe_open(path, "pt") as file:
            config = json.loads((file.metadata() or {})["config"])
            weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError) as error:
        raise TrainingError(f"{path} holds no weights of this program: {error}") from error
    return run_config(config), weights


def load_model(path: Path) -> tuple[Transformer, RunConfig]:
    """The model of a checkpoint or weights file, on the CPU in float32.

    Raises:
        TrainingError: the file is missing, or its weights do not fit its configuration.
    """
    config, weights = read_weights(path)
    model = Transformer(config.model)
    fill(model, weights, path)
    return model, config


def fill(model: Transformer, weights: dict[str, Tensor], path: Path) -> None:
    """Put the weights read from `path` into `model`.

    Raises:
        TrainingError: they are those of a model of another shape.
    """
    mine = model.state_dict()
    differing = sorted(
        f"{name} {tuple(weights[name].shape) if name in weights else 'missing'}"
        for name in mine
        if name not in weights or weights[name].shape != mine[name].shape
    )
    if differing or len(weights) != len(mine):
        raise TrainingError(
            f"{path} holds a model of another shape than {model.config}: "
            f"{', '.join(differing[:3]) or 'it has more layers'}."
        )
    model.load_state_dict(weights)


def interleave(weight: Tensor, heads: int) -> Tensor:
    """Reorder the rows of a query or key matrix from half-split rotary pairs to neighbouring ones."""
    rows, width = weight.shape
    return weight.view(heads, 2, rows // heads // 2, width).transpose(1, 2).reshape(rows, width)


def tensors(model: Transformer) -> dict[str, Tensor]:
    """The weights under llama.cpp's names, float32."""
    config, state = model.config, model.state_dict()
    named = {"token_embd": state["embedding.weight"], "output_norm": state["norm.weight"]}
    for layer in range(config.layers):
        here, there = f"blocks.{layer}", f"blk.{layer}"
        query, key = state[f"{here}.attention.query.weight"], state[f"{here}.attention.key.weight"]
        named |= {
            f"{there}.attn_norm": state[f"{here}.attention_norm.weight"],
            f"{there}.attn_q": interleave(query, config.heads),
            f"{there}.attn_k": interleave(key, config.heads),
            f"{there}.attn_v": state[f"{here}.attention.value.weight"],
            f"{there}.attn_output": state[f"{here}.attention.output.weight"],
            f"{there}.ffn_norm": state[f"{here}.feed_norm.weight"],
            f"{there}.ffn_gate": state[f"{here}.gate.weight"],
            f"{there}.ffn_up": state[f"{here}.up.weight"],
            f"{there}.ffn_down": state[f"{here}.down.weight"],
        }
    return {f"{name}.weight": weight.float().contiguous() for name, weight in named.items()}


def write_gguf(model: Transformer, path: Path, name: str) -> None:
    """Write an F32 GGUF with the tokenizer of `text` and, under `coat.notation.*`, how to read judge and backtrack."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_license("apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _add_shape(writer, model.config)
    _add_tokenizer(writer)
    for role in ("name", "tag", "good", "bad", "backtrack"):
        writer.add_string(f"coat.notation.{role}", getattr(text, role.upper()))
    for tensor_name, weight in tensors(model).items():
        writer.add_tensor(tensor_name, weight.cpu().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_shape(writer: gguf.GGUFWriter, config: ModelConfig) -> None:
    """The architecture's metadata."""
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.width)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.hidden)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.heads)
    writer.add_rope_dimension_count(config.head_width)
    writer.add_rope_freq_base(config.rope_base)
    writer.add_layer_norm_rms_eps(config.epsilon)
    writer.add_vocab_size(config.vocabulary)


def _add_tokenizer(writer: gguf.GGUFWriter) -> None:
    """The vocabulary: control tokens, bytes, numbers; equal scores, so that merges run from the left."""
    kinds = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * text.NUMBERS
    writer.add_tokenizer_model("llama")
    writer.add_token_list(text.pieces())
    writer.add_token_scores([0.0] * text.VOCABULARY)
    writer.add_token_types(kinds)
    writer.add_unk_token_id(text.UNKNOWN)
    writer.add_bos_token_id(text.BEGIN)
    writer.add_eos_token_id(text.END)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)


def quantise(source: Path, path: Path) -> None:
    """Write the GGUF `source` as Q8_0 with llama.cpp's own quantiser.

    Raises:
        TrainingError: llama.cpp refused.
    """
    import llama_cpp

    from coat.models.llama.bindings import quiet

    quiet()
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread = Q8_0, 1
    code = llama_cpp.llama_model_quantize(str(source).encode(), str(path).encode(), ctypes.byref(params))
    if code:
        raise TrainingError(f"llama.cpp could not quantise {source} (code {code}).")


def export(path: Path, folder: Path, name: str) -> dict[str, int]:
    """Write `name`.safetensors, `name`-f32.gguf and `name`-q8_0.gguf; returns their sizes in bytes.

    Raises:
        TrainingError: `path` is no checkpoint or weights file of this program.
    """
    model, config = load_model(path)
    if config.model.vocabulary != text.VOCABULARY:
        raise TrainingError(f"{path} was trained with another vocabulary ({config.model.vocabulary} tokens).")
    folder.mkdir(parents=True, exist_ok=True)
    weights, full, small = (folder / f"{name}{end}" for end in (".safetensors", "-f32.gguf", "-q8_0.gguf"))
    write_weights(model, config, weights)
    write_gguf(model, full, name)
    quantise(full, small)
    return {file.name: file.stat().st_size for file in (weights, full, small)}


def start_from(path: Path, model: Transformer) -> None:
    """Fill a fresh run's model with the weights of an earlier one.

    Raises:
        TrainingError: they are those of a model of another shape.
    """
    _, weights = read_weights(path)
    with torch.no_grad():
        fill(model, weights, path)
