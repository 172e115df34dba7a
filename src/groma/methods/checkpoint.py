"""What a run leaves on disk: a plain Hugging Face folder of the model, and the state from which training goes on.

Both are written whole or not at all: beside their place first, renamed at the end. A state is read back by `torch.load`
with `weights_only=True`, so that a file from elsewhere cannot run code.
"""

from __future__ import annotations

import copy
import errno
import os
import pickle
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import GenerationConfig, PreTrainedConfig

from groma.formats.errors import BadConfig, BadInput
from groma.formats.whole import sync_folder
from groma.methods import adapters
from groma.methods.state import Best, State
from groma.models.model import Model
from groma.models.quiet import quiet
from groma.models.reward import OFFSET, RewardModel

FORMAT = 1
"""Version of the state's file. Raised when its fields change."""


def save_folder(model: Model, path: str | Path, *, dtype: torch.dtype | None = None, unset_pad: bool = False) -> Path:
    """Write `model` as a folder that `AutoModelForCausalLM` and `AutoTokenizer` load. Returns the folder.

    Adapters that are attached are folded into the copy that is written. dtype: of the weights written; None: as they
    are. unset_pad: as in `check_generation`. BadConfig where `path` exists and is not an empty folder.
    """
    path = Path(path)
    check_free(path)
    generation = check_generation(model, unset_pad=unset_pad)
    weights, config = adapters.merged_weights(model.net), copy.deepcopy(model.net.config)
    if dtype is not None:
        weights, config.dtype = _cast(weights, dtype), dtype
    with _beside(path) as partial:
        _write_net(model, weights, config, partial)
        generation.save_pretrained(partial)
    return path


def save_reward(reward: RewardModel, path: str | Path, files: Mapping[str, str] | None = None) -> Path:
    """Write a reward model as a folder that `AutoModelForSequenceClassification` loads. Returns the folder.

    Its offset goes into the configuration. Where the model pads with one of its end tokens the folder names another pad
    token, by which no conversation ends: transformers reads before the first pad, which would be before the end. files:
    texts to write beside it, by name. BadConfig as in `save_folder`.
    """
    path = Path(path)
    check_free(path)
    model, config = reward.model, copy.deepcopy(reward.net.config)
    setattr(config, OFFSET, reward.offset)
    if config.pad_token_id is None or config.pad_token_id in model.eos_ids:
        tokenizer: Any = copy.deepcopy(model.tokenizer)
        others = (one for one in tokenizer.all_special_ids if one not in model.eos_ids)
        config.pad_token_id = next(others, None)  # None: transformers refuses batches, which is loud
        tokenizer.pad_token = None if config.pad_token_id is None else tokenizer.decode([config.pad_token_id])
        model = replace(model, tokenizer=tokenizer)
    with _beside(path) as partial:
        _write_net(model, adapters.merged_weights(reward.net), config, partial)
        for name, text in (files or {}).items():
            (partial / name).write_text(text, encoding="utf-8")
    return path


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A folder beside `path` that takes its place when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    try:
        partial.mkdir()
        yield partial
        partial.rename(path)
    except SafetensorError as error:
        raise OSError(errno.EIO, f"the weights cannot be written ({error})", str(path)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _partial(path: Path) -> Path:
    """Where this process writes what becomes `path`."""
    remove_partials(path)
    return path.with_name(f".{path.name}.partial-{os.getpid()}")


def remove_partials(path: Path) -> None:
    """Remove what processes that were killed had half written of `path`."""
    for left in path.parent.glob(f".{path.name}.partial-*"):
        if not _alive(int(left.name.rpartition("-")[2])):
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _write_net(model: Model, weights: Mapping[str, Tensor], config: PreTrainedConfig, folder: Path) -> None:
    with quiet():
        model.net.save_pretrained(folder, state_dict=dict(weights))
    config.architectures = [type(model.net).__name__]
    config.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)


def _cast(weights: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """The weights in another type; those that share their memory (tied embeddings) still share it."""
    kept = {weight.data_ptr(): weight for weight in weights.values()}
    made = {place: weight.to(dtype) if weight.is_floating_point() else weight for place, weight in kept.items()}
    return {name: made[weight.data_ptr()] for name, weight in weights.items()}


def check_free(path: Path) -> None:
    """Refuse a place that already holds something, before any work is done for it."""
    if path.is_dir() and not any(path.iterdir()):
        return
    if path.exists() or path.is_symlink():
        raise BadConfig(f"{path} already holds something: name a folder that does not exist or is empty")


def check_generation(model: Model, *, unset_pad: bool = False) -> GenerationConfig:
    """The generation configuration to write with `model`: its own, in which the end token that was learned ends a turn.

    BadConfig where its pad token is one of its end tokens: whoever then masks by `!= pad` hides every end from
    training, and the model never learns to stop. unset_pad: write none instead (models of the Qwen family come with
    such a pad token; generation falls back to the end token).
    """
    config = model.net.generation_config
    generation = GenerationConfig.from_dict(config.to_dict()) if config is not None else GenerationConfig()
    ends = generation.eos_token_id
    ends = [ends] if isinstance(ends, int) else list(ends or ())
    if model.end_id is not None and model.end_id not in ends:
        ends = [*ends, model.end_id]
        generation.eos_token_id = ends
    if generation.pad_token_id is not None and generation.pad_token_id in ends:
        if not unset_pad:
            raise BadConfig(
                f"the generation configuration pads with token {generation.pad_token_id}, one of its end tokens "
                f"{ends}: give it a pad token of its own, or have none written (unset_pad)"
            )
        generation.pad_token_id = None
    return generation


def pads_with_an_end(model: Model) -> bool:
    """Whether `check_generation` would refuse this model, or, with `unset_pad`, leave its pad token out."""
    return check_generation(model, unset_pad=True).pad_token_id is None and _pad(model) is not None


def _pad(model: Model) -> int | None:
    config = model.net.generation_config
    return config.pad_token_id if config is not None else None


def save_state(state: State, path: str | Path) -> None:
    """Write `state` to the file `path`, over an older one if there is one; a crash leaves the old or the new, whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    try:
        with partial.open("wb") as file:
            _write(_to_plain(state), file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def _write(plain: dict[str, Any], file: IO[bytes]) -> None:
    """`torch.save`, whose own error about a full disk does not say so, as an OSError."""
    try:
        torch.save(plain, file)
    except RuntimeError as error:
        raise OSError(errno.EIO, f"the run's state cannot be written ({error})", file.name) from error


def load_state(path: str | Path) -> State:
    """Read what `save_state` wrote. BadInput where the file is missing, of another version, or not one of ours."""
    try:
        plain = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BadInput("there is no such file", where=str(path), expected="a state written by save_state") from None
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise BadInput(f"cannot be read: {error}", where=str(path), expected="a state written by save_state") from error
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        found = plain.get("format") if isinstance(plain, dict) else type(plain).__name__
        raise BadInput(f"is of the format {found!r}", where=str(path), expected=f"a state of format {FORMAT}")
    best = Best(**plain["best"]) if plain["best"] is not None else None
    return State(**{name: value for name, value in plain.items() if name not in ("format", "best")}, best=best)


def _to_plain(state: State) -> dict[str, Any]:
    best = state.best and {"step": state.best.step, "loss": state.best.loss, "weights": dict(state.best.weights)}
    fields = ("method", "data", "step", "start")
    mappings = ("config", "weights", "optimiser", "kept")
    plain = {name: getattr(state, name) for name in fields} | {name: dict(getattr(state, name)) for name in mappings}
    return {"format": FORMAT, "best": best, **plain}
