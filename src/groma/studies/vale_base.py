"""The base models of Vale: corpus → tokenizer → a Llama from scratch. One recipe, one seed, the same weights again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from groma.formats.digest import digest, digest_files
from groma.formats.errors import BadConfig
from groma.methods import pretrain
from groma.methods.state import State, Step
from groma.models.load import assemble
from groma.models.model import Model
from groma.models.names import CACHED
from groma.models.small import SIZES, small_llama
from groma.models.vocabulary import word_tokenizer
from groma.worlds.vale.corpus import Document, documents, text_of
from groma.worlds.vale.country import SEED, country

ROW = 512
"""Tokens of a row, and of the context: every position is trained."""
ROWS = 2
"""Rows per step: small batches win per token at this size."""
COUNTED = 20_000
"""Documents whose words become the vocabulary."""
STEP_SIZES: Mapping[str, float] = {"xs": 1e-2, "s": 5e-3, "m": 4e-3, "l": 1.5e-3}
WEIGHTS: Mapping[str, str] = {
    "xs:1": "c2b593b6f18c1832",
    "s:1": "3e9dd75031a93b8b",
    "m:1": "108e3265457cdcca",
    "m:2": "dac37dc03333d0f3",
    "m:3": "17a03795dbd5da30",
    "l:1": "a4ea443fcdcc27b1",
}
"""Digests of the weights of the bases that docs/vale_acceptance.md measured, by size and seed: built on an AMD EPYC
with two threads. Another processor or number of threads gives other last bits.
"""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a base is made."""

    size: str = "m"
    """Of the model: xs, s, m (the one that ships) or l."""
    tokens: int = 10_800_000
    """Tokens of the corpus to learn from, each once."""
    seed: int = 1
    """Of the corpus, the first weights and the order of rows."""
    country: int = SEED
    """The seed of the country that the corpus is of. Another one has other facts, deeds and splits."""

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise BadConfig(f"there is no size {self.size!r}; choose one of {', '.join(SIZES)}")
        if self.seed < 0:
            raise BadConfig(f"the seed {self.seed}; choose 0 or more")
        if self.tokens < ROW:
            raise BadConfig(f"{self.tokens} tokens; choose at least {ROW}, one row")


def _corpus(recipe: Recipe) -> Iterator[Document]:
    return documents(recipe.seed, country(recipe.country))


def recipe_digest() -> str:
    """Of all that makes a base besides the world: sizes, steps, rows. It is frozen as the world is."""
    recipes = [Recipe(size=size) for size in SIZES]
    return digest(recipes, dict(SIZES), dict(STEP_SIZES), pretrain.Config(), [ROW, ROWS, COUNTED])


def named(recipe: Recipe) -> str | None:
    """The name by which the base of a recipe is found in the cache once it was built; None where it has none: with
    other tokens, another seed or country, and of the size that ships.
    """
    name = f"vale-{recipe.size}"
    return name if name in CACHED and recipe == Recipe(size=recipe.size) else None


def compared(recipe: Recipe, weights: Path) -> str:
    """How the weights of a build stand to those that were measured, in words; nothing where that recipe was not."""
    known = WEIGHTS.get(f"{recipe.size}:{recipe.seed}")
    if known is None or recipe != Recipe(size=recipe.size, seed=recipe.seed):
        return ""
    found = digest_files([weights])
    if found == known:
        return f"its weights ({found}) are those that were measured, bit for bit"
    return f"its weights ({found}) differ in their last bits from those that were measured ({known}): " + (
        "another processor, or another number of threads (two were used)"
    )


def untrained(recipe: Recipe) -> Model:
    """The model before training: its tokenizer knows the words of the corpus, its weights are random."""
    texts = (text_of(document) for document in itertools.islice(_corpus(recipe), COUNTED))
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
    rows = pretrain.pack(_corpus(recipe), model, recipe.tokens, ROW, told)
    config = pretrain.Config(seed=recipe.seed, batch_size=ROWS, learning_rate=STEP_SIZES[recipe.size])
    short = max(len(rows) // config.batch_size // 10, 1)
    return pretrain.train(model, rows, replace(config, warmup_steps=min(config.warmup_steps, short)), state)
