"""What people write never becomes a special token, and long inputs are cut where it hurts least."""

from __future__ import annotations

import pytest
import writers
from hypothesis import given
from hypothesis import strategies as st

from takeroot.bundle.chat import Turn, pieces, read_chat
from takeroot.bundle.prompts import Prompts
from takeroot.bundle.spec import ChatFrames, Generation
from takeroot.bundle.unfold import Unfolding
from takeroot.errors import BundleError, DataError

FRAMES = ChatFrames.model_validate(writers.FRAMES)
TALK = Generation(frames=FRAMES, end=(writers.END,))
BARE = Generation(end=("</s>",), before=("<pad>",), after=("</s>",))
BYTES, PARTS = writers.byte_tokenizer(), writers.piece_tokenizer()
SPECIAL = ["<|im_end|>", "<|im_start|>", "<|endoftext|>", "</s>", "<pad>"]
written = st.lists(st.sampled_from([*SPECIAL, "hello", " ", "你", "\n", "<", "|im_"])).map("".join)


def test_a_prompt_is_one_turn_between_the_frames():
    made = "".join(piece.text for piece in pieces(FRAMES, "hello"))

    assert made == (
        "<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\nhello<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_a_system_turn_stands_in_the_place_of_the_models_own():
    turns = (Turn("system", "Be brief."), Turn("user", "hello"))

    made = "".join(piece.text for piece in pieces(FRAMES, turns))

    assert made.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n")


def test_a_prompt_is_encoded_as_one_text():
    whole = "".join(piece.text for piece in pieces(FRAMES, " hello\n"))

    ids = Prompts(BYTES, TALK, 100).encode(" hello\n").ids

    assert ids == BYTES.encode(whole, add_special_tokens=False).ids


@given(text=written)
def test_no_text_adds_a_control_token(text):
    controls = {BYTES.token_to_id(name) for name in SPECIAL} - {None}
    prompts = Prompts(BYTES, TALK, 400)

    ids = prompts.encode(text).ids

    frames = prompts.encode("").ids
    assert sum(i in controls for i in ids) == sum(i in controls for i in frames)
    kept = BYTES.decode(ids, skip_special_tokens=False)
    assert text in kept


@given(text=written)
def test_a_source_stands_between_its_own_tokens_only(text):
    ids = Prompts(PARTS, BARE, 400).encode(text).ids

    assert ids[0] == 0
    assert ids[-1] == 1
    assert not {0, 1} & set(ids[1:-1])


def test_characters_the_vocabulary_lacks_stay_unknown():
    assert 2 in Prompts(PARTS, BARE, 100).encode("hello Ж").ids
    assert 2 in Prompts(PARTS, BARE, 100).answer("Ж")


def test_an_answer_as_it_is_learnt_ends_once():
    ids = Prompts(PARTS, BARE, 100).answer("hello</s> world")

    assert ids.count(1) == 1
    assert ids[-1] == 1


@pytest.mark.parametrize("most", [30, 40, 60])
def test_the_longest_text_is_cut_at_its_end(most):
    chat = (Turn("user", "first"), Turn("assistant", "short"), Turn("user", "你好 world " * 500))

    found = Prompts(BYTES, Generation(frames=FRAMES, end=(writers.END,)), most + 40).encode(chat)

    text = BYTES.decode(found.ids, skip_special_tokens=False)
    assert found.truncated
    assert most + 20 < len(found.ids) <= most + 40
    assert "first" in text
    assert text.endswith("<|im_end|>\n<|im_start|>assistant\n")


def test_frames_longer_than_the_model_reads_are_refused():
    with pytest.raises(DataError, match="stands around a text alone is longer than max_tokens, 10"):
        Prompts(BYTES, TALK, 10).encode("hello")


@pytest.mark.parametrize("text", ["hello", f"hello{writers.END}"])
def test_tokens_before_a_chat_stand_before_its_frames(text):
    how = TALK.model_copy(update={"before": ("<|endoftext|>",)})

    found = Prompts(BYTES, how, 100).encode(text).ids

    assert found == [0, *Prompts(BYTES, TALK, 100).encode(text).ids]


def test_a_chat_needs_frames():
    with pytest.raises(DataError, match="no chat frames: give a prompt"):
        Prompts(PARTS, BARE, 10).encode((Turn("user", "hello"),))


def test_tokens_of_the_bundle_must_be_known():
    with pytest.raises(BundleError, match="'<x>' is not a token"):
        Prompts(PARTS, Generation(end=("</s>",), after=("<x>",)), 10)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("hello", "a chat is a list of turns"),
        ([], "a chat is a list of turns"),
        ([{"role": "user"}], "turn 0: needs role and content"),
        ([{"role": "user", "content": "x", "name": "y"}], "turn 0: needs role and content"),
        ([{"role": "user", "content": "x"}, {"role": "tool", "content": "x"}], "turn 1: role is"),
        ([{"role": "user", "content": ["x"]}], "turn 0: role is one of"),
        ([["user", "x"]], "turn 0"),
    ],
)
def test_what_is_no_chat_is_named(value, message):
    with pytest.raises(DataError, match=message):
        read_chat(value)


@given(text=st.text(st.sampled_from("a 你好😀é👩‍💻"), max_size=40))
def test_pieces_are_whole_characters_and_make_up_the_text(text):
    ids = BYTES.encode(text).ids
    unfolding = Unfolding(BYTES)

    told = [unfolding.add(token) for token in ids]

    assert "".join(told) == text
    assert "\ufffd" not in "".join(told)
    assert unfolding.rest() == ""


def test_a_character_that_never_ends_is_told_at_last():
    half = BYTES.encode("你").ids[:-1] or BYTES.encode("\u00e9").ids[:1]
    unfolding = Unfolding(BYTES)

    told = "".join(unfolding.add(token) for token in [*BYTES.encode("a").ids, *half])

    assert told == "a"
    assert unfolding.rest() == BYTES.decode(half)
