"""Examples: the columns that users have become values, whole dialogues are split where they part, bad rows refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from groma.formats.dialogues import parse_dialogue, repeats, split_pair
from groma.formats.errors import BadInput
from groma.formats.examples import (
    Demonstration,
    Labelled,
    Loaded,
    Preference,
    PromptOnly,
    Stepwise,
    read_examples,
)
from groma.formats.messages import Message

USER, SAID, OTHER = Message("user", "hi"), Message("assistant", "hello"), Message("assistant", "no")


def plain(*messages: Message) -> list[dict[str, Any]]:
    return [message.to_dict() for message in messages]


def load(tmp_path: Path, kind: type, *rows: dict[str, Any]) -> Loaded[Any]:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_examples(path, kind)


def refused(tmp_path: Path, kind: type, *rows: dict[str, Any]) -> BadInput:
    with pytest.raises(BadInput) as caught:
        load(tmp_path, kind, *rows)
    assert caught.value.where.startswith(str(tmp_path / "rows.jsonl"))
    return caught.value


def test_every_row_of_real_preferences_loads(shared_data: Callable[[str], Path]) -> None:
    """HH-RLHF, harmless-base, test: 2,312 pairs. The counts below were taken by hand from the file."""
    path = shared_data("hh_rlhf_harmless_test") / "harmless_base_test.jsonl.gz"
    loaded = read_examples(path, Preference)
    assert len(loaded.examples) == 2312
    assert loaded.notes == {"sides part before the last assistant turn": 5, "two turns of one speaker in a row": 9}
    for pair in loaded.examples:
        assert pair.prompt[-1].role == "user"
        assert pair.chosen[-1].role == pair.rejected[-1].role == "assistant"
        assert not any("\n\nHuman:" in turn.content for turn in (*pair.prompt, *pair.chosen, *pair.rejected))
    first = loaded.examples[0]
    assert first.prompt[0] == Message("user", "what are some pranks with a pen i can do?")
    assert [len(part) for part in (first.prompt, first.chosen, first.rejected)] == [5, 1, 1]
    longer = loaded.examples[1255 - 1]
    assert [turn.role for turn in longer.chosen] == ["assistant", "assistant"]
    assert [turn.role for turn in longer.rejected] == ["assistant"]


def test_dialogues_are_read_turn_by_turn() -> None:
    text = "\n\nHuman:  Say Human: twice\n\nthen stop \n\nAssistant: Human: Human:\n\nHuman:\n\nAssistant:"
    assert parse_dialogue(text) == (
        Message("user", "Say Human: twice\n\nthen stop"),
        Message("assistant", "Human: Human:"),
        Message("user", ""),
        Message("assistant", ""),
    )
    with pytest.raises(BadInput, match="begins with"):
        parse_dialogue("hello\n\nHuman: x")


def test_a_pair_is_split_after_the_last_user_turn_that_both_share() -> None:
    again = Message("user", "again")
    assert split_pair((USER, SAID), (USER, OTHER)) == ((USER,), (SAID,), (OTHER,))
    assert split_pair((USER, SAID, again, SAID), (USER, SAID, again, OTHER))[0] == (USER, SAID, again)
    assert split_pair((USER, SAID, again, SAID), (USER, OTHER)) == ((USER,), (SAID, again, SAID), (OTHER,))
    assert split_pair((USER, SAID, again, SAID), (USER, SAID)) == ((USER,), (SAID, again, SAID), (SAID,))
    assert split_pair((USER, SAID, SAID), (USER, SAID, OTHER)) == ((USER,), (SAID, SAID), (SAID, OTHER))
    for chosen, rejected in [((USER, SAID), (again, SAID)), ((USER,), (USER, SAID)), ((SAID,), (OTHER,))]:
        with pytest.raises(BadInput):
            split_pair(chosen, rejected)


def test_preferences_in_all_their_columns(tmp_path: Path) -> None:
    standard = {"prompt": "hi", "chosen": "hello", "rejected": "no", "margin": 2}
    assert load(tmp_path, Preference, standard).examples == (Preference("hi", "hello", "no", 2.0),)
    turns = Preference((USER,), (SAID,), (OTHER,))
    for row in (
        {"prompt": plain(USER), "chosen": plain(SAID), "rejected": plain(OTHER)},
        {"chosen": plain(USER, SAID), "rejected": plain(USER, OTHER)},
        {"chosen": "\n\nHuman: hi\n\nAssistant: hello", "rejected": "\n\nHuman: hi\n\nAssistant: no", "margin": None},
        {"prompt": plain(USER), "chosen": "hello", "rejected": "no"},
    ):
        loaded = load(tmp_path, Preference, row)
        assert (loaded.examples, loaded.notes) == ((turns,), {})
    repeated = {"prompt": "hi", "chosen": plain(USER, SAID), "rejected": plain(USER, OTHER), "source": "x"}
    loaded = load(tmp_path, Preference, repeated)
    assert loaded.examples == (turns,)
    assert loaded.notes == {"prompt repeated at the beginning of the completion": 1, "column source not used": 1}


def test_equal_sides_are_dropped_and_counted(tmp_path: Path) -> None:
    equal = {"prompt": "hi", "chosen": "a", "rejected": "a"}
    dialogue = "\n\nHuman: hi\n\nAssistant: a"
    loaded = load(
        tmp_path,
        Preference,
        equal,
        {"chosen": dialogue, "rejected": dialogue + " "},
        {**equal, "rejected": "b"},
    )
    assert len(loaded.examples) == 1
    assert loaded.notes == {"dropped: chosen and rejected are the same": 2}
    assert "no row is left" in str(refused(tmp_path, Preference, equal))


def test_demonstrations_labels_steps_and_prompts(tmp_path: Path) -> None:
    shown = {"prompt": "hi", "completion": "hello"}
    assert load(tmp_path, Demonstration, shown).examples == (Demonstration("hi", "hello"),)
    assert load(tmp_path, Demonstration, {"text": "hello"}).examples == (Demonstration("", "hello"),)
    preferred = load(tmp_path, Demonstration, {"prompt": "hi", "chosen": "hello", "rejected": "no", "margin": 1})
    assert preferred.examples == (Demonstration("hi", "hello"),)
    assert preferred.notes == {"a preference: its chosen side is learned": 1}
    system, again = Message("system", "be kind"), Message("user", "again")
    loaded = load(tmp_path, Demonstration, {"messages": plain(system, USER, SAID, again, SAID, again), "prompt": "hi"})
    assert loaded.examples == (Demonstration((system, USER), (SAID, again, SAID)),)
    assert loaded.notes == {"dropped: turns after the last assistant turn": 1, "column prompt not used": 1}
    rows = [{**shown, "label": label} for label in (True, 0, "False", "1")]
    assert [one.label for one in load(tmp_path, Labelled, *rows).examples] == [True, False, False, True]
    steps = {"prompt": "2+2", "completions": ["two", "four"], "labels": [True, False]}
    assert load(tmp_path, Stepwise, steps).examples == (Stepwise("2+2", ("two", "four"), (True, False)),)
    prompts = load(tmp_path, PromptOnly, {"prompt": "hi"}, {"prompt": plain(USER)})
    assert prompts.examples == (PromptOnly("hi"), PromptOnly((USER,)))


def test_csv_columns_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("prompt,chosen,rejected,margin\nhi,a,b,0.5\nhi,a,b,\n")
    loaded = read_examples(tmp_path / "rows.csv", Preference)
    assert [one.margin for one in loaded.examples] == [0.5, None]


def test_who_compared_is_kept_by_name_or_number(tmp_path: Path) -> None:
    row = {"prompt": "hi", "chosen": "a", "rejected": "b"}
    loaded = load(tmp_path, Preference, {**row, "rater": 0, "group": 0}, {**row, "rater": "ann"}, row)
    assert [(one.rater, one.group) for one in loaded.examples] == [("0", "0"), ("ann", ""), ("", "")]
    assert not loaded.notes


def test_wrong_columns_name_those_found_and_the_accepted_forms(tmp_path: Path) -> None:
    good = {"prompt": "hi", "chosen": "a", "rejected": "b"}
    error = refused(tmp_path, Preference, good, {"question": "hi", "answer": "a"})
    assert error.where.endswith(":2")
    assert error.what == "the columns are answer, question"
    more = "[margin] [probability] [group] [rater]"
    assert error.expected == f"prompt chosen rejected {more} | chosen rejected {more} (whole dialogues)"
    assert refused(tmp_path, Demonstration, {"q": "hi"}).expected.startswith("prompt completion | messages | text | ")
    assert "all empty" in str(refused(tmp_path, PromptOnly, {"prompt": None}))


@pytest.mark.parametrize(
    ("kind", "row", "said"),
    [
        (Preference, {"chosen": "a", "rejected": "b"}, "without a column prompt"),
        (Preference, {"prompt": 3, "chosen": "a", "rejected": "b"}, "prompt is 3"),
        (Preference, {"prompt": "hi", "chosen": [], "rejected": "b"}, "chosen is []"),
        (Preference, {"prompt": "hi", "chosen": "a", "rejected": plain(SAID)}, "the other messages"),
        (Preference, {"prompt": "hi", "chosen": "a", "rejected": "b", "margin": "wide"}, "margin is 'wide'"),
        (Preference, {"prompt": "hi", "chosen": "a", "rejected": "b", "margin": float("nan")}, "margin is nan"),
        (Preference, {"prompt": "hi", "chosen": "a", "rejected": "b", "tools": [{"name": "x"}]}, "tools"),
        (Preference, {"chosen": plain(USER), "rejected": plain(USER, SAID)}, "last turn of chosen is the user's"),
        (
            Preference,
            {"prompt": plain(USER, SAID), "chosen": "a", "rejected": "b"},
            "last turn of the prompt is the assistant's",
        ),
        (Demonstration, {"prompt": "hi", "completion": plain(USER)}, "completion has the turns"),
        (Demonstration, {"messages": "hi"}, "messages is 'hi'"),
        (Demonstration, {"text": 3}, "text is 3"),
        (Demonstration, {"messages": plain(USER)}, "no assistant turn"),
        (Demonstration, {"messages": plain(SAID, USER)}, "assistant speaks first"),
        (Demonstration, {"messages": [{"role": "robot", "content": "x"}]}, "role 'robot'"),
        (Demonstration, {"messages": [{"from": "human", "value": "x"}]}, "the keys ['from', 'value']"),
        (Demonstration, {"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "content of a message"),
        (Labelled, {"prompt": "hi", "completion": "a", "label": "good"}, "label is 'good'"),
        (Stepwise, {"prompt": "hi", "completions": ["a"], "labels": [True, True]}, "1 steps"),
        (Stepwise, {"prompt": "hi", "completions": "a", "labels": [True]}, "not a list"),
        (Stepwise, {"prompt": "hi", "completions": [""], "labels": [True]}, "the steps"),
    ],
)
def test_wrong_values_are_refused_with_their_line(tmp_path: Path, kind: type, row: dict[str, Any], said: str) -> None:
    error = refused(tmp_path, kind, row)
    assert error.where.endswith("rows.jsonl:1")
    assert said in error.what
    assert error.expected


def test_values_refuse_what_is_wrong_at_birth() -> None:
    for make in (
        lambda: Preference("hi", "a", "a"),
        lambda: Preference((USER,), "a", "b"),  # type: ignore[arg-type]
        lambda: Preference((USER,), (SAID,), ()),
        lambda: Demonstration((SAID,), (SAID,)),
        lambda: Labelled("hi", "a", 1),  # type: ignore[arg-type]
        lambda: PromptOnly(()),
    ):
        with pytest.raises(BadInput):
            make()


def test_repeats_sees_two_turns_of_one_speaker_but_not_two_tools() -> None:
    tool = Message("tool", "3")
    assert repeats((USER, SAID, OTHER)) and repeats((USER, USER))
    assert not repeats((USER, SAID, tool, tool, SAID))


def test_notes_are_a_counter(tmp_path: Path) -> None:
    assert isinstance(load(tmp_path, PromptOnly, {"prompt": "hi"}).notes, Counter)
