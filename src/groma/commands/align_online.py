"""`groma align ppo|rloo|grpo|online-dpo`: train a system in its environment by what it is paid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from groma.commands import payment
from groma.commands.align_options import loaded
from groma.commands.console import Phases, check_sampling, no_effect, out, told_anew
from groma.commands.players import CHOICES, check_player, named, players
from groma.commands.surveying import check_seed, suite_from, with_settings
from groma.formats.errors import BadConfig
from groma.formats.task import Task
from groma.methods import grpo, online_dpo, ppo, processes, rloo
from groma.methods.keeping import LOG, check_out, kept, stoppable
from groma.methods.state import State, Step
from groma.methods.work import Work
from groma.models.model import Model
from groma.models.reward import RewardModel, load_reward
from groma.suites.library import SUITES
from groma.suites.suite import SPLIT, Suite
from groma.worlds.vale import VALE


@dataclass(frozen=True, kw_only=True)
class Online:
    """Where the model is, what it plays, who pays."""

    model: str
    """The model to train: a shipped one (vale), a folder, or a Hub id."""
    out: Path
    """Folder to write: a plain Hugging Face folder, adapters merged."""
    as_: Annotated[str, tyro.conf.arg(name="as")] = "chat"
    """The system that is trained: chat, agent, completion, conversation, … or path/to/file.py:function; variants as in
    groma survey. The replies of --learners in it are learned from."""
    on: str = "vale"
    """What it is played on: vale, or the path of a .jsonl or .csv file of prompts (with answers, where they are to be
    verified)."""
    kind: str | None = None
    """Only this kind of task: of vale ask, how, follow, count, speak, errand or choose. None: all but errands, which
    need the agent's tools."""
    tasks: int = 4000
    """How many tasks to draw from; steps go round."""
    pay: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME=WHAT")] = ()
    """NAME=WHAT or NAME=0.5*WHAT, once for each source of pay: a sum, each told by itself. WHAT is rater or rater:B
    (what a rater of Vale would pay; on vale the default), truthful, verifier (the suite's own judge), FILE.py:FUNCTION
    (of task and transcript), judge:RUBRIC (asks the player judge), or a reward model: a folder or Hub id, several with
    commas, or an ensemble's folder."""
    ensemble: Literal["mean", "worst", "uncertain"] = "mean"
    """What several reward models of one source pay: their mean, the worst, or the mean minus --ensemble-coefficient
    times their variance."""
    ensemble_coefficient: float = 0.5
    """Of the variance, for --ensemble uncertain."""
    retokenise: bool = False
    """Let a reward model read what is said through a tokenizer of its own, where it has another one."""
    player: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME=WHAT")] = ()
    """NAME=WHAT, once for each player who does not learn (user, judge, …), as in groma survey."""
    temperature: float = 1.0
    """Of every reply; the probabilities that are learned are those at this temperature."""
    max_tokens: int | None = None
    """Longest reply. None: what the suite says is enough."""
    resume: bool = False
    """Go on with an interrupted run of the same --out and the same options, bit for bit."""
    device: str | None = None
    """cpu, cuda, … None: a GPU where there is one."""
    trust_remote_code: bool = False
    """Run Python code that the model's folder brings along. Off unless you trust it."""


@dataclass(frozen=True, kw_only=True)
class Ppo(Online):
    """Proximal policy optimisation with a critic."""

    critic_from: str | None = None
    """The reward model that a separate critic begins from; needs --critic separate. None: a copy of the policy."""
    config: tyro.conf.OmitArgPrefixes[ppo.Config] = field(default_factory=ppo.Config)


@dataclass(frozen=True, kw_only=True)
class Rloo(Online):
    """REINFORCE leave-one-out: a reply is compared with the others to the same task."""

    config: tyro.conf.OmitArgPrefixes[rloo.Config] = field(default_factory=rloo.Config)


@dataclass(frozen=True, kw_only=True)
class Grpo(Online):
    """Group relative policy optimisation, and those that go by its name (--variant)."""

    config: tyro.conf.OmitArgPrefixes[grpo.Config] = field(default_factory=grpo.Config)


@dataclass(frozen=True, kw_only=True)
class OnlineDpo(Online):
    """DPO on pairs that are drawn and paid as it goes."""

    config: tyro.conf.OmitArgPrefixes[online_dpo.Config] = field(default_factory=online_dpo.Config)


Options = Ppo | Rloo | Grpo | OnlineDpo
SHOWN = ("objective/scores", "objective/kl", "episodes/length")


def main(options: Options) -> None:
    """Train, and write the model."""
    suite, tasks = _tasks(options)
    system = with_settings(
        options.as_, suite, {"temperature": options.temperature, "max_tokens": options.max_tokens or suite.max_tokens}
    )
    others = named(options.player, "player", CHOICES)
    for name, what in others.items():
        if name in options.config.learners:
            raise no_effect("player", f"{name}={what}", f"{name} learns, and is the model that is trained")
        check_player(what)
    given = payment.check(options.pay, suite)
    state = check_out(options.out, options.resume)
    if options.resume and state is None:
        told_anew(options.out)
    device = processes.begin(options.device)
    model = loaded(options.model, device, options.trust_remote_code)
    how = payment.Paying(options.ensemble, options.ensemble_coefficient, options.retokenise, options.config.seed)
    paying = payment.sources(given, suite, model, others, how)
    seats = players({name: what for name, what in others.items() if name != "judge"}, options.trust_remote_code)
    width = 1 if "person" in others.values() else 256
    engines = {name: seat.engine for name, seat in seats.items()}
    seated = {name: seat.digest for name, seat in seats.items()}
    work = Work(system, tasks, paying, engines, seated, suite.open, width)
    last: Step | None = None
    with Phases() as phases, stoppable() as stopped:
        steps = kept(_steps(options, model, work, state), model, options.out, stopped, unset_pad=True)
        for step in phases.steps(f"align {options.as_} on {suite.name}", steps, SHOWN):
            last = step
    if last is not None:
        told = f"paid {last.metrics['objective/scores']:.3f}, KL {last.metrics['objective/kl']:.2f} nats a reply"
        out.print(f"{options.out}: {last.number} steps, {told}; {LOG} has every step")


def _tasks(options: Options) -> tuple[Suite, tuple[Task, ...]]:
    """The suite, and the tasks that are learned from."""
    check_sampling(options.temperature, options.max_tokens)
    check_seed(options.config.seed)
    if options.on in SUITES:
        raise BadConfig(f"--on {options.on}: a public test set is for testing; train on vale, or on a file of prompts")
    if options.tasks < 1:
        raise BadConfig(f"--tasks {options.tasks}: choose at least 1")
    suite = suite_from(options.on, None)
    if suite is VALE:
        kinds = options.kind or tuple(one for one in VALE.kinds if one != "errand")
        return suite, VALE.tasks(kinds, "train", options.tasks, options.config.seed)
    split = SPLIT if SPLIT in suite.splits and "train" not in suite.splits else "train"
    return suite, suite.tasks(options.kind, split, options.tasks, options.config.seed)


def _steps(options: Options, model: Model, work: Work, state: State | None) -> Iterator[Step]:
    if isinstance(options, Ppo):
        return ppo.train(model, work, options.config, state, _critic(options, model))
    if isinstance(options, Rloo):
        return rloo.train(model, work, options.config, state)
    if isinstance(options, Grpo):
        return grpo.train(model, work, options.config, state)
    return online_dpo.train(model, work, options.config, state)


def _critic(options: Ppo, model: Model) -> RewardModel | None:
    return None if options.critic_from is None else load_reward(options.critic_from, model.net.device)


METHODS: dict[str, Any] = {"ppo": Ppo, "rloo": Rloo, "grpo": Grpo, "online-dpo": OnlineDpo}
