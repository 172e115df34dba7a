"""The base models of Vale: corpus → tokenizer → a Llama from scratch. One recipe, one seed, the same weights again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace

from groma.formats.digest import digest
from groma.formats.errors import BadConfig
from groma.methods import pretrain
from groma.methods.state import State, Step
from groma.models.load import assemble
from groma.models.model import Model
from groma.models.small import SIZES, small_llama
from groma.models.vocabulary import word_tokenizer
from groma.worlds.vale.corpus import documents, text_of

ROW = 512
"""Tokens of a row, and of the context: every position is trained."""
ROWS = 2
"""Rows per step: small batches win per token at this size."""
COUNTED = 20_000
"""Documents whose words become the vocabulary."""
STEP_SIZES: Mapping[str, float] = {"xs": 1e-2, "s": 5e-3, "m": 4e-3, "l": 1.5e-3}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a base is made."""

    size: str = "m"
    """Of the model: xs, s, m (the one that ships) or l."""
    tokens: int = 10_800_000
    """Tokens of the corpus to learn from, each once."""
    seed: int = 1
    """Of the corpus, the first weights and the order of rows."""

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise BadConfig(f"there is no size {self.size!r}; choose one of {', '.join(SIZES)}")
        if self.seed < 0:
            raise BadConfig(f"the seed {self.seed}; choose 0 or more")
        if self.tokens < ROW:
            raise BadConfig(f"{self.tokens} tokens; choose at least {ROW}, one row")


def untrained(recipe: Recipe) -> Model:
    """The model before training: its tokenizer knows the words of the corpus, its weights are random."""
    texts = (text_of(document) for document in itertools.islice(documents(recipe.seed), COUNTED))
    tokenizer = word_tokenizer(texts, ROW)
    net = small_llama(recipe.size, tokenizer, ROW, recipe.seed)
    return assemble(net, tokenizer, f"vale-{recipe.size}", digest(asdict(recipe)))


def build(
    model: Model,
    recipe: Recipe,
    state: State | None = None,
    told: Callable[[int, int], None] = lambda done, of: None,
) -> Iterator[Step]:
    """Train `model` in place. told: of the tokens of the corpus, how many are drawn, before the first step."""
    rows = pretrain.pack(documents(recipe.seed), model, recipe.tokens, ROW, told)
    config = pretrain.Config(seed=recipe.seed, batch_size=ROWS, learning_rate=STEP_SIZES[recipe.size])
    short = max(len(rows) // config.batch_size // 10, 1)
    return pretrain.train(model, rows, replace(config, warmup_steps=min(config.warmup_steps, short)), state)
