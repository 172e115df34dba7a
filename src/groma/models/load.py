"""Load a causal language model from a folder or the Hub: safetensors only, and no foreign code unless asked for.

A pickle (`pytorch_model.bin`, `.pt`) is never opened: unpickling runs whatever the file says. A checkpoint that lacks
weights is refused as well, since transformers would fill them with noise. What a user should know is kept in `notes`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from groma.formats.digest import digest_files
from groma.formats.errors import BadConfig, BadInput
from groma.models.cache import compacts
from groma.models.model import DEFAULT_NOTE, Model
from groma.models.names import resolve
from groma.models.quiet import quiet
from groma.models.template import turn_end

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tekken.json")
_DIGESTED = re.compile(
    r".*\.(safetensors|jinja|model|txt|py)"
    r"|(config|generation_config|tokenizer.*|vocab|added_tokens|special_.*|chat_.*)\.json"
)


def load(
    name: str | Path, *, dtype: str | None = None, device: str | None = None, trust_remote_code: bool = False
) -> Model:
    """The model `name`: a shipped one, a folder, or a Hub id.

    dtype:  "float32", "bfloat16", "float16"; None: float32 on a CPU, bfloat16 on a GPU.
    device: as torch names them; None: a CUDA GPU where there is one, else the CPU.
    Errors: BadInput where something is missing, broken or a pickle; BadConfig for an unknown dtype or device.
    """
    place, kind = usable(device), _dtype(dtype, device)
    folder = resolve(name, code=trust_remote_code)
    _check_folder(folder)
    with quiet():
        net = _net(folder, kind, trust_remote_code)
        tokenizer = _tokenizer(folder, trust_remote_code)
    net.to(device=place)  # type: ignore[call-arg]
    model = assemble(net, tokenizer, str(name), digest_files(digested(folder)))
    if len(tokenizer) > model.vocabulary:
        what = f"the tokenizer has {len(tokenizer)} tokens and the model only {model.vocabulary}"
        raise BadInput(what, where=str(folder), expected="the model's own tokenizer")
    return model


def check(name: str | Path) -> None:
    """Refuse what `load` would refuse of a folder at a glance, without reading the weights."""
    _check_folder(resolve(name))


def assemble(net: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str, digest: str) -> Model:
    """A Model of a network and a tokenizer that are in memory already (`digest` names their content)."""
    net.eval()
    end = turn_end(tokenizer)
    told = getattr(net, "generation_config", None)  # a sequence classifier has none
    of_net = told.eos_token_id if told is not None else None
    eos = tuple(dict.fromkeys([*_ids(of_net), *_ids(tokenizer.eos_token_id), *_ids(end)]))
    pad = tokenizer.pad_token_id
    notes = [] if tokenizer.chat_template is not None else [f"{name}: {DEFAULT_NOTE}"]
    if not eos:
        notes.append(f"{name}: it names no end token, so that answers end at stop strings or at max_tokens")
    if not compacts(net.config):
        notes.append(f"{name}: rows cannot leave the cache of a {net.config.model_type}, so that sampling is slower")
    context = getattr(net.config.get_text_config(decoder=True), "max_position_embeddings", None)
    pad = pad if pad is not None and pad not in eos else 0
    return Model(net, tokenizer, name, digest, eos, end, pad, context, tuple(notes))


def _ids(value: int | list[int] | None) -> list[int]:
    if value is None:
        return []
    return [value] if isinstance(value, int) else list(value)


def usable(device: str | None) -> torch.device:
    """The device of that name; None: a CUDA GPU where there is one, else the CPU. BadConfig where there is none."""
    chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=chosen).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadConfig(f"the device {chosen!r} cannot be used ({reason}): choose cpu, cuda, cuda:1, …") from error


def _dtype(dtype: str | None, device: str | None) -> torch.dtype:
    if dtype is None:
        return torch.bfloat16 if usable(device).type == "cuda" else torch.float32
    if dtype not in DTYPES:
        raise BadConfig(f"the dtype {dtype!r} is unknown: choose one of {', '.join(DTYPES)}")
    return DTYPES[dtype]


def _check_folder(folder: Path) -> None:
    """Refuse, before anything is loaded, a folder that is not a whole model with safetensors and a tokenizer."""
    names = {path.name for path in folder.iterdir()}
    if "config.json" not in names:
        found = ", ".join(sorted(names)[:8]) or "nothing"
        adapter = "adapter_config.json" in names
        what = "an adapter without its base model" if adapter else f"no config.json (the folder holds {found})"
        mend = (
            "the adapter merged into its base model"
            if adapter
            else "a Hugging Face model folder, as `save_pretrained` writes it"
        )
        raise BadInput(f"this is no model folder: {what}", where=str(folder), expected=mend)
    if not any(name.endswith(".safetensors") for name in names):
        pickles = sorted(name for name in names if name.endswith((".bin", ".pt", ".pth", ".ckpt")))
        if pickles:
            raise BadInput(
                f"the weights are a pickle ({', '.join(pickles)}), and opening one runs whatever code it holds",
                where=str(folder),
                expected="safetensors: load the file with transformers, if you trust it, and `save_pretrained` it",
            )
        raise BadInput("there are no weights", where=str(folder), expected="a .safetensors file beside config.json")
    if not names & set(_TOKENIZER_FILES):
        raise BadInput(
            "there is no tokenizer",
            where=str(folder),
            expected="tokenizer.json (`tokenizer.save_pretrained(folder)` writes it)",
        )


def _net(folder: Path, dtype: torch.dtype, code: bool) -> PreTrainedModel:
    """The network, all of whose weights come from the checkpoint."""
    where = str(folder)
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=code)
    except (OSError, ValueError, KeyError, json.JSONDecodeError) as error:
        raise BadInput(
            f"config.json cannot be used ({_first(error)})", where=where, expected=_config_mend(error)
        ) from error
    kinds = config.architectures or []
    if kinds and not any(kind.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")) for kind in kinds):
        raise BadInput(f"the model is a {', '.join(kinds)}", where=where, expected="a causal language model")
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, config=config, dtype=dtype, use_safetensors=True, trust_remote_code=code, output_loading_info=True
        )
    except SafetensorError as error:
        raise BadInput(
            f"the weights are damaged ({_first(error)})", where=where, expected="whole safetensors: copy them again"
        ) from error
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BadInput(
            f"the model cannot be loaded ({_first(error)})", where=where, expected="weights that fit config.json"
        ) from error
    net, told = loaded
    missing = sorted(told["missing_keys"]) + sorted(str(one[0]) for one in told["mismatched_keys"])
    if missing:
        raise BadInput(
            f"the weights lack or misshape {len(missing)} tensors of the configuration ({', '.join(missing[:3])}, …)",
            where=where,
            expected="a whole checkpoint",
        )
    return cast(PreTrainedModel, net)


def _config_mend(error: Exception) -> str:
    if "trust_remote_code" in str(error):
        return "an architecture of transformers; or trust_remote_code, where you trust the code in that folder"
    return "the config.json that `save_pretrained` wrote, of an architecture that this transformers knows"


def _tokenizer(folder: Path, code: bool) -> PreTrainedTokenizerBase:
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=code)
    except Exception as error:  # tokenizers raises bare Exception on a broken file
        raise BadInput(
            f"the tokenizer cannot be loaded ({_first(error)})", where=str(folder), expected="a whole tokenizer.json"
        ) from error
    if not tokenizer.is_fast:
        raise BadInput(
            "the tokenizer has no fast version, which tells where each token stands in the text",
            where=str(folder),
            expected="tokenizer.json",
        )
    return tokenizer


def digested(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file() and _DIGESTED.fullmatch(path.name)]


def _first(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
