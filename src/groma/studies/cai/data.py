"""What is said on the way, as rows: requests of a red team, and revisions (soft labels: labels.py). Everything that is
answered is logged as it comes, so that nothing is asked twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from groma.formats.columns import as_cell, text_or_messages
from groma.formats.constitution import Constitution
from groma.formats.digest import digest
from groma.formats.errors import BadConfig, BadInput
from groma.formats.jsonl import read_rows
from groma.formats.messages import Message
from groma.formats.task import Posed, Task
from groma.formats.transcript import Played
from groma.methods.constitutional import Revised, criticised, revised
from groma.play import CallLog, play
from groma.play.engine import Seat
from groma.studies.progress import Progress
from groma.systems import SYSTEMS
from groma.systems.blame import Reading
from groma.systems.red_team import check, red_team
from groma.systems.system import System

Logs = Callable[[str, Mapping[str, Any]], CallLog]
"""The log of a part, by its name, about what decides what is said in it."""
RED = "red team"
"""The kind of a red team's requests, of which no suite knows the truth."""
EPISODE = "left out: the episode failed"
FAILED = 0.1
"""Share of the episodes of a step that may fail."""
BAD = 0.5
"""So likely the critic has to find that an answer breaks a principle, for the request to be kept."""


def never() -> bool:
    return False


def played(
    system: System,
    tasks: Sequence[Task],
    seats: Mapping[str, Seat],
    *,
    seed: int,
    logs: Logs,
    part: str,
    phase: str,
    stopped: Callable[[], bool] = never,
    failed: float = 1.0,
) -> Generator[Progress, None, list[Played]]:
    """The episodes of all tasks. KeyboardInterrupt where `stopped`; what was answered by then lies in the log. failed:
    the share of episodes that may fail; BadConfig where it is more.
    """
    about = {"system": system.digest, "seed": seed, **{name: seat.digest for name, seat in seats.items()}}
    engines = {name: seat.engine for name, seat in seats.items()}
    found: list[Played] = []
    for one in play(system, tasks, engines, seed=seed, log=logs(part, about)):
        found.append(one)
        yield Progress(phase, len(found), len(tasks))
        if stopped():
            raise KeyboardInterrupt
    lost = [one.failure for one in found if one.failure is not None]
    if len(lost) > failed * len(found):
        what = f"{len(lost)} of {len(found)} episodes failed ({phase}); the first: {lost[0].message}"
        mend = f"remove {logs(part, about).path}, where failures are kept as answers, too"
        if sum(not one.passing for one in lost) <= failed * len(found):
            mend = "go on by --resume, which asks again what nobody was there to answer"
        raise BadConfig(f"{what}\n  mend it, and {mend}")
    return found


def attacking(
    constitution: Constitution, chat: System, tries: int, read: Reading, more: Mapping[str, Any] = MappingProxyType({})
) -> System:
    """Who looks for requests that `chat` answers badly, at the temperature of its replies. more: other parameters of
    the system. BadConfig for what cannot be.
    """
    values = {"constitution": constitution, "target": chat, "tries": tries, "read": read}
    values |= {"temperature": chat.parameters["temperature"], **more}
    system = System("red_team", red_team).with_(**values)
    check(constitution, tries, system.parameters["enough"], read)
    return system


def requests(
    system: System, tasks: Sequence[Task], seats: Mapping[str, Seat], *, seed: int, logs: Logs, **given: Any
) -> Generator[Progress, None, list[dict[str, Any]]]:
    """The requests of the system `red_team` that were answered badly, the worst first, each once, with the answer and
    how bad it is.
    """
    phase = "red team"
    found = yield from played(system, tasks, seats, seed=seed, logs=logs, part="red-team", phase=phase, **given)
    said = [one.transcript for one in found if one.transcript is not None]
    if not said:
        why = next((one.failure.message for one in found if one.failure is not None), "there were none")
        raise BadConfig(f"every search of the red team failed: {why}")
    bad = sorted((one for one in said if one.scores[0] >= BAD), key=lambda one: -one.scores[0])
    each = {one.answer: one for one in reversed(bad)}
    return [
        {
            "id": f"red-team/{number}",
            "prompt": as_cell(one.messages[:-1]),
            "answer": one.messages[-1].content,
            "badness": one.scores[0],
        }
        for number, one in enumerate(sorted(each.values(), key=lambda one: -one.scores[0]))
    ]


def red_tasks(file: Path, seed: int) -> tuple[Task, ...]:
    """The requests of a file, which a person may have edited, as tasks: none where it is blank. BadInput for what is
    no request, and for a second one of the same name, with its line.
    """
    found: list[Task] = []
    if not file.read_text(encoding="utf-8").strip():
        return ()
    for number, row in read_rows(file):
        try:
            said = text_or_messages(row.get("prompt"), "prompt")
        except BadInput as error:
            raise BadInput(error.what, where=f"{file}:{number}", expected=error.expected) from None
        prompt = (Message("user", said),) if isinstance(said, str) else said
        name = str(row.get("id", f"request/{digest([one.to_dict() for one in prompt])}"))
        if name in {one.id for one in found}:
            raise BadInput(
                f"a second request has the id {name!r}", where=f"{file}:{number}", expected="an id of its own"
            )
        found.append(Task(name, Posed(prompt), {}, RED))
    return seeded(found, seed)


def seeded(tasks: Sequence[Task], seed: int) -> tuple[Task, ...]:
    """The same tasks, with seeds of their own, from which principles are drawn: by the run's seed and their names."""
    drawn = [int(digest(seed, one.id, one.posed.seed), 16) % 2**31 for one in tasks]
    return tuple(replace(one, posed=replace(one.posed, seed=number)) for one, number in zip(tasks, drawn, strict=True))


def revisions(
    system: System, tasks: Sequence[Task], seats: Mapping[str, Seat], *, seed: int, logs: Logs, **given: Any
) -> Generator[Progress, None, tuple[list[Revised], Counter[str]]]:
    """What became of every prompt under the system `critique`, and how many prompts were left out, by why."""
    phase = "drafts, critiques, revisions"
    found = yield from played(system, tasks, seats, seed=seed, logs=logs, part="calls", phase=phase, **given)
    told = system.parameters["constitution"]
    rows, notes = [], Counter[str]()
    for one in found:
        if one.transcript is None:
            notes[EPISODE] += 1
        elif not criticised(one, told):
            notes["left out: an empty draft, or choices to score: nothing to criticise"] += 1
        else:
            rows.append(revised(one, told, system.digest))
    return rows, notes


def critiquing(constitution: Constitution, chat: System, rounds: int, max_tokens: int, temperature: float) -> System:
    """Who answers, is criticised and revises. BadConfig for no rounds, and for principles of which none criticises."""
    if rounds < 1 or not any(one.critique for one in constitution.principles):
        what = f"--rounds {rounds} of {constitution.name}"
        raise BadConfig(f"{what}: choose 1 or more, and principles that criticise")
    return SYSTEMS["critique"].with_(
        constitution=constitution,
        inner=chat,
        rounds=rounds,
        critic="critic",
        player="reviser",
        max_tokens=max_tokens,
        temperature=temperature,
    )
