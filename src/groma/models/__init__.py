"""Models: load, render, sample, score, and the engine that answers requests. Torch starts here."""

from groma.models.agree import Agreement, agreement
from groma.models.engine import LocalEngine
from groma.models.generate import Row, Sampled, sample
from groma.models.load import assemble, load
from groma.models.model import Model
from groma.models.names import SHIPPED, resolve
from groma.models.score import answer_logprobs, token_logprobs
from groma.models.template import completion_spans, render, text_spans
from groma.models.tiny import make_tiny

__all__ = [
    "SHIPPED",
    "Agreement",
    "LocalEngine",
    "Model",
    "Row",
    "Sampled",
    "agreement",
    "answer_logprobs",
    "assemble",
    "completion_spans",
    "load",
    "make_tiny",
    "render",
    "resolve",
    "sample",
    "text_spans",
    "token_logprobs",
]
