"""Train a tokenizer on the documents, of the kind and size asked for.

- ``wordpiece``: Schuster and Nakajima 2012, "Japanese and Korean voice search", as BERT uses it
  (Devlin et al. 2019, arXiv:1810.04805): every Han character is a token of its own.
- ``bpe``: Sennrich et al. 2016, arXiv:1508.07909, from characters.
- ``unigram``: Kudo 2018, arXiv:1804.10959.

With the last two, stretches of Han characters are kept apart from other writing, and several of
them may become one token, which then stands for a word. All read NFKC where nothing else is
asked for; the library ``tokenizers`` does the work.

NOTE: two trainings of the library on the same texts differ in what counts the same, but for BPE's.
So a WordPiece vocabulary is made from BPE's pieces, by how often they begin or go on a word; only
``unigram`` may differ in a few rare tokens from one training to the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from takeroot.errors import RecipeError
from takeroot.recipe import TokenizerRecipe

PAD, UNK, CLS, SEP, MASK = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
HAN = "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
ALPHABET_SHARE = 0.9  # of the vocabulary, for single characters; rarer ones are unknown tokens
LEAST = 2  # times that a token of several characters must be seen
SHRINKING = 0.5  # of a unigram vocabulary a round; the usual 0.75 takes three times as long
LONGEST = 8  # characters of a unigram token
GOES_ON = "##"  # before a WordPiece token that does not begin a word
SPACE = "\u2581"  # what a blank is in a vocabulary that keeps blanks
MASK_TOKENS = (MASK, "<mask>")  # of BERT's and RoBERTa's families

Texts = Callable[[], Iterator[list[str]]]
Form = Callable[[], normalizers.Normalizer]
FORMS: dict[str, Form] = {"NFKC": normalizers.NFKC, "NFC": normalizers.NFC}


def train_tokenizer(recipe: TokenizerRecipe, texts: Texts, form: str = "NFKC") -> Tokenizer:
    """A tokenizer of the recipe's kind, whose first five tokens are the special ones.

    Args:
        recipe: Kind and size.
        texts: Gives the documents in batches, from the first on each time it is called.
        form: A key of ``FORMS``: the Unicode form of what is read, and so of what is written.

    Raises:
        RecipeError: If the vocabulary is too small for the texts' characters (unigram).
    """
    try:
        tokenizer = KINDS[recipe.kind](recipe, texts, FORMS[form])
    except Exception as error:  # tokenizers raises one untyped error for every fault
        raise RecipeError(
            f"tokenizer.vocabulary: {recipe.vocabulary} is too small for these texts' characters; "
            f"take a larger one, or kind wordpiece or bpe, which leave out rare ones ({error})"
        ) from error
    ends = [(name, SPECIAL.index(name)) for name in (CLS, SEP)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{CLS} $A {SEP}", pair=f"{CLS} $A {SEP} $B:1 {SEP}:1", special_tokens=ends
    )
    return tokenizer


def _wordpiece(recipe: TokenizerRecipe, texts: Texts, form: Form) -> Tokenizer:
    """BERT's, which sets blanks around each Han character."""
    bert = normalizers.BertNormalizer(strip_accents=False, lowercase=recipe.lowercase)
    tokenizer = Tokenizer(models.BPE(unk_token=UNK))
    tokenizer.normalizer = normalizers.Sequence([form(), bert])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(_each(texts()), _bpe_trainer(recipe))
    pieces = _pieces(tokenizer, texts)[: recipe.vocabulary]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer.model = models.WordPiece(vocabulary, unk_token=UNK)
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _pieces(tokenizer: Tokenizer, texts: Texts) -> list[str]:
    """The special tokens, all characters, and longer pieces, the commonest first.

    Args:
        tokenizer: BPE's, without marks for pieces that go on a word.
        texts: The documents.
    """
    counts: Counter[str] = Counter()
    for batch in texts():
        for found in tokenizer.encode_batch(batch, add_special_tokens=False):
            befores = [None, *found.word_ids]
            for token, word, before in zip(found.tokens, found.word_ids, befores, strict=False):
                counts[token if word != before else f"{GOES_ON}{token}"] += 1
    known = sorted(set(tokenizer.get_vocab()) - set(SPECIAL))
    characters = [token for token in known if len(token) == 1]
    joined = {character for token in known if len(token) > 1 for character in token}
    joined |= {piece[-1] for piece in counts if piece.startswith(GOES_ON)}
    single = [*characters, *(f"{GOES_ON}{each}" for each in sorted(joined))]
    ranked = sorted(counts, key=lambda piece: (-counts[piece], piece))
    return list(dict.fromkeys([*SPECIAL, *single, *ranked]))


def _bpe(recipe: TokenizerRecipe, texts: Texts, form: Form) -> Tokenizer:
    tokenizer = _keeping_blanks(recipe, Tokenizer(models.BPE(unk_token=UNK)), form)
    tokenizer.train_from_iterator(_each(texts()), _bpe_trainer(recipe))
    return tokenizer


def _bpe_trainer(recipe: TokenizerRecipe) -> trainers.Trainer:
    """Merges pairs, the commonest first; the rarest characters are left out where room is short."""
    return trainers.BpeTrainer(
        vocab_size=recipe.vocabulary,
        limit_alphabet=round(ALPHABET_SHARE * recipe.vocabulary),
        min_frequency=LEAST,
        special_tokens=list(SPECIAL),
        show_progress=False,
    )


def _unigram(recipe: TokenizerRecipe, texts: Texts, form: Form) -> Tokenizer:
    trainer = trainers.UnigramTrainer(
        vocab_size=recipe.vocabulary,
        unk_token=UNK,
        shrinking_factor=SHRINKING,
        max_piece_length=LONGEST,
        n_sub_iterations=1,
        special_tokens=list(SPECIAL),
        show_progress=False,
    )
    tokenizer = _keeping_blanks(recipe, Tokenizer(models.Unigram()), form)
    tokenizer.train_from_iterator(_each(texts()), trainer)
    return tokenizer


def _keeping_blanks(recipe: TokenizerRecipe, tokenizer: Tokenizer, form: Form) -> Tokenizer:
    """The tokenizer with blanks as marks, Han apart, digits and punctuation one by one."""
    forms = [form(), *([normalizers.Lowercase()] if recipe.lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(forms)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="never"),
            pre_tokenizers.Split(Regex(HAN), "isolated"),
            pre_tokenizers.Punctuation("isolated"),
            pre_tokenizers.Digits(individual_digits=True),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme="never")
    return tokenizer


def _each(batches: Iterator[list[str]]) -> Iterator[str]:
    """The texts one by one."""
    for batch in batches:
        yield from batch


KINDS = {"wordpiece": _wordpiece, "bpe": _bpe, "unigram": _unigram}
