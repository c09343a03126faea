import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from random import Random

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("gguf")

import llama_cpp  # noqa: E402
from rich.console import Console  # noqa: E402

from training import text  # noqa: E402
from training.data import DataConfig, Stream, make_rows  # noqa: E402
from training.errors import TrainingError  # noqa: E402
from training.evaluate import area_under_curve, generate  # noqa: E402
from training.export import export, load_model, quantise, read_weights, start_from, write_gguf  # noqa: E402
from training.model import ModelConfig, Transformer, initialise  # noqa: E402
from training.train import Habits, RunConfig, TrainConfig, fresh_run, losses, resume, train, train_step  # noqa: E402
from training.trees import RESULT  # noqa: E402

TINY = ModelConfig(text.VOCABULARY, width=32, layers=2, heads=2, hidden=64)
NUMBERS = (text.FIRST_NUMBER, text.FIRST_NUMBER + text.NUMBERS)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny_config(**changes):
    settings = {"steps": 12, "rate": 1e-2, "warmup": 2, "precision": "float32"} | changes
    return RunConfig(TINY, TrainConfig(**settings), DataConfig(rows=4))


def random_model(config=TINY):
    """A model whose every weight matters: fresh ones have zeros where blocks write."""
    model = Transformer(config)
    initialise(model, NUMBERS, structured=True, seed=3)
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in model.blocks.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    return model.eval()


def quiet():
    return Console(quiet=True)


def habits(folder, **changes):
    return Habits(folder, **({"workers": 0, "exam": 0, "every": 4} | changes))


def exactly(run, model, batch):
    """The loss of `model` on `batch` in float32."""
    config = replace(run.config, train=replace(run.config.train, precision="float32"))
    return losses(replace(run, config=config, model=model), batch)["all"].item()


def test_the_loss_falls(tmp_path):
    run = fresh_run(tiny_config(steps=40), "cpu")
    assert train(run, habits(tmp_path), quiet())
    assert run.curve[-1]["loss_all"] < 0.6 * run.curve[0]["loss_all"]
    assert (tmp_path / "curve.png").stat().st_size > 1000
    points = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert [point["step"] for point in points] == list(range(4, 41, 4))


@pytest.mark.parametrize("matrices", ["muon", "adamw"])
def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path, matrices):
    config = tiny_config(matrices=matrices)
    whole = fresh_run(config, "cpu")
    train(whole, habits(tmp_path / "whole"), quiet())
    broken = fresh_run(config, "cpu")
    assert not train(broken, habits(tmp_path / "broken", minutes=1e-9), quiet())
    assert broken.step == 1
    again = resume(tmp_path / "broken" / "checkpoint.pt", config, "cpu")
    assert again.step == 1
    assert train(again, habits(tmp_path / "broken"), quiet())
    for name, weight in whole.model.state_dict().items():
        assert torch.allclose(weight, again.model.state_dict()[name], atol=1e-6), name
    assert [p["step"] for p in again.curve] == [p["step"] for p in whole.curve]


def test_half_written_checkpoints_leave_the_old_one(tmp_path):
    config = tiny_config(steps=2)
    train(fresh_run(config, "cpu"), habits(tmp_path), quiet())
    (tmp_path / "checkpoint.part").write_bytes(b"half")
    assert resume(tmp_path / "checkpoint.pt", config, "cpu").step == 2


def test_bfloat16_learns_like_float32():
    batch = Stream(DataConfig(rows=4))[0]
    exact, rough = (fresh_run(tiny_config(precision=name), "cpu") for name in ("float32", "bfloat16"))
    for run in (exact, rough):
        for _ in range(3):
            train_step(run, batch)
    after = [exactly(run, run.model, batch) for run in (exact, rough)]
    assert after[1] == pytest.approx(after[0], rel=0.02)


def test_tokens_without_a_target_have_no_loss():
    row = make_rows(DataConfig(rows=1), 0)[0]
    targeted = {target.source for target in row.targets if target.kind != RESULT}
    wrong = [b for b, end in enumerate(row.ends) if any(t.source == end and t.kind == 2 for t in row.targets)]
    assert wrong
    for branch in wrong:
        inside = [place for place, owner in enumerate(row.branches) if owner == branch]
        assert targeted.isdisjoint(inside[:-1])


def test_a_tree_is_computed_like_its_paths_one_by_one():
    model, config = random_model(), DataConfig(rows=2)
    rows, batch = make_rows(config, 0), Stream(config)[0]
    mask = torch.as_tensor(batch.mask)[:, None]
    hidden = model(torch.as_tensor(batch.tokens), torch.as_tensor(batch.positions), mask)
    for index, row in enumerate(rows):
        for end in row.ends[::3]:
            path = np.flatnonzero(batch.mask[index, end])
            alone = model(torch.tensor([[row.tokens[i] for i in path]]), torch.arange(len(path))[None])
            assert torch.allclose(alone[0, -1], hidden[index, end], atol=1e-4)


def test_generation_with_a_cache_and_padding_equals_a_full_forward():
    model = random_model()
    prompts = [text.problem_ids([1, 2, 3], 9), text.problem_ids([1, 2, 3000, 4], 9)]
    for prompt, written in zip(prompts, generate(model, prompts, 8, temperature=0), strict=True):
        ids = list(prompt)
        for token in written:
            logits = model.logits(model(torch.tensor([ids]), torch.arange(len(ids))[None]))[0, -1]
            logits[text.symbol("~")] = -torch.inf
            assert token == int(logits.argmax())
            ids.append(token)


def llama_logits(path, ids):
    """Logits (len(ids), vocabulary) of llama.cpp for one sequence."""
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
    params = llama_cpp.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_threads, params.n_threads_batch = 128, 128, 1, 1
    params.type_k = params.type_v = llama_cpp.GGML_TYPE_F32
    params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED  # its sums are in half precision
    context = llama_cpp.llama_init_from_model(model, params)
    batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
    batch.n_tokens = len(ids)
    for place, token in enumerate(ids):
        batch.token[place], batch.pos[place], batch.logits[place] = token, place, 1
        batch.n_seq_id[place], batch.seq_id[place][0] = 1, 0
    assert llama_cpp.llama_decode(context, batch) == 0
    rows = [
        np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, place), (text.VOCABULARY,)).copy()
        for place in range(len(ids))
    ]
    llama_cpp.llama_batch_free(batch)
    llama_cpp.llama_free(context)
    llama_cpp.llama_model_free(model)
    return np.array(rows)


def test_llama_cpp_computes_what_pytorch_computes(tmp_path):
    model = random_model(replace(TINY, width=64, heads=2, hidden=96))
    random = Random(0)
    ids = text.encode("24:4,9,10,13\n13-9=4:4,10\n?") + [random.randrange(3, text.VOCABULARY) for _ in range(40)]
    with torch.inference_mode():
        ours = model.logits(model(torch.tensor([ids]), torch.arange(len(ids))[None]))[0].numpy()
    write_gguf(model, tmp_path / "full.gguf", "full")
    theirs = llama_logits(tmp_path / "full.gguf", ids)
    assert np.abs(ours).max() > 1
    assert np.abs(ours - theirs).max() < 1e-3
    quantise(tmp_path / "full.gguf", tmp_path / "small.gguf")
    small = llama_logits(tmp_path / "small.gguf", ids)
    assert (tmp_path / "small.gguf").stat().st_size < 0.6 * (tmp_path / "full.gguf").stat().st_size
    assert np.corrcoef(small.ravel(), ours.ravel())[0, 1] > 0.99


def test_weights_survive_the_export_and_start_a_new_run(tmp_path):
    config = tiny_config(steps=3)
    run = fresh_run(config, "cpu")
    train(run, habits(tmp_path), quiet())
    sizes = export(tmp_path / "checkpoint.pt", tmp_path / "out", "puzzle")
    assert set(sizes) == {"puzzle.safetensors", "puzzle-f32.gguf", "puzzle-q8_0.gguf"}
    fresh = fresh_run(config, "cpu")
    start_from(tmp_path / "out" / "puzzle.safetensors", fresh.model)
    read, _ = load_model(tmp_path / "out" / "puzzle.safetensors")
    batch = Stream(config.data)[9]
    for model in (fresh.model, read):
        assert exactly(run, model, batch) == pytest.approx(exactly(run, run.model, batch), rel=1e-2)


def test_parameters_are_counted_as_they_are():
    for config in (TINY, replace(TINY, width=96, heads=3, layers=1)):
        assert config.parameters == sum(weight.numel() for weight in Transformer(config).parameters())


@pytest.mark.parametrize(
    ("good", "bad", "area"), [([3, 2], [1, 0], 1.0), ([1], [1], 0.5), ([0, 3], [1, 2], 0.5), ([0], [1], 0.0)]
)
def test_the_area_under_the_curve_of_known_scores(good, bad, area):
    assert area_under_curve(np.array(good, dtype=float), np.array(bad, dtype=float)) == area


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "training", *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    train(fresh_run(tiny_config(steps=2), "cpu"), habits(folder), quiet())
    return folder


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "no checkpoint"),
        (lambda path: path.write_bytes(b"PK nonsense"), "no checkpoint that can be read"),
        (lambda path: torch.save({"a": 1}, path), "no checkpoint of this program"),
    ],
)
def test_damaged_checkpoints_are_named(finished, tmp_path, damage, words):
    path = shutil.copy(finished / "checkpoint.pt", tmp_path)
    damage(tmp_path / "checkpoint.pt")
    with pytest.raises(TrainingError, match=words):
        read_weights(tmp_path / "checkpoint.pt")
    assert path


def test_a_checkpoint_of_another_shape_is_refused(finished):
    other = replace(tiny_config(), model=replace(TINY, width=64))
    with pytest.raises(TrainingError, match="width 32, not 64"):
        resume(finished / "checkpoint.pt", other, "cpu")
    with pytest.raises(TrainingError, match="another shape"):
        start_from(finished / "checkpoint.pt", Transformer(other.model))
    with pytest.raises(TrainingError, match="rows 4, not 8"):
        resume(finished / "checkpoint.pt", replace(tiny_config(), data=DataConfig(rows=8)), "cpu")
    with pytest.raises(TrainingError, match="--matrices"):
        resume(finished / "checkpoint.pt", tiny_config(matrices="adamw"), "cpu")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("export", "nowhere.pt", "--out", "x"), "There is no checkpoint nowhere.pt"),
        (("train", "--out", "x", "--width", "100"), "multiple of 32"),
        (("train", "--out", "x", "--mixture", '{"godo": 1}'), "godo"),
        (("train", "--out", "x", "--precision", "int8"), "float32 or bfloat16"),
        (("train", "--out", "x", "--rows", "0"), "--rows"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(__file__).rsplit("/tests/", 1)[0])
    done = command(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_saves_and_stops(tmp_path, kind):
    options = ["--width", "32", "--layers", "1", "--rows", "4", "--steps", "100000", "--threads", "1", "--exam", "0"]
    command = [sys.executable, "-m", "training", "train", "--out", str(tmp_path), *options, "--every", "1"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stdout is not None
    while "step 2," not in child.stdout.readline():
        assert child.poll() is None
    os.killpg(child.pid, kind)
    rest, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    assert "Stopped at step" in rest
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] >= 2
