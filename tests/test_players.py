"""Who plays whom: models, reward models, replays, fakes, servers and persons, their budgets, and the graceful stop."""

from __future__ import annotations

import io
import json
import math
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForSequenceClassification

from groma.cli import run
from groma.commands.players import budgets, named, player, players
from groma.commands.rehearsal import check_cast
from groma.formats.errors import BadConfig, BadInput
from groma.formats.messages import Message
from groma.formats.requests import Failed, Failure, Generate, Read, Score
from groma.formats.task import Posed, Task
from groma.formats.transcript import Transcript
from groma.models.load import load
from groma.models.reward import RewardEngine, load_reward
from groma.play import Budget, PersonEngine, play
from groma.systems import SYSTEMS, System
from groma.worlds.vale import VALE

ASKED = (Message("user", "which one?"),)
TASKS = tuple(Task(f"t/{number}", Posed(ASKED, seed=number), {}, "test") for number in range(3))


def groma(*arguments: object) -> int:
    return run([str(one) for one in arguments])


@pytest.fixture(scope="module")
def reward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model of random weights, with Vale's tokenizer and template."""
    base = load("vale")
    folder = tmp_path_factory.mktemp("reward") / "model"
    torch.manual_seed(0)
    config = type(base.net.config)(**{**base.net.config.to_dict(), "num_labels": 1, "architectures": None})
    net = LlamaForSequenceClassification(config)
    torch.nn.init.normal_(net.score.weight, std=1.0)
    net.save_pretrained(folder)
    base.tokenizer.save_pretrained(folder)
    return folder


# persons


def at_the_terminal(*lines: str) -> tuple[PersonEngine, list[str]]:
    said, shown = iter(lines), list[str]()

    def read() -> str:
        try:
            return next(said)
        except StopIteration:
            raise EOFError from None

    return PersonEngine(read, shown.append), shown


def test_a_person_is_shown_what_a_model_reads_and_answers_in_its_place() -> None:
    engine, shown = at_the_terminal("the first \\", "of them", "second", "2")

    def twice(posed: Posed) -> Iterator[object]:
        reply = yield Generate(prompt=posed.messages)
        scored = yield Score(prompt=posed.messages, answers=("yes", "no"))
        return Transcript(posed.messages, f"{reply.text} {scored.scores}")

    (found,) = play(System("twice", twice), TASKS[:1], {"assistant": engine})
    assert found.transcript is not None
    assert found.transcript.answer == f"the first \nof them {(-math.inf, 0.0)}"
    assert any("user: which one?" in one for one in shown) and any("'second'" in one for one in shown)


def test_when_a_person_leaves_what_follows_fails_as_data() -> None:
    engine, _ = at_the_terminal("one")
    first, *rest = play(SYSTEMS["chat"], TASKS, {"assistant": engine}, width=1)
    assert first.transcript is not None and first.transcript.answer == "one"
    assert [one.failure and one.failure.kind for one in rest] == ["left", "left"]


def test_a_closed_standard_input_is_a_person_who_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    for stdin in (None, closed):
        monkeypatch.setattr(sys, "stdin", stdin)
        found = play(SYSTEMS["chat"], TASKS, {"assistant": PersonEngine(write=lambda text: None)}, width=1)
        assert [one.failure and one.failure.kind for one in found] == ["left"] * len(TASKS)


def test_a_person_has_no_activations() -> None:
    def look(posed: Posed) -> Iterator[object]:
        yield Read(prompt=posed.messages, layers=(0,))

    (found,) = play(System("look", look), TASKS[:1], {"assistant": at_the_terminal("x")[0]})
    assert found.failure is not None and found.failure.kind == "Unservable" and "'assistant'" in found.failure.message


# reward models


def test_a_reward_model_scores_the_conversations_that_the_answers_end(reward: Path) -> None:
    model = load_reward(reward)
    engine, answers = RewardEngine(model), ("wren is wise.", "no.")
    engine.submit(7, Score(prompt=ASKED, answers=answers), 0)
    ((ticket, reply),) = engine.poll()
    assert ticket == 7 and not isinstance(reply, Failure) and engine.poll() == []
    texts = [
        model.tokenizer.apply_chat_template(
            [*(one.to_dict() for one in ASKED), {"role": "assistant", "content": answer}], tokenize=False
        )
        for answer in answers
    ]
    with torch.no_grad():
        ids = [model.tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"] for text in texts]
        expected = [float(model.net.score(model.net.model(input_ids=one).last_hidden_state[0, -1])) for one in ids]
    assert reply.scores == pytest.approx(expected, abs=1e-5) and expected[0] != pytest.approx(expected[1])


def test_best_of_n_is_chosen_by_the_reward_model_that_plays_its_scorer(reward: Path, tmp_path: Path) -> None:
    best = SYSTEMS["best_of_n"].with_(n=5, by="reward", scorer="judge")
    seats = players({"assistant": "vale", "judge": str(reward)})
    engines = {name: seat.engine for name, seat in seats.items()}
    (found,) = play(best, TASKS[:1], engines)
    assert found.transcript is not None
    drawn = [reply.text for call in found.calls[:-1] for reply in (call.reply if isinstance(call.reply, tuple) else ())]
    rewards = {text: load_reward(reward).score((*ASKED, Message("assistant", text))) for text in drawn}
    assert len(drawn) == 5 and found.transcript.answer == max(rewards, key=lambda text: rewards[text])


@pytest.mark.parametrize("request_", [Generate(prompt=ASKED), Score(prompt="text", answers=("a",))])
def test_a_reward_model_does_nothing_else(reward: Path, request_: Any) -> None:
    def ask(posed: Posed) -> Iterator[object]:
        yield request_

    (found,) = play(System("ask", ask), TASKS[:1], {"assistant": RewardEngine(load_reward(reward))})
    assert found.failure is not None and found.failure.kind == "Unservable"


# by name


def test_what_is_named_twice_is_loaded_once_and_shared() -> None:
    seats = players({"assistant": "vale", "judge": "vale", "user": "fake:hm"})
    assert seats["assistant"].engine is seats["judge"].engine is not seats["user"].engine
    assert seats["assistant"].digest == load("vale").digest


def test_fakes_say_what_they_are_told_to_or_what_a_function_says(tmp_path: Path) -> None:
    file = tmp_path / "fakes.py"
    file.write_text("def echo(request, seed):\n    return request.prompt[-1].content.upper()\n")
    for what, said in (("fake:so be it", "so be it"), (f"fake:{file}:echo", "WHICH ONE?")):
        (found,) = play(SYSTEMS["chat"], TASKS[:1], {"assistant": player(what).engine})
        assert found.transcript is not None and found.transcript.answer == said
    before = player(f"fake:{file}:echo").digest
    file.write_text("def echo(request, seed):\n    return 'other'\n")
    assert player(f"fake:{file}:echo").digest != before


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        (["judge"], BadConfig, "--player judge: give NAME=WHAT"),
        (["judge="], BadConfig, "give NAME=WHAT"),
        (["a=vale", "a=fake:x"], BadConfig, "a is given twice"),
        (["a=http://localhost:1/v1"], BadConfig, "without a model: write http://localhost:1/v1#MODEL"),
        (["a=replay:nothing.jsonl"], BadInput, "nothing.jsonl"),
        (["a=fake:"], BadConfig, "says nothing"),
        (["a=fake:missing.py:f"], BadInput, "no such file"),
        (["a=nowhere"], BadInput, "nowhere"),
    ],
)
def test_players_that_are_none_are_refused(given: list[str], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        players(named(given, "player", "a model, …"))


def test_budgets_are_read_by_kind() -> None:
    read = budgets(["assistant=calls:3,seconds:1.5", "judge=tokens:100"], "budget")
    assert read == {"assistant": Budget(calls=3, seconds=1.5), "judge": Budget(tokens=100)}
    for bad in ("judge=3", "judge=calls:many", "judge=calls:1,calls:2", "judge=calls:1.5"):
        with pytest.raises(BadConfig, match="no limit; choose calls:N, tokens:N and seconds:S"):
            budgets([bad], "budget")
    with pytest.raises(BadConfig, match="-1 calls"):
        budgets(["judge=calls:-1"], "budget")


# the command


SMALL = ("--as", "chat,critique", "--items", 24, "--kind", "speak", "--properties", "none")


def rows(out: Path, system: str) -> list[dict[str, Any]]:
    text = (out / f"transcripts/model__{system}__vale.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_survey_stops_at_its_budget_with_a_page_of_what_is_done_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, whole = tmp_path / "run", tmp_path / "whole"
    said = ("survey", "--player", "assistant=fake:alf is wise and kind.", *SMALL)
    assert groma(*said, "--out", out, "--budget", "assistant=calls:90") == 3
    told = capsys.readouterr()
    assert "assistant has used 90 calls of 90 in all" in told.err and "--resume" in told.err
    assert len(rows(out, "chat")) == 24 and 0 < len(rows(out, "critique")) < 24
    assert "Not finished:</strong> assistant has used 90 calls of 90 in all" in (out / "report.html").read_text()
    found = json.loads((out / "records.json").read_text())
    paired = [one for one in found if one["against"] == "system:chat" and one["outcome"] == "objective"]
    assert paired[0]["estimate"]["n"] == len(rows(out, "critique"))
    logged = next((out / "calls").iterdir()).read_bytes()
    assert groma(*said, "--out", out, "--resume") == 0 and groma(*said, "--out", whole) == 0
    assert next((out / "calls").iterdir()).read_bytes().startswith(logged)
    assert "Not finished" not in (out / "report.html").read_text()
    for system in ("chat", "critique"):
        assert rows(out, system) == rows(whole, system)


@pytest.mark.parametrize("system", ["best_of_n", "beam", "search", "monitored", "planner"])
@pytest.mark.parametrize("what", ["http://127.0.0.1:9/v1#m", "fake:alf is wise."])
def test_a_system_that_a_player_cannot_answer_is_refused_before_anything_is_asked(system: str, what: str) -> None:
    tasks = VALE.tasks("speak", "held_out", 3, 0) + VALE.tasks("errand", "held_out", 3, 0)
    with pytest.raises(
        BadConfig, match=rf"{system}: .*assistant is {re.escape(what)}: .*Score(.|\n)*goes: .*chat, agent"
    ):
        check_cast([SYSTEMS["chat"], SYSTEMS[system]], tasks, {"assistant": what})


def test_only_what_fails_on_every_kind_of_task_is_refused() -> None:
    """A system that asks some tasks in a way that is answered is played, and so is one that does without."""
    cast = {"assistant": "http://127.0.0.1:9/v1#m"}
    free, choices = VALE.tasks("speak", "held_out", 2, 0), [Task("c", Posed(ASKED, choices=("a", "b")), {}, "test")]
    with pytest.raises(BadConfig, match="chat: each of its episodes would fail"):
        check_cast([SYSTEMS["chat"]], choices, cast)
    check_cast([SYSTEMS["chat"], SYSTEMS["trivial"]], (*choices, *free), cast)
    check_cast([System("does_without", does_without)], free, cast)
    scorer = SYSTEMS["best_of_n"].with_(scorer="judge")
    check_cast([scorer], free, {**cast, "judge": "vale"})
    with pytest.raises(BadConfig, match="judge is http"):
        check_cast([scorer], free, {"assistant": "vale", "judge": cast["assistant"]})


def does_without(posed: Posed) -> Iterator[object]:
    try:
        yield Score(prompt=posed.messages, answers=("yes", "no"))
    except Failed:
        yield Generate(prompt=posed.messages)
    return Transcript(posed.messages, "")


SERVER = """
from pathlib import Path
from groma.formats.requests import Failure

def answer(request, seed):
    with Path({asked!r}).open("a") as log:
        log.write(f"{{seed}}\\n")
    if seed % 3 == 0:
        return Failure("engine", "status_400", "never this one")
    down = Path({down!r}).exists() and seed % 2 == 0
    return Failure("engine", "status_500", "down", passing=True) if down else "alf is wise."
"""


def test_after_an_outage_a_survey_goes_on_with_what_nobody_answered_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, down, file, out = (tmp_path / name for name in ("asked", "down", "server.py", "run"))
    file.write_text(SERVER.format(asked=str(asked), down=str(down)))
    down.touch()
    said = ("survey", f"fake:{file}:answer", "--as", "chat", *SMALL[2:], "--out")
    assert groma(*said, out) == 0
    seeds = [int(one) for one in asked.read_text().split()]
    vain = [seed for seed in seeds if seed % 2 == 0 and seed % 3]
    assert f"nobody was there to answer {len(vain)} requests" in " ".join(capsys.readouterr().err.split())
    assert f"nobody was there to answer {len(vain)} requests" in (out / "report.html").read_text()
    down.unlink()
    asked.unlink()
    assert groma(*said, out, "--resume") == 0
    assert sorted(int(one) for one in asked.read_text().split()) == sorted(vain)
    assert "nobody was there" not in (out / "report.html").read_text() + capsys.readouterr().err
    assert groma(*said, tmp_path / "whole") == 0
    assert rows(out, "chat") == rows(tmp_path / "whole", "chat")
    assert groma(*said, out, "--resume") == 2 and "is finished" in capsys.readouterr().err


def test_a_survey_with_other_players_records_who_they_were_and_replays(tmp_path: Path) -> None:
    critic = tmp_path / "critic.json"
    critic.write_text('{"critic": "critic"}')
    file = tmp_path / "fakes.py"
    file.write_text("def one(request, seed):\n    return f'alf is {seed % 7}.'\n")
    out, again = tmp_path / "run", tmp_path / "again"
    shared = ("--as", f"critique@{critic}", "--items", 12, "--kind", "speak", "--out")
    assert groma("survey", f"fake:{file}:one", "--player", "critic=fake:that is unkind.", *shared, out) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["settings"]["players"] == {"critic": player("fake:that is unkind.").digest}
    assert any("that is unkind." in note for note in manifest["notes"])
    assert json.loads((out / "records.json").read_text())[0]["digest"] != ""
    (log,) = (out / "calls").iterdir()
    replayed = f"replay:{log}"
    assert groma("survey", replayed, "--player", f"critic={replayed}", *shared, again) == 0
    assert rows(out, "critique-critic") == rows(again, "critique-critic")
    assert groma("survey", "fake:a", "--player", "assistant=fake:b", *shared, tmp_path / "two") == 2
    assert groma("survey", *shared, tmp_path / "none") == 2
    assert groma("survey", "fake:a", *shared, tmp_path / "b", "--budget", "judge=calls:1") == 2
    assert groma("run", "--player", "assistant=fake:a", *shared, tmp_path / "c") == 2
    assert not any((tmp_path / name).exists() for name in ("two", "none", "b", "c"))


def test_players_take_the_forms_that_help_names(tiny_model: Callable[..., Path]) -> None:
    assert player(str(tiny_model("llama"))).name == str(tiny_model("llama"))
    seat = player("http://localhost:9/v1#some/model")
    assert seat.name == "some/model" and "weights are not known" in seat.notes[0]
    seat.engine.close()
