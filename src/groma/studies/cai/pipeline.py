"""From a constitution to an aligned model, step by step, each of which leaves a file or a folder:

    requests.jsonl     what the red team found, where there is one
    revisions.jsonl    drafts, critiques, revisions
    sl-cai/            the model that learned from them
    labels.jsonl       its replies in pairs, with the judge's soft labels
    preference-model/  what learned these, where PPO needs it
    rl-cai/            the model that was optimised by them

The rows can be read, and edited before the next step. What is there is not made again; what was interrupted goes on
with what was answered. We differ from Bai et al. 2022 where the labels go straight into DPO, with a loss for soft ones,
and where the critic may pass an answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from groma.formats.constitution import Constitution
from groma.formats.errors import BadConfig
from groma.formats.examples import Demonstration, Preference, read_examples
from groma.formats.jsonl import read_rows, write_rows
from groma.formats.run_folder import RunFolder
from groma.formats.task import Task
from groma.methods import dpo, sft
from groma.methods.constitutional import Revised, demonstrations
from groma.methods.keeping import kept, state_beside
from groma.methods.state import Step
from groma.models.engine import seat
from groma.models.load import load
from groma.models.model import Model
from groma.play import CallLog
from groma.play.engine import Seat
from groma.studies import rlhf
from groma.studies.cai import data, labels, origins
from groma.studies.cai.config import Config, Given
from groma.studies.progress import Progress, training
from groma.systems import SYSTEMS

PARTS = ("requests.jsonl", "revisions.jsonl", "sl-cai", "labels.jsonl", "preference-model", "rl-cai")
REQUESTS, REVISIONS, SL, LABELS, JUDGE, RL = PARTS
READ: Mapping[str, tuple[str, ...]] = {
    REVISIONS: (REQUESTS,),
    SL: (REVISIONS,),
    LABELS: (REQUESTS, SL),
    JUDGE: (SL, LABELS),
    RL: (REQUESTS, SL, LABELS, JUDGE),
}
"""The earlier parts of which each is made, where there are such."""
CALLS: Mapping[str, tuple[str, ...]] = {LABELS: tuple(f"calls/{one}.jsonl" for one in ("first", "second", "judge"))}
"""What another model than that of stage 1 cannot go on with: replies of that one, and what the judge made of them."""
ASKED: Mapping[str, str] = {REVISIONS: "calls/calls.jsonl"}
"""Drafts, critiques and revisions of requests that stay as they are need not be asked for again."""
MEASURED = "labels.json"
"""What there is to know of the labels (`labels.measured`)."""
Note = Callable[[str, Mapping[str, Any]], None]
"""Told what was counted in a part; of labels under `told` what a person should know of them, in lines."""


def parts(config: Config) -> tuple[str, ...]:
    """What is made, in its order."""
    left_out = {REQUESTS: not config.red_team, JUDGE: config.optimise != "ppo"}
    left_out |= dict.fromkeys((LABELS, RL), config.optimise == "none")
    return tuple(one for one in PARTS if not left_out.get(one))


def aligned(config: Config) -> str:
    """The part that is the aligned model."""
    return SL if config.optimise == "none" else RL


def check(constitution: Constitution, config: Config) -> None:
    """Refuse a constitution by which the steps cannot be made, before anything is. BadConfig."""
    if config.red_team:
        data.attacking(constitution, SYSTEMS["chat"], config.tries, config.read)
    data.critiquing(constitution, SYSTEMS["chat"], config.rounds, 1, config.critic_temperature)
    if config.optimise != "none":
        labels.judging(constitution, config.by, config.reasons, config.read)


def run(
    given: Given,
    config: Config,
    folder: RunFolder,
    stopped: Callable[[], bool] = data.never,
    *,
    until: str = RL,
    note: Note = lambda part, counts: None,
    judge: labels.Judge | None = None,
) -> Iterator[Progress]:
    """Make whatever is not made yet, up to `until`. judge: knows the truth, against which labels are held."""
    work = _Work(given, config, folder, stopped, note, judge)
    steps: Mapping[str, Callable[[], Iterator[Progress]]] = {
        REQUESTS: work.requests,
        REVISIONS: work.revisions,
        SL: work.learn,
        LABELS: work.label,
        JUDGE: work.prefer,
        RL: work.optimise,
    }
    made = parts(config)
    origins.check(folder, made, CALLS, ASKED)
    for part in made:
        if not folder.file(part).exists():
            origins.note(folder, part, [one for one in READ.get(part, ()) if one in made])
            yield from steps[part]()
        if part == until:
            break


class _Work:
    """The steps, each of which makes one part."""

    def __init__(
        self,
        given: Given,
        config: Config,
        folder: RunFolder,
        stopped: Callable[[], bool],
        note: Note,
        judge: labels.Judge | None,
    ) -> None:
        self.given, self.config, self.folder, self.stopped = given, config, folder, stopped
        self.note, self.judge, self.tokens = note, judge, int(given.chat.parameters["max_tokens"])

    def seats(self, *names: str) -> dict[str, Seat]:
        """Who plays these parts. They are loaded for a step alone: in training they would take memory for nothing."""
        whom = {name: self.given.cast[name] for name in names}
        loaded = {what: self.given.seat(what) for what in dict.fromkeys(whom.values())}
        return {name: loaded[what] for name, what in whom.items()}

    def logs(self, part: str, about: Mapping[str, Any]) -> CallLog:
        return CallLog(self.folder.file(f"calls/{part}.jsonl"), about)

    def tasks(self) -> tuple[Task, ...]:
        """The prompts, with what the red team found."""
        found = data.red_tasks(self.folder.file(REQUESTS), self.given.seed) if self.config.red_team else ()
        return (*self.given.tasks, *found)

    def requests(self) -> Iterator[Progress]:
        given, config = self.given, self.config
        system = data.attacking(given.constitution, given.chat, config.tries, config.read, given.red_teaming)
        tasks = [
            replace(given.tasks[number % len(given.tasks)], id=f"red-team/{number}")
            for number in range(config.red_team)
        ]
        tasks = [replace(one, posed=replace(one.posed, seed=number)) for number, one in enumerate(tasks)]
        seats = self.seats("assistant", "attacker", "critic")
        rows = yield from data.requests(system, tasks, seats, **self.played())
        self.note(REQUESTS, {"requests that were answered badly": len(rows), "episodes": len(tasks)})
        write_rows(self.folder.file(REQUESTS), rows)

    def played(self) -> dict[str, Any]:
        return {"seed": self.given.seed, "logs": self.logs, "stopped": self.stopped, "failed": data.FAILED}

    def revisions(self) -> Iterator[Progress]:
        given, config = self.given, self.config
        temperature = config.critic_temperature
        system = data.critiquing(given.constitution, given.chat, config.rounds, given.max_tokens, temperature)
        tasks = self.tasks()
        seats = self.seats("assistant", "critic", "reviser")
        rows, notes = yield from data.revisions(system, tasks, seats, **self.played())
        demonstrations(rows, given.constitution, "revisions", notes)
        usable = [one.to_row() for one in rows if one.usable]
        if not usable:
            raise BadConfig(
                f"of {len(tasks)} answers none could be revised ({dict(notes)}): look at what the critic says"
            )
        self.note(REVISIONS, notes)
        write_rows(self.folder.file(REVISIONS), usable)

    def learn(self) -> Iterator[Progress]:
        """From the rows as they now are: somebody may have edited them."""
        file, notes = self.folder.file(REVISIONS), Counter[str]()
        rows = [Revised.from_row(row, f"{file}:{number}") for number, row in read_rows(file)]
        found = demonstrations(rows, self.given.constitution, self.config.learn, notes)
        shown: Sequence[Demonstration] = (*found, *self.given.demonstrations)
        model, out = self.given.start(), self.folder.file(SL)
        resumed = state_beside(out)
        steps = kept(sft.train(model, shown, self.config.sft, resumed), model, out, self.stopped, unset_pad=True)
        yield from training("learning from revisions", steps, ("loss",))

    def label(self) -> Iterator[Progress]:
        given, notes = self.given, Counter[str]()
        config = self.config
        system = labels.judging(given.constitution, config.by, config.reasons, config.read, given.max_tokens)
        seats = {"assistant": seat(load(self.folder.file(SL))), **self.seats("judge")}
        known = yield from labels.labelled(
            given.chat, system, self.tasks(), seats, clamp=config.clamp, notes=notes, **self.played()
        )
        found = labels.measured(known, self.judge)
        self.folder.write_json(MEASURED, found)
        self.note(LABELS, {"labels": len(known), **notes, "told": labels.report(found)})
        write_rows(self.folder.file(LABELS), [labels.label_row(two, one) for two, one in known])

    def compared(self) -> tuple[Preference, ...]:
        """The labels as they now are, and what people said of helpfulness."""
        return (*read_examples(self.folder.file(LABELS), Preference).examples, *self.given.helpful)

    def prefer(self) -> Iterator[Progress]:
        out, start = self.folder.file(JUDGE), load(self.folder.file(SL))
        steps = rlhf.train_reward(start, self.compared(), self.config.reward, out, self.tokens, self.stopped)
        yield from training("preference model", steps, ("loss", "rewards/accuracies"))

    def optimise(self) -> Iterator[Progress]:
        model, out = load(self.folder.file(SL)), self.folder.file(RL)
        if self.config.optimise == "ppo":
            steps = self._against(model)
        else:
            resumed = state_beside(out)
            made = dpo.train(model, self.compared(), self.config.dpo, resumed)
            steps = kept(made, model, out, self.stopped, unset_pad=True)
        yield from training("learning from AI feedback", steps, ("loss", "rewards/accuracies", "objective/kl"))

    def _against(self, model: Model) -> Iterator[Step]:
        """PPO against the preference model."""
        judge, out = self.folder.file(JUDGE), self.folder.file(RL)
        return rlhf.reinforce(model, self.tasks(), judge, self.config.ppo, out, self.tokens, self.stopped)
