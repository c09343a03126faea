import ctypes
from random import Random

import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")

import llama_cpp

from training import text
from training.export import write_gguf
from training.model import ModelConfig, Transformer, initialise


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
    model = Transformer(ModelConfig(text.VOCABULARY, width=32, layers=1, heads=1, hidden=32))
    initialise(model, (0, 0), structured=False, seed=0)
    path = tmp_path_factory.mktemp("gguf") / "vocabulary.gguf"
    write_gguf(model, path, "vocabulary")
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    loaded = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
    yield llama_cpp.llama_model_get_vocab(loaded)
    llama_cpp.llama_model_free(loaded)


def llama_ids(vocabulary, line):
    raw = line.encode()
    ids = (ctypes.c_int32 * (len(raw) + 8))()
    count = llama_cpp.llama_tokenize(vocabulary, raw, len(raw), ids, len(ids), True, True)
    return list(ids[:count])


def random_line(random):
    numbers = [random.choice((random.randrange(14), random.randrange(1000), random.randrange(10**5))) for _ in range(5)]
    if random.random() < 0.5:
        return text.problem_line(numbers[1:], numbers[0])
    return text.step_line(numbers[0], random.choice("+-*/"), numbers[1], numbers[2], numbers[3 : random.randint(3, 5)])


def test_llama_cpp_and_training_tokenize_alike(vocabulary):
    random = Random(0)
    for _ in range(3000):
        lines = "".join(random_line(random) for _ in range(random.randint(1, 3))) + random.choice(("", "?", "?+", "~"))
        assert llama_ids(vocabulary, lines) == text.encode(lines)


def test_every_number_to_999_is_one_token_in_both(vocabulary):
    for number in range(1000):
        assert llama_ids(vocabulary, f"{number}") == [text.FIRST_NUMBER + number] == text.number_ids(number)


@pytest.mark.parametrize("stranger", ["", "a b", "ÿ€", "007", "1,000,000"])
def test_text_of_no_puzzle_survives_as_bytes(vocabulary, stranger):
    assert text.decode(text.encode(stranger)) == stranger
    if " " not in stranger:
        assert llama_ids(vocabulary, stranger) == text.encode(stranger)


def test_the_fast_ways_to_ids_agree_with_the_text():
    random = Random(1)
    for _ in range(500):
        numbers = [random.randrange(10 ** random.randint(1, 4)) for _ in range(random.randint(2, 5))]
        step = (numbers[0], random.choice("+-*/"), numbers[1], random.randrange(2000), numbers[2:])
        assert text.problem_ids(numbers, 24) == text.encode(text.problem_line(numbers, 24))
        assert text.step_ids(*step) == text.encode(text.step_line(*step))


def test_the_gguf_says_what_ends_a_text(vocabulary):
    assert llama_cpp.llama_vocab_eos(vocabulary) == text.END
    assert llama_cpp.llama_vocab_is_eog(vocabulary, text.END)
    assert llama_cpp.llama_vocab_n_tokens(vocabulary) == text.VOCABULARY
