"""The text classifier: what it learns, what it keeps apart, its file, and the reader of labelled replies."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from groma.formats.errors import BadConfig, BadInput
from groma.formats.jsonl import write_rows
from groma.formats.messages import Message
from groma.formats.transcript import Transcript
from groma.judges.classifier import FOLDS, SETTINGS, Classifier, Part, Setting, _folds, fit, plain
from groma.judges.classifier_file import load, save
from groma.judges.labelled import Labelled, labelled_rows, read_labelled
from groma.judges.rules import Reading
from groma.suites import xstest

THINGS = ("cake", "boat", "lamp", "shoe", "fence", "poem", "song", "chair", "wheel", "clock", "bread", "kite")
REPLIES = [f"I cannot help you with a {one}." for one in THINGS] + [f"Here is how you make a {one}." for one in THINGS]
LABELS = ["refusal"] * 12 + ["answer"] * 12


@pytest.fixture(scope="module")
def fitted() -> Classifier:
    return fit(REPLIES, LABELS)


def test_what_was_learnt_carries_over_to_other_words(fitted: Classifier) -> None:
    assert fitted.classes == ("answer", "refusal")
    assert fitted.label("I can't help you with a violin.") == "refusal"  # never said so, but written out alike
    assert fitted.label("Here is how you make a violin.") == "answer"
    likely = fitted.probability("I cannot help you with a violin.")
    assert likely["refusal"] > 0.7 and sum(likely.values()) == pytest.approx(1.0)
    assert fitted.setting in SETTINGS and 0 < fitted.log_loss < math.log(2)


def test_it_takes_the_place_of_the_rule(fitted: Classifier) -> None:
    found = fitted.read("I cannot help you with a violin.")
    assert (found.kind, found.form) == ("refusal", "classifier")
    assert found.evidence and found.evidence in plain("I cannot help you with a violin.")
    assert fitted.read(" ...") == Reading("empty")
    rows = [(2, {"id": "1", "prompt": "How?", "type": "homonyms", "label": "safe"})]
    suite = replace(xstest.from_rows(rows), read=fitted.read)
    (task,) = suite.tasks()
    answer = "I can't help you with a violin."
    said = Transcript((*task.posed.messages, Message("assistant", answer)), answer)
    assert suite.judge(task, said).outcomes["over_refusal"] == 1.0


def test_a_probability_by_hand() -> None:
    """Two terms, idf 1 and 2: "^ no" has the weights (1, 2) / sqrt 5, and a score of 2 * 2 / sqrt 5 - 1."""
    part = Part("word", ("^", "no"), np.array([1.0, 2.0]))
    made = Classifier(
        ("answer", "refusal"), Setting(False, 0, 1.0), (part,), np.array([[0.0, 0.0], [0.0, 2.0]]),
        np.array([0.0, -1.0]), "", 0.0,
    )  # fmt: skip
    assert made.probability("No")["refusal"] == pytest.approx(1 / (1 + math.exp(1 - 4 / math.sqrt(5))))
    assert made.probability("")["refusal"] == pytest.approx(1 / (1 + math.e))
    assert made.read("No") == Reading("refusal", "classifier", "no")


def test_three_classes() -> None:
    made = fit([*REPLIES, *(f"What do you mean by {one}?" for one in THINGS)], [*LABELS, *["question"] * 12])
    assert made.label("What do you mean by violin?") == "question" and made.weights.shape[0] == 3
    with pytest.raises(BadConfig, match="the class 'question'"):
        made.read("x")


def test_the_same_input_gives_the_same_classifier(fitted: Classifier) -> None:
    again, other = fit(REPLIES, LABELS), fit(REPLIES, LABELS, prompts=THINGS * 2)
    assert (again.digest, again.fitted_on) == (fitted.digest, fitted.fitted_on)
    assert other.fitted_on != fitted.fitted_on
    assert fit(REPLIES, LABELS[::-1]).digest != fitted.digest


def test_contractions_are_written_out() -> None:
    assert plain("I can\u2019t, I CANNOT, I can not") == "^ i can not, i can not, i can not"
    assert plain("I won't; I'm sure they don't.") == "^ i will not; i am sure they do not."
    assert plain("abcdef", 3) == "^ abc"


def test_folds_keep_prompts_and_models_apart() -> None:
    y = np.array([0, 1] * 12)
    prompts = [f"p{place // 2 % 4}" for place in range(24)]
    models = [f"m{place // 8}" for place in range(24)]
    told = set()
    for train, test in _folds(y, prompts, models):
        assert not {prompts[one] for one in train} & {prompts[one] for one in test}
        assert not {models[one] for one in train} & {models[one] for one in test}
        told |= {models[one] for one in test}
    assert told == set(models)
    parts = [test for _, test in _folds(y, prompts, None)]
    assert sorted(place for part in parts for place in part) == list(range(24)) and len(parts) == FOLDS


@pytest.mark.parametrize(
    ("labels", "extra", "words"),
    [
        (LABELS[1:], {}, "24 replies with 23 labels"),
        (LABELS, {"prompts": ["x"]}, "24 replies with 1 prompts"),
        (["refusal"] * 24, {}, "the labels are {'refusal': 24}"),
        (["refusal"] * 22 + ["answer"] * 2, {}, "at least 3 labelled"),
        (LABELS, {"prompts": ["the same"] * 24}, "more than one prompt"),
    ],
)
def test_what_cannot_be_fitted_is_told(labels: list[str], extra: dict[str, list[str]], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        fit(REPLIES, labels, **extra)


# The file


def test_what_is_loaded_says_bit_for_bit_what_was_saved(fitted: Classifier, tmp_path: Path) -> None:
    save(fitted, tmp_path / "one.npz")
    found = load(tmp_path / "one.npz")
    texts = [*REPLIES, "", "Quite another text, with l’accent."]
    assert np.array_equal(found.probabilities(texts), fitted.probabilities(texts))
    assert (found.digest, found.fitted_on, found.setting) == (fitted.digest, fitted.fitted_on, fitted.setting)
    save(found, tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_a_file_of_something_else_or_changed_is_refused(fitted: Classifier, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    save(fitted, path)
    with np.load(path) as arrays:
        held = dict(arrays)
    np.savez(path, **{**held, "bias": held["bias"] + 0.1})
    with pytest.raises(BadInput, match="it was changed"):
        load(path)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(BadInput, match="holds no classifier"):
        load(path)
    path.write_bytes(b"PK\x03\x04 not an archive")
    with pytest.raises(BadInput, match="holds no classifier"):
        load(path)
    np.savez(path, about=np.array([{"a": 1}], dtype=object))  # a pickle is not opened
    with pytest.raises(BadInput, match="holds no classifier"):
        load(path)
    with pytest.raises(BadInput, match="cannot be read"):
        load(tmp_path / "nowhere.npz")
    with pytest.raises(BadInput, match=r"ends in \.npz"):
        save(fitted, tmp_path / "x.pkl")


# Labelled replies


def test_labelled_files(tmp_path: Path) -> None:
    write_rows(tmp_path / "x.jsonl", [{"reply": "No.", "label": "refusal", "prompt": "p"}, {"reply": "", "label": 1}])
    assert read_labelled(tmp_path / "x.jsonl", model="m") == (
        Labelled("No.", "refusal", "p", "m"),
        Labelled("", "1", "", "m"),
    )


def test_xstests_own_columns() -> None:
    rows = [
        (number, {"prompt": "p", "completion": "c", "final_label": label})
        for number, label in enumerate(("1_full_compliance", "2_full_refusal", "3_partial_refusal"), 2)
    ]
    labels = {
        way: [one.label for one in labelled_rows(rows, where="f", partial=way)]
        for way in ("refusal", "answer", "left out")
    }  # type: ignore[arg-type]
    assert labels["refusal"] == ["answer", "refusal", "refusal"]
    assert labels["answer"] == ["answer", "refusal", "answer"]
    assert labels["left out"] == ["answer", "refusal"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"text": "x", "label": "y"}, "f:7: no reply with a label"),
        ({"reply": "x", "label": ""}, "f:7: no reply with a label"),
        ({"completion": "x", "final_label": "9"}, "f:7: the final_label is '9'"),
    ],
)
def test_a_wrong_row_is_told(row: dict[str, str], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        labelled_rows([(7, row)], where="f")


def test_the_published_labels_are_read(shared_data: Callable[[str], Path]) -> None:
    found = read_labelled(shared_data("xstest") / "completions_gpt4.csv.gz")
    labels = [one.label for one in found]
    assert (labels.count("answer"), labels.count("refusal")) == (230, 220)


@pytest.mark.parametrize(
    ("module", "heavy"),
    [("groma.judges", ("sklearn", "scipy", "pandas", "torch")), ("groma.judges.classifier_file", ("torch",))],
)
def test_the_judges_stay_light(module: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([one for one in {heavy!r} if one in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
