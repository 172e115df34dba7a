"""What a run leaves on disk: folders that transformers loads, states that are whole or not there."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from groma.formats.errors import BadConfig, BadInput
from groma.formats.examples import Demonstration
from groma.formats.messages import Message
from groma.methods import sft
from groma.methods.checkpoint import load_state, save_folder, save_state
from groma.models.load import Model, load

SHOWN = [Demonstration((Message("user", word),), (Message("assistant", word),)) for word in ("the", "hello", "no")]
IDS = torch.tensor([[5, 60, 7, 80, 9]])


@pytest.fixture
def model(tiny_model: Callable[..., Path]) -> Model:
    return load(tiny_model("llama"))


def loaded_logits(folder: Path) -> torch.Tensor:
    with torch.no_grad():
        return AutoModelForCausalLM.from_pretrained(folder)(IDS).logits


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2"])
def test_the_folder_is_loaded_by_transformers(
    tiny_model: Callable[..., Path], tmp_path: Path, architecture: str
) -> None:
    model = load(tiny_model(architecture))
    list(sft.train(model, SHOWN, sft.Config(learning_rate=1e-2)))
    folder = save_folder(model, tmp_path / "out")
    with torch.no_grad():
        assert torch.equal(loaded_logits(folder), model.net(IDS).logits)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.chat_template == model.tokenizer.chat_template is not None
    assert tokenizer("the hello")["input_ids"] == model.tokenizer("the hello")["input_ids"]
    ends = GenerationConfig.from_pretrained(folder).eos_token_id
    assert ends == [model.tokenizer.eos_token_id, model.end_id], "the token that ends a turn in training ends it here"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".safetensors", ".jinja"}


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_adapters_are_folded_in_while_the_run_goes_on(
    tiny_model: Callable[..., Path], tmp_path: Path, architecture: str
) -> None:
    model = load(tiny_model(architecture))
    steps = sft.train(model, SHOWN, sft.Config(lora_rank=2, learning_rate=1e-2, epochs=4))
    next(steps)
    with torch.no_grad():
        before = model.net(IDS).logits
        assert torch.allclose(loaded_logits(save_folder(model, tmp_path / "middle")), before, atol=1e-4)
        assert torch.equal(model.net(IDS).logits, before)
        list(steps)
        assert torch.equal(loaded_logits(save_folder(model, tmp_path / "end")), model.net(IDS).logits)
    assert not (tmp_path / "end" / "adapter_config.json").exists()


def test_the_type_of_the_weights_can_be_chosen(model: Model, tmp_path: Path) -> None:
    folder = save_folder(model, tmp_path / "half", dtype=torch.bfloat16)
    assert AutoModelForCausalLM.from_pretrained(folder, dtype="auto").dtype == torch.bfloat16
    whole = save_folder(model, tmp_path / "whole")
    sizes = [(one / "model.safetensors").stat().st_size for one in (folder, whole)]
    assert sizes[0] < 0.6 * sizes[1], "tied weights are written once"
    assert {weight.dtype for weight in model.net.parameters()} == {torch.float32}


class TestPlaces:
    def test_an_empty_folder_is_taken(self, model: Model, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        assert (save_folder(model, tmp_path / "out") / "config.json").exists()

    def test_a_folder_with_something_in_it_is_not(self, model: Model, tmp_path: Path) -> None:
        (tmp_path / "kept").write_text("mine")
        with pytest.raises(BadConfig, match="already holds something"):
            save_folder(model, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["kept"]

    def test_nothing_is_left_of_a_failure(self, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OSError("no space left on device")

        monkeypatch.setattr(type(model.tokenizer), "save_pretrained", fail)
        with pytest.raises(OSError, match="no space left"):
            save_folder(model, tmp_path / "out")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ends", [7, [3, 7]])
def test_a_pad_token_among_the_end_tokens_is_refused(model: Model, tmp_path: Path, ends: int | list[int]) -> None:
    model.net.generation_config.pad_token_id, model.net.generation_config.eos_token_id = 7, ends
    with pytest.raises(BadConfig, match="pads with token 7"):
        save_folder(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    folder = save_folder(model, tmp_path / "out", unset_pad=True)
    written = GenerationConfig.from_pretrained(folder)
    kept = ends if isinstance(ends, list) else [ends]
    assert (written.pad_token_id, written.eos_token_id) == (None, [*kept, model.end_id])
    assert model.net.generation_config.pad_token_id == 7
    assert model.net.generation_config.eos_token_id == ends


class TestState:
    def test_comes_back_as_it_went(self, model: Model, tmp_path: Path) -> None:
        config = sft.Config(evaluate_every=1, epochs=2, betas=(0.8, 0.9))
        for step in sft.train(model, SHOWN, config, evaluation=SHOWN):
            state = step.state
            save_state(state, tmp_path / "deep" / "state")
        back = load_state(tmp_path / "deep" / "state")
        assert (back.method, back.config, back.data, back.step) == ("sft", config.to_dict(), state.data, 2)
        assert back.best is not None and state.best is not None and back.best.loss == state.best.loss
        assert all(torch.equal(back.weights[name], state.weights[name]) for name in state.weights)
        assert [path.name for path in (tmp_path / "deep").iterdir()] == ["state"]

    def test_missing_torn_and_foreign_files(self, model: Model, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="no such file"):
            load_state(tmp_path / "none")
        file = tmp_path / "state"
        for step in sft.train(model, SHOWN, sft.Config()):
            save_state(step.state, file)
        file.write_bytes(file.read_bytes()[:-100])
        with pytest.raises(BadInput, match="cannot be read"):
            load_state(file)
        torch.save({"weights": {}}, file)
        with pytest.raises(BadInput, match="of the format None"):
            load_state(file)

    def test_never_runs_code(self, tmp_path: Path) -> None:
        class Evil:
            def __reduce__(self) -> tuple[object, tuple[str]]:
                return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

        (tmp_path / "state").write_bytes(pickle.dumps(Evil()))
        with pytest.raises(BadInput, match="cannot be read"):
            load_state(tmp_path / "state")
        assert not (tmp_path / "ran").exists()


def test_a_full_disk_is_an_oserror_and_leaves_nothing(tmp_path, tiny_model, monkeypatch):
    def full(*_, **__):
        raise SafetensorError("No space left on device")

    model = load(tiny_model("llama"))
    monkeypatch.setattr(type(model.net), "save_pretrained", full)
    with pytest.raises(OSError, match="cannot be written"):
        save_folder(model, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
