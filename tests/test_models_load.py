"""Loading: whole folders are loaded as they should be, everything else gets an error that names the mend."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from groma.formats.errors import BadConfig, BadInput
from groma.models.load import load
from groma.models.names import SHIPPED, resolve
from groma.models.tiny import ARCHITECTURES, END, END_OF_TURN, PAD, make_tiny, tiny_tokenizer

TinyModel = Callable[..., Path]


@pytest.fixture
def folder(tiny_model: TinyModel, tmp_path: Path) -> Path:
    """A copy of a tiny folder, to be broken."""
    return Path(shutil.copytree(tiny_model("llama"), tmp_path / "model"))


def refused(folder: Path | str, *parts: str) -> None:
    with pytest.raises(BadInput) as caught:
        load(folder)
    text = str(caught.value)
    assert "expected: " in text and all(part in text for part in parts), text


# -- what is loaded


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_tiny_folders_load_with_what_others_need(tiny_model: TinyModel, architecture: str) -> None:
    model = load(tiny_model(architecture))
    tokens = model.tokenizer.convert_tokens_to_ids
    assert set(model.eos_ids) == {tokens(END), tokens(END_OF_TURN)} and model.end_id == tokens(END_OF_TURN)
    assert model.pad_id == tokens(PAD) not in model.eos_ids
    assert model.context == 1024 and model.vocabulary == len(model.tokenizer)
    assert model.net.dtype == torch.float32 and not any(module.training for module in model.net.modules())
    assert model.notes == () and model.template_note == ""


def test_the_weights_are_those_of_the_folder(tiny_model: TinyModel) -> None:
    net = AutoModelForCausalLM.from_pretrained(tiny_model("qwen3"))
    loaded = load(tiny_model("qwen3")).net.state_dict()
    assert all(loaded[name].equal(value) for name, value in net.state_dict().items())


def test_a_bfloat16_checkpoint_is_computed_in_float32_on_a_cpu(folder: Path) -> None:
    net = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    net.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["dtype"] == "bfloat16"
    assert load(folder, device="cpu").net.dtype == torch.float32
    assert load(folder, dtype="bfloat16").net.dtype == torch.bfloat16


def test_a_model_without_a_template_says_so(tiny_model: TinyModel) -> None:
    model = load(tiny_model("gpt2", chat_template=False))
    assert model.end_id == model.tokenizer.eos_token_id
    assert len(model.notes) == 1 and "no chat template" in model.notes[0] and model.template_note


def test_end_tokens_of_the_generation_configuration_count(folder: Path) -> None:
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": [5, 6]}))
    assert set(load(folder).eos_ids) >= {5, 6}


def test_the_digest_is_of_the_content(folder: Path, tiny_model: TinyModel, tmp_path: Path) -> None:
    digest = load(folder).digest
    assert digest == load(tiny_model("llama")).digest != load(make_tiny(tmp_path / "other", "llama", seed=1)).digest
    (folder / "notes.md").write_text("nothing that matters")
    assert load(folder).digest == digest
    (folder / "chat_template.jinja").write_text((folder / "chat_template.jinja").read_text() + " ")
    assert load(folder).digest != digest


def test_make_tiny_repeats_itself_and_leaves_the_random_state_alone(tmp_path: Path) -> None:
    state = torch.random.get_rng_state()
    first = load_file(make_tiny(tmp_path / "a", "gpt2") / "model.safetensors")
    second = load_file(make_tiny(tmp_path / "b", "gpt2") / "model.safetensors")
    assert torch.random.get_rng_state().equal(state)
    assert all(first[name].equal(second[name]) for name in first)


def test_the_tiny_tokenizer_writes_any_text() -> None:
    tokenizer = tiny_tokenizer()
    text = "Straße, 東京\n\t🙂 \x00 the end"
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(ids) == text and max(ids) < 256 + 8


def test_make_tiny_names_its_architectures(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"'bert' is unknown(.|\n)*llama, qwen3, gemma3, mistral, mixtral, gpt2"):
        make_tiny(tmp_path / "x", "bert")


# -- what is refused


class Bomb:
    """Unpickling this leaves a trace."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (open, (str(self.path), "w"))  # type: ignore[return-value]


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_a_pickle_is_refused_and_never_opened(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    refused(folder, str(folder), name, "pickle", "code", "safetensors", "save_pretrained")
    assert not (tmp_path / "exploded").exists()


def test_a_folder_without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    refused(folder, str(folder), "no weights", ".safetensors")


def test_a_folder_without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    refused(folder, str(folder), "no tokenizer", "tokenizer.json")


def test_a_folder_without_config(folder: Path) -> None:
    (folder / "config.json").unlink()
    refused(folder, str(folder), "no config.json", "model.safetensors")


def test_an_adapter_is_told_from_a_model(folder: Path) -> None:
    (folder / "config.json").rename(folder / "adapter_config.json")
    refused(folder, "adapter", "merged")


def test_damaged_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    refused(folder, str(folder), "damaged")


def test_weights_that_lack_a_tensor(folder: Path) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, path, metadata={"format": "pt"})
    refused(folder, "up_proj", "whole checkpoint")


def test_weights_of_another_shape(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"intermediate_size": 48}))
    refused(folder, str(folder))


@pytest.mark.parametrize(("name", "part"), [("config.json", "config.json"), ("tokenizer.json", "tokenizer")])
def test_broken_json(folder: Path, name: str, part: str) -> None:
    (folder / name).write_text('{"model_type": ')
    refused(folder, str(folder), part)


def test_a_model_of_another_kind(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"architectures": ["LlamaForSequenceClassification"]}))
    refused(folder, "LlamaForSequenceClassification", "causal")


def test_an_unknown_architecture(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": "clairvoyant"}))
    refused(folder, "clairvoyant")


def test_foreign_code_is_not_run(folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    (folder / "modeling_own.py").write_text(f"open({str(trace)!r}, 'w')\n")
    path = folder / "config.json"
    own = {
        "model_type": "own",
        "auto_map": {"AutoConfig": "modeling_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.Own"},
    }
    path.write_text(json.dumps(json.loads(path.read_text()) | own))
    refused(folder, "trust_remote_code", "where you trust")
    assert not trace.exists()


def test_a_tokenizer_larger_than_the_model(folder: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["another"])
    tokenizer.save_pretrained(folder)
    refused(folder, "273 tokens and the model only 272")


@pytest.mark.parametrize("options", [{"dtype": "float8"}, {"device": "abacus"}, {"device": "cuda:77"}])
def test_unknown_options_name_the_choices(folder: Path, options: dict[str, str]) -> None:
    with pytest.raises(BadConfig, match=rf"{next(iter(options.values()))}(.|\n)*choose"):
        load(folder, **options)


# -- names


def test_names_that_are_no_model_list_the_choices(tmp_path: Path) -> None:
    for name in ("vail", "./no/such", str(tmp_path / "absent"), "a b/c", "one/two/three"):
        refused(name, "no model", name, *SHIPPED, "folder", "Hub id")


def test_a_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"")
    refused(tmp_path / "model.gguf", "a file")


def test_the_hub_out_of_reach_is_no_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    refused("somebody/some-model", "'somebody/some-model'", "network", "path of a folder")


def test_shipped_names_are_folders_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SHIPPED, "models", "models")  # type: ignore[arg-type]
    assert (resolve("models") / "names.py").is_file()
    monkeypatch.setitem(SHIPPED, "lost", "no/such/folder")  # type: ignore[arg-type]
    refused("lost", "not in this installation")
