"""Models that write texts: tiny random networks, converted, against the networks themselves."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys

import pytest
import writers

from takeroot.bundle import Predictor, open_bundle
from takeroot.bundle.chat import Turn
from takeroot.errors import BundleError, DataError

PROMPTS = ["hello world", "你好", "", "where is my parcel " * 8, "world <|im_end|> hello 😀"]
KINDS = ("generate", "seq2seq", "beams", "int8")


@pytest.fixture(scope="module")
def llama():
    return writers.llama()


@pytest.fixture(scope="module")
def llama_files(llama, tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama")
    return writers.convert(llama, writers.byte_tokenizer(), folder)


@pytest.fixture(scope="module")
def t5():
    return writers.t5()


@pytest.fixture
def generate_bundle(llama_files, tmp_path):
    """Builds a bundle of the Llama with another spec or other files."""

    def build(replace=None, **changes):
        files = tmp_path / "files"
        shutil.copytree(llama_files, files)
        for name, data in (replace or {}).items():
            (files / name).unlink()
            if data is not None:
                (files / name).write_bytes(data)
        spec = writers.generate_spec(**changes)
        out = tmp_path / "bundle"
        return open_bundle(writers.write_bundle(out, files, writers.byte_tokenizer(), spec))

    return build


@pytest.fixture(scope="module")
def predictors(llama, llama_files, t5, tmp_path_factory):
    """A predictor of each kind, built when it is asked for the first time."""
    made = {}

    def build(kind):
        folder = tmp_path_factory.mktemp(kind)
        if kind in ("generate", "int8"):
            files = llama_files
            if kind == "int8":
                files = writers.convert(llama, writers.byte_tokenizer(), folder, "int8")
            tokenizer, spec = writers.byte_tokenizer(), writers.generate_spec()
        else:
            tokenizer = writers.piece_tokenizer()
            files = writers.convert(t5, tokenizer, folder)
            spec = writers.seq2seq_spec(generation={"beams": 3 if kind == "beams" else 1})
        bundle = writers.write_bundle(folder / "bundle", files, tokenizer, spec)
        return Predictor(open_bundle(bundle), threads=2)

    def get(kind):
        if kind not in made:
            made[kind] = build(kind)
        return made[kind]

    return get


@pytest.mark.parametrize("kind", KINDS)
def test_every_input_gets_one_text_in_its_place(predictors, kind):
    answers = predictors(kind).predict(PROMPTS * 5)

    assert len(answers) == 5 * len(PROMPTS)
    assert [answer.text for answer in answers[:5]] == [answer.text for answer in answers[-5:]]
    assert all(0 < answer.confidence <= 1 and answer.tokens <= 12 for answer in answers)


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_does_not_depend_on_its_neighbours(predictors, kind):
    predictor = predictors(kind)

    together = predictor.predict(PROMPTS)

    alone = [predictor.predict([prompt])[0] for prompt in PROMPTS]
    assert [each.text for each in together] == [each.text for each in alone]
    assert [each.tokens for each in together] == [each.tokens for each in alone]
    # Products of another number of rows sum in another order: float32 rounding, nothing more.
    confidence = pytest.approx([each.confidence for each in alone], rel=1e-4)
    assert [each.confidence for each in together] == confidence


@pytest.mark.parametrize("kind", KINDS)
def test_the_pieces_of_a_stream_are_the_text(predictors, kind):
    predictor = predictors(kind)

    pieces = [list(predictor.stream(prompt)) for prompt in PROMPTS]

    answers = predictor.predict(PROMPTS)
    assert ["".join(each) for each in pieces] == [answer.text for answer in answers]
    assert all(piece for each in pieces for piece in each)
    if kind != "beams":
        assert max(map(len, pieces)) > 3


@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_is_told_when_it_is_whole(predictors, kind):
    told = {}

    def heard(number, piece, whole):
        told.setdefault(number, []).append(whole)
        return True

    outputs = predictors(kind).write(PROMPTS, [4] * len(PROMPTS), heard)

    assert {number: whole[-1] for number, whole in told.items()} == dict(enumerate(outputs.written))
    assert all(whole[:-1] == [None] * (len(whole) - 1) for whole in told.values())


@pytest.mark.parametrize("kind", KINDS)
def test_no_inputs_give_no_texts(predictors, kind):
    assert predictors(kind).predict([]) == []


def _greedy(network, ids, end, limit, decoder):
    """Greedy decoding with torch, token by token: ids and log-probabilities."""
    import torch

    found, scores = [], []
    with torch.no_grad():
        while len(found) < limit and not (found and found[-1] == end):
            if decoder:
                logits = network(input_ids=torch.tensor([ids + found])).logits
            else:
                start = [network.config.decoder_start_token_id]
                logits = network(
                    input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor([start + found])
                ).logits
            table = logits[0, -1].log_softmax(-1)
            found.append(int(table.argmax()))
            scores.append(float(table.max()))
    return found, sum(scores) / len(scores)


def test_a_decoder_writes_what_torch_does(predictors, llama):
    tokenizer = writers.byte_tokenizer()
    frames = writers.FRAMES
    user = frames["user"]
    prompt = f"{frames['start']}{user[0]}hello world{user[1]}{frames['answer']}"
    ids = tokenizer.encode(prompt, add_special_tokens=False).ids
    found, mean = _greedy(llama, ids, tokenizer.token_to_id(writers.END), 12, decoder=True)

    answer = predictors("generate").predict(["hello world"])[0]

    assert answer.text == tokenizer.decode(found)
    assert answer.confidence == pytest.approx(math.exp(mean), rel=1e-3)


def test_an_encoder_decoder_writes_what_torch_does(predictors, t5):
    tokenizer = writers.piece_tokenizer()
    ids = [*tokenizer.encode("hello world", add_special_tokens=False).ids, 1]
    found, mean = _greedy(t5, ids, 1, 12, decoder=False)

    answer = predictors("seq2seq").predict(["hello world"])[0]

    assert answer.text == tokenizer.decode(found)
    assert answer.confidence == pytest.approx(math.exp(mean), rel=1e-3)


def test_a_text_that_is_cut_says_so_and_one_that_ended_does_not(predictors, generate_bundle):
    cut = predictors("generate").predict(["hello world"])[0]
    assert ":" in cut.text  # one token of the byte-level vocabulary

    ended = Predictor(generate_bundle(generation={"end": (":",)})).predict(["hello world"])[0]

    assert (cut.reason, cut.tokens, cut.abstained) == ("max_tokens", 12, False)
    assert (ended.reason, ended.text) == (None, cut.text.split(":")[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_smaller_limit_gives_the_beginning(predictors, kind):
    predictor = predictors(kind)
    if kind == "beams":
        pytest.skip("beam search may find another text where fewer tokens are allowed")

    short = predictor.predict(["hello world"], max_new_tokens=3)[0]

    pieces = list(predictor.stream("hello world", max_new_tokens=3))
    assert short.tokens == 3
    assert "".join(pieces) == short.text
    assert predictor.predict(["hello world"])[0].text.startswith(short.text.rstrip("\ufffd"))


def test_an_answer_ends_where_the_model_reaches_no_further(generate_bundle):
    how = {"context": 100, "max_new_tokens": 10, "end": ("<unk>",)}
    bundle = generate_bundle(max_tokens=90, generation=how)

    answer = Predictor(bundle).predict(["hello " * 200], max_new_tokens=1000)[0]

    assert answer.tokens == 10
    assert answer.reason == "max_tokens"


def test_leaving_a_stream_ends_the_writing(generate_bundle):
    heard = []
    predictor = Predictor(generate_bundle())

    def first_two(number, piece, whole):
        heard.append(piece)
        return len(heard) < 2

    outputs = predictor.write(["hello world"], [5000], first_two)

    assert len(heard) == 2
    assert outputs.written[0].tokens == 2
    pieces = predictor.stream("hello world", max_new_tokens=60_000)  # would take minutes
    next(pieces)
    pieces.close()


def test_an_error_of_who_hears_is_raised_where_it_is_waited_for(generate_bundle):
    def broken(number, piece, whole):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Predictor(generate_bundle()).write(["hello"], [5], broken)


def test_a_chat_is_the_text_that_its_frames_make(predictors):
    predictor = predictors("generate")

    alone = predictor.predict([(Turn("user", "hello world"),)])
    system = predictor.predict([(Turn("system", "You help."), Turn("user", "hello world"))])
    longer = predictor.predict(
        [(Turn("user", "hello"), Turn("assistant", "world"), Turn("user", "hello world"))]
    )

    assert alone == predictor.predict(["hello world"]) == system
    assert longer != alone


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ((Turn("assistant", "x"),), "ends with a turn of role 'user'"),
        ((Turn("user", "x"), Turn("system", "x"), Turn("user", "x")), "can only be the first"),
        (("a", "b"), "need a text or a tuple of turns"),
        ((), "need a text or a tuple of turns"),
        (7, "need a text or a tuple of turns"),
    ],
)
def test_what_is_no_prompt_is_named(predictors, item, message):
    with pytest.raises(DataError, match=f"input 1: .*{message}"):
        predictors("generate").predict(["fine", item])


def test_sources_are_texts_only(predictors):
    with pytest.raises(DataError, match="input 0: need a text, got"):
        predictors("seq2seq").predict([(Turn("user", "x"),)])


@pytest.mark.parametrize("limit", [0, -1, 65_537, 1.5, True])
def test_limits_out_of_range_are_named(predictors, limit):
    with pytest.raises(DataError, match="max_new_tokens: 1 to 65536"):
        predictors("generate").predict(["hello"], max_new_tokens=limit)


def test_models_of_labels_write_nothing(linear_bundle):
    predictor = Predictor(linear_bundle)

    with pytest.raises(DataError, match=r"stream: for models that write texts .*, not classify"):
        predictor.stream("where is my card")
    with pytest.raises(DataError, match="max_new_tokens: for models that write"):
        predictor.predict(["where is my card"], max_new_tokens=3)


@pytest.mark.parametrize(
    ("file", "data", "message"),
    [
        ("vocabulary.json", b'["a"]', "token .* in tokenizer.json it is"),
        ("vocabulary.json", b"{}", "must be a list of tokens"),
        ("vocabulary.json", b"{", "not JSON"),
        ("model.bin", b"x" * 100, r"model\.bin: CTranslate2 cannot load it"),
        ("model.bin", None, r"'model\.bin' is missing for 'ctranslate2'"),
        ("vocabulary.json", None, "one of vocabulary.json, shared_vocabulary.json is needed"),
    ],
)
def test_files_that_do_not_fit_are_refused(generate_bundle, file, data, message):
    with pytest.raises(BundleError, match=message):
        Predictor(generate_bundle(replace={file: data}))


def test_end_tokens_must_be_tokens(generate_bundle):
    with pytest.raises(BundleError, match="generation: '<nope>' is not a token"):
        Predictor(generate_bundle(generation={"end": ("<nope>",)}))


def test_a_process_that_wrote_texts_ends_well(generate_bundle):
    script = (
        "import sys, takeroot; model = takeroot.load(sys.argv[1]);"
        "print(model.predict(['hello'])[0].tokens, *[len(''.join(model.stream('hello')))]);"
        "print(sorted({'torch', 'transformers', 'onnxruntime'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(generate_bundle().path)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[1] == "[]"
    assert done.stderr == ""
