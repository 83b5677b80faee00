from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from takeroot.errors import ModelError
from takeroot.models import PACKAGED, locate
from takeroot.models import load as loading
from takeroot.models.load import find_folder, load, load_tokenizer

Folder = Callable[..., Path]


def change(folder: Path, edit: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    weights = load_file(folder / "model.safetensors")
    edit(weights)
    save_file(weights, folder / "model.safetensors")


def test_missing_tensors_are_counted_and_named(tiny_folder: Folder):
    folder = tiny_folder()
    change(folder, lambda weights: weights.pop("encoder.layer.1.output.dense.bias"))

    with pytest.raises(ModelError, match=r"1 tensors are missing, first 'encoder\.layer\.1"):
        load(str(folder))


def test_a_tensor_of_another_shape_is_refused(tiny_folder: Folder):
    folder = tiny_folder()
    wrong = torch.zeros(32, 31)
    change(folder, lambda weights: weights.update({"encoder.layer.0.output.dense.weight": wrong}))

    with pytest.raises(ModelError, match=r"shape \(32, 31\), config\.json says \(32, 64\)"):
        load(str(folder))


def test_names_of_a_model_saved_with_a_head_are_understood(tiny_folder: Folder):
    folder = tiny_folder()
    before = load_file(folder / "model.safetensors")
    old = {
        "bert." + name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): value
        for name, value in before.items()
    }
    save_file(old | {"cls.predictions.bias": torch.zeros(5)}, folder / "model.safetensors")

    after = load(str(folder)).encoder.state_dict()

    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_weights_cut_into_parts_are_put_together(tiny_folder: Folder):
    folder = tiny_folder()
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    (folder / "model.safetensors").unlink()
    for part, chosen in enumerate((names[::2], names[1::2]), start=1):
        kept = {name: weights[name] for name in chosen}
        save_file(kept, folder / f"model-0000{part}-of-00002.safetensors")

    assert len(load(str(folder)).encoder.state_dict()) == len(weights)


def test_pickled_weights_are_refused_with_the_way_to_convert_them(tiny_folder: Folder):
    folder = tiny_folder()
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")

    with pytest.raises(ModelError, match=r"never read; convert .*torch\.load.*weights_only=True"):
        load(str(folder))


def test_a_folder_without_weights_is_refused(tiny_folder: Folder):
    folder = tiny_folder()
    (folder / "model.safetensors").unlink()

    with pytest.raises(ModelError, match=r"no model\.safetensors"):
        load(str(folder))


def test_damaged_weights_are_refused(tiny_folder: Folder):
    folder = tiny_folder()
    (folder / "model.safetensors").write_bytes(b"no tensors")

    with pytest.raises(ModelError, match="not a safetensors file"):
        load(str(folder))


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(tiny_folder: Folder):
    folder = tiny_folder(vocab_size=100)

    with pytest.raises(ModelError, match=r"token id \d+, config\.json says vocab_size 100"):
        load(str(folder))


@pytest.fixture
def packaged(tiny_folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the installed package of minilm-l6."""
    folder = tiny_folder()
    monkeypatch.setattr(loading, "locate", lambda name: folder)
    return folder


def test_a_packaged_model_with_other_weights_is_refused(packaged: Path):
    digest = hashlib.sha256((packaged / "model.safetensors").read_bytes()).hexdigest()

    with pytest.raises(ModelError, match=f"sha256 is {digest}.*takeroot models install minilm-l6"):
        find_folder("minilm-l6")


def test_a_packaged_model_without_its_weights_is_refused(packaged: Path):
    (packaged / "model.safetensors").unlink()

    with pytest.raises(ModelError, match="is missing; run: takeroot models install minilm-l6"):
        find_folder("minilm-l6")


def test_a_packaged_model_that_is_not_installed_says_how(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loading, "locate", lambda name: None)

    with pytest.raises(ModelError, match="run: takeroot models install minilm-l6"):
        find_folder("minilm-l6")


def test_a_hub_is_not_asked_without_leave():
    with pytest.raises(ModelError, match="if it is a hub id, add --allow-download"):
        find_folder("google-bert/bert-base-uncased")


@pytest.mark.parametrize("name", ["minilm-l7", "./missing/folder", "/missing", "a/b/c"])
def test_a_name_that_is_nothing_is_refused(name: str):
    known = r"\(minilm-l6, smollm2-135m\)"
    with pytest.raises(ModelError, match=rf"neither a packaged model {known} nor a folder"):
        find_folder(name, allow_download=True)


def test_a_failed_download_is_one_line(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError("no network\nlong story")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)

    with pytest.raises(ModelError, match=r"'a/b' cannot be downloaded: no network$"):
        find_folder("a/b", allow_download=True)


def test_vocab_txt_alone_makes_a_tokenizer(tmp_path: Path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nmy\n##s\n我\n", "utf-8")

    tokens = load_tokenizer(tmp_path).encode("Mys 我我 zz").tokens

    assert tokens == ["[CLS]", "my", "##s", "我", "我", "[UNK]", "[SEP]"]


def test_a_cased_vocabulary_keeps_case(tmp_path: Path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nmy\nMy\n", "utf-8")
    settings = json.dumps({"do_lower_case": False})
    (tmp_path / "tokenizer_config.json").write_text(settings, "utf-8")

    assert load_tokenizer(tmp_path).encode("My my").tokens[1:-1] == ["My", "my"]


@pytest.mark.parametrize(
    ("file", "content"), [("tokenizer.json", "{}"), ("vocab.txt", "a\nb\n"), ("vocab.txt", "")]
)
def test_a_damaged_tokenizer_is_refused(file: str, content: str, tmp_path: Path):
    (tmp_path / file).write_text(content, "utf-8")

    with pytest.raises(ModelError, match=f"{file}: not a tokenizer"):
        load_tokenizer(tmp_path)


def test_a_folder_without_tokenizer_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match=r"no tokenizer\.json or vocab\.txt"):
        load_tokenizer(tmp_path)


def test_padding_and_truncation_stay_out_of_the_bundle(tiny_folder: Folder):
    pretrained = load(str(tiny_folder()))
    pretrained.tokenizer.enable_truncation(4)
    pretrained.tokenizer.enable_padding()

    written = json.loads(pretrained.tokenizer_json)

    assert written["padding"] is None
    assert written["truncation"] is None


@pytest.mark.slow
@pytest.mark.skipif(locate("minilm-l6") is None, reason="minilm-l6 is not installed")
def test_the_packaged_model_loads():
    pretrained = load("minilm-l6")

    assert (pretrained.hidden_size, pretrained.max_tokens) == (384, 512)
    assert pretrained.name in PACKAGED
