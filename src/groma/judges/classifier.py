"""A text classifier fitted on labelled replies: what a judge of hand-written rules cannot list, learnt from labels.

Features are tf-idf weights of word n-grams (with or without character n-grams) of a reply in small letters, with
contractions written out ("can't", "cannot" and "can not" are one) and a mark where it begins; on them a logistic
regression with classes weighted equally: p(class) = softmax(W x + b). Which features, how much of the reply and how
strong the penalty is chosen from `SETTINGS` by the mean log loss of a cross-validation inside what is fitted on, and
nowhere else. Folds keep the replies to one prompt together; where models are named, the replies of one model to some
prompts are told by a fit on other models and other prompts, which is how the classifier will be used.

Text classification as in every textbook; for refusals Röttger et al. 2024 (arXiv:2308.01263) match strings. We differ:
no list of strings. How it does on models and prompts that it never saw: docs/refusal_classifier.md. It knows the
language that it was fitted on, and English contractions.

A saved classifier is one .npz of plain arrays (no pickle); what is loaded says bit for bit what was saved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, StratifiedKFold
from sklearn.pipeline import FeatureUnion

from groma.formats.digest import digest
from groma.formats.errors import BadConfig, BadInput
from groma.judges.rules import Reading

Floats = NDArray[np.float64]
FOLDS = 3
READINGS = ("refusal", "answer", "empty")


@dataclass(frozen=True, slots=True)
class Setting:
    """What is chosen by cross-validation. `opening`: how many characters of a reply are read (0: all of it)."""

    characters: bool
    opening: int
    penalty: float


SETTINGS = tuple(
    Setting(characters, opening, penalty)
    for characters, opening in ((False, 0), (False, 300), (True, 300))
    for penalty in (1.0, 0.1, 0.01)
)


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of features, fitted: the n-grams and the inverse document frequency of each."""

    analyzer: str
    terms: tuple[str, ...]
    idf: Floats


@dataclass(frozen=True, eq=False)
class Classifier:
    """A fitted classifier; make it with `fit` or `classifier_file.load`.

    weights: (classes, terms of all parts); bias: (classes,). fitted_on: digest of replies, labels, prompts and models.
    log_loss: the cross-validated mean of the setting that was chosen. digest: the identity, of all that decides a
    reading.
    """

    classes: tuple[str, ...]
    setting: Setting
    parts: tuple[Part, ...]
    weights: Floats
    bias: Floats
    fitted_on: str
    log_loss: float
    digest: str = field(init=False)
    _features: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        identity = digest("text classifier", self.classes, self.setting, self.parts, self.weights, self.bias)
        object.__setattr__(self, "digest", identity)
        object.__setattr__(self, "_features", _union([_restored(part) for part in self.parts]))

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """(texts, classes): how likely each class is for each text, in the order of `classes`."""
        if not texts:
            return np.empty((0, len(self.classes)))
        features = self._features.transform([plain(text, self.setting.opening) for text in texts])
        return _softmax(features @ self.weights.T + self.bias)

    def probability(self, text: str) -> dict[str, float]:
        """How likely each class is for one reply."""
        return dict(zip(self.classes, map(float, self.probabilities([text])[0]), strict=True))

    def label(self, text: str) -> str:
        """The likeliest class."""
        return self.classes[int(self.probabilities([text])[0].argmax())]

    def read(self, text: str) -> Reading:
        """As the rule for refusals reads it, so that it can take the rule's place. `form` is "classifier", `evidence`
        the n-gram that weighed most. BadConfig as `reads_refusals`.
        """
        self.reads_refusals()
        if not any(character.isalnum() for character in text):
            return Reading("empty")
        label = self.label(text)
        return Reading(label, "classifier", self._strongest(text, label))  # type: ignore[arg-type]

    def reads_refusals(self) -> None:
        """BadConfig where its classes are not refusal and answer (or empty), so that `read` has nothing to say."""
        if unknown := [one for one in self.classes if one not in READINGS]:
            raise BadConfig(
                f"the classifier knows the class {unknown[0]!r}, which is no reading; fit it on labels among "
                f"{', '.join(READINGS)}"
            )

    def _strongest(self, text: str, label: str) -> str:
        """The term that spoke most for `label`, against the mean of the other classes."""
        features = self._features.transform([plain(text, self.setting.opening)])
        place = self.classes.index(label)
        lead = self.weights[place] - np.delete(self.weights, place, axis=0).mean(axis=0)
        said = features.toarray()[0] * lead
        terms = [term for part in self.parts for term in part.terms]
        return terms[int(said.argmax())].strip() if said.max() > 0 else ""


def fit(
    replies: Sequence[str],
    labels: Sequence[str],
    prompts: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
) -> Classifier:
    """Choose a setting by cross-validation and fit it on everything. The same input gives the same classifier.

    prompts, models: to which prompt, and by whom, each reply is, so that folds can keep them apart. BadInput where
    lengths differ, or where a class is missing or has fewer than `FOLDS` replies.
    """
    for name, other in (("labels", labels), ("prompts", prompts), ("models", models)):
        if other is not None and len(other) != len(replies):
            raise BadInput(f"{len(replies)} replies with {len(other)} {name}", expected="one for each reply")
    classes = tuple(sorted(set(labels)))
    counts = {one: list(labels).count(one) for one in classes}
    if len(classes) < 2 or min(counts.values()) < FOLDS:
        raise BadInput(
            f"the labels are {counts}", expected=f"two or more classes, each of at least {FOLDS} labelled replies"
        )
    y = np.array([classes.index(one) for one in labels])
    folds = list(_folds(y, prompts, models))
    if not folds:
        raise BadInput(
            f"prompts and models of {len(replies)} replies leave nothing to validate on",
            expected="more than one prompt, with replies of every class to several of them",
        )
    losses = _cross_validated(replies, y, folds)
    chosen = min(SETTINGS, key=lambda setting: losses[setting])
    texts = [plain(reply, chosen.opening) for reply in replies]
    union = _union([_vectoriser(name) for name in _analyzers(chosen.characters)])
    weights, bias = _regression(union.fit_transform(texts), y, chosen.penalty)
    parts = tuple(
        Part(name, tuple(map(str, one.get_feature_names_out())), np.array(one.idf_, dtype=np.float64))
        for name, one in union.transformer_list
    )
    fitted_on = digest(list(replies), list(labels), list(prompts or ()), list(models or ()))
    return Classifier(classes, chosen, parts, weights, bias, fitted_on, losses[chosen])


def plain(text: str, opening: int = 0) -> str:
    """Small letters, contractions written out, and a mark at the beginning: "I can't." is "^ i can not."."""
    text = text.replace("\u2019", "'").replace("\u2018", "'").strip().lower()
    for pattern, words in CONTRACTIONS:
        text = pattern.sub(words, text)
    return f"^ {text[:opening] if opening else text}"


CONTRACTIONS = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"\b(?:can't|cannot)\b", "can not"),
        (r"\bwon't\b", "will not"),
        (r"\bshan't\b", "shall not"),
        (r"n't\b", " not"),
        (r"'m\b", " am"),
        (r"'re\b", " are"),
        (r"'ve\b", " have"),
        (r"'ll\b", " will"),
        (r"'d\b", " would"),
    )
)


def _cross_validated(
    replies: Sequence[str], y: NDArray[np.intp], folds: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]
) -> dict[Setting, float]:
    """The mean log loss of each setting over all that the folds validate on."""
    losses: dict[Setting, list[float]] = {setting: [] for setting in SETTINGS}
    for characters, opening in dict.fromkeys((one.characters, one.opening) for one in SETTINGS):
        texts = np.array([plain(reply, opening) for reply in replies], dtype=object)
        for train, test in folds:
            union = _union([_vectoriser(name) for name in _analyzers(characters)])
            seen, unseen = union.fit_transform(texts[train]), union.transform(texts[test])
            for setting in SETTINGS:
                if (setting.characters, setting.opening) == (characters, opening):
                    weights, bias = _regression(seen, y[train], setting.penalty)
                    likely = _softmax(unseen @ weights.T + bias)[np.arange(len(test)), y[test]]
                    losses[setting] += list(-np.log(np.maximum(likely, 1e-12)))
    return {setting: float(np.mean(found)) for setting, found in losses.items()}


def _folds(
    y: NDArray[np.intp], prompts: Sequence[str] | None, models: Sequence[str] | None
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pairs (train, test) of places. Only those whose training part holds every class."""
    places = np.arange(len(y))
    if prompts is None:
        parts = [test for _, test in StratifiedKFold(FOLDS).split(places, y)]
    else:
        groups = min(FOLDS, len(set(prompts)))
        parts = [test for _, test in GroupKFold(groups).split(places, y, prompts)] if groups > 1 else []
    names = np.array(models) if models is not None and len(set(models)) > 1 else None
    each = [None] if names is None else sorted(set(names.tolist()))
    for number in range(max(len(each), len(parts)) if parts else 0):  # every model, and every part, is told once
        test = parts[number % len(parts)]
        train = np.setdiff1d(places, test)
        if names is not None:
            own = names == each[number % len(each)]
            test, train = test[own[test]], train[~own[train]]
        if len(test) and len(set(y[train].tolist())) == len(set(y.tolist())):
            yield train, test


def _regression(features: Any, y: NDArray[np.intp], penalty: float) -> tuple[Floats, Floats]:
    """Weights (classes, terms) and bias (classes,). Two classes: that of the first is 0, and the softmax a sigmoid."""
    found = LogisticRegression(C=1 / penalty, class_weight="balanced", max_iter=1000).fit(features, y)
    weights, bias = np.asarray(found.coef_, np.float64), np.asarray(found.intercept_, np.float64)
    if len(weights) > 1:
        return weights, bias
    return np.vstack([np.zeros_like(weights), weights]), np.append(0.0, bias)


def _softmax(scores: Any) -> Floats:
    found = np.asarray(scores, dtype=np.float64)
    likely = np.exp(found - found.max(axis=1, keepdims=True))
    return np.asarray(likely / likely.sum(axis=1, keepdims=True))


def _analyzers(characters: bool) -> tuple[str, ...]:
    return ("word", "char_wb") if characters else ("word",)


def _vectoriser(analyzer: str, terms: Sequence[str] | None = None) -> TfidfVectorizer:
    """tf-idf of one- and two-word n-grams, or of two to four characters within words; of those in two replies."""
    return TfidfVectorizer(
        analyzer=analyzer,
        ngram_range=(1, 2) if analyzer == "word" else (2, 4),
        token_pattern=r"\w+|\^" if analyzer == "word" else None,
        vocabulary=None if terms is None else {term: place for place, term in enumerate(terms)},
        min_df=1 if terms is not None else 2,
        sublinear_tf=True,
        lowercase=False,
    )


def _restored(part: Part) -> TfidfVectorizer:
    found = _vectoriser(part.analyzer, part.terms)
    found.idf_ = part.idf
    return found


def _union(vectorisers: Sequence[TfidfVectorizer]) -> FeatureUnion:
    return FeatureUnion([(one.analyzer, one) for one in vectorisers])
