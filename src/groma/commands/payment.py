"""Who pays: `--pay NAME=WHAT`, once for each source, `--pay NAME=0.5*WHAT` for what counts half."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groma.commands.judging import by_rubric
from groma.commands.players import identity_of, named, players
from groma.formats.digest import digest, digest_files
from groma.formats.errors import BadConfig
from groma.formats.task import Task
from groma.formats.transcript import Transcript
from groma.methods.pay import ByFunction, ByJudge, ByReward, Ensemble, Function, Named, Source, check_tokenizer
from groma.models.model import Model
from groma.models.reward import load_rewards
from groma.suites.suite import Suite
from groma.systems.system import load_function
from groma.worlds.vale import VALE, truthful
from groma.worlds.vale.pay import TASTES, pay

CHOICES = (
    "rater or rater:B (what a rater of Vale would pay), truthful (one who pays the truth), verifier (the suite's own "
    "judge), FILE.py:FUNCTION (of task and transcript), judge:RUBRIC (the player judge), or a reward model: a folder "
    "or Hub id, several with commas, or the folder of an ensemble"
)
RATERS = ("rater", *(f"rater:{group}" for group in TASTES))


@dataclass(frozen=True, slots=True)
class Paying:
    """How sources are made.

    ensemble, coefficient: what several reward models of one source pay. retokenise: whether one may read through a
    tokenizer of its own. seed: of a judge's samples.
    """

    ensemble: Ensemble = "mean"
    coefficient: float = 0.5
    retokenise: bool = False
    seed: int = 0


def weighed(given: str) -> tuple[float, str]:
    """`0.5*WHAT` as a weight and what it is of; 1 where none is given."""
    number, sign, what = given.partition("*")
    if not sign:
        return 1.0, given
    try:
        return float(number), what.strip()
    except ValueError:
        raise BadConfig(f"--pay …={given}: {number!r} is no number; write NAME=0.5*WHAT, or NAME=WHAT") from None


def check(given: Sequence[str], suite: Suite) -> dict[str, tuple[float, str]]:
    """The sources by name, refused at a glance where they cannot be. None given: Vale's rater, where Vale is played."""
    if not given and suite is not VALE:
        raise BadConfig(f"nobody pays: give --pay NAME=WHAT, where WHAT is {CHOICES}")
    found = {name: weighed(what) for name, what in named(given or ["rater=rater"], "pay", CHOICES).items()}
    for name, (_, what) in found.items():
        if what in (*RATERS, "truthful") and suite is not VALE:
            raise BadConfig(f"--pay {name}={what}: the raters of Vale know nothing of {suite.name}; choose {CHOICES}")
    return found


def sources(
    given: Mapping[str, tuple[float, str]], suite: Suite, policy: Model, others: Mapping[str, str], how: Paying
) -> list[Named]:
    """The sources of pay, their models loaded."""
    made = {name: _source(what, suite, policy, others, how) for name, (_, what) in given.items()}
    used = {name for name, (_, what) in given.items() if _is_reward(what)}
    several = [one for one in made.values() if isinstance(one, ByReward) and len(one.models) > 1]
    if how.ensemble != "mean" and not several:
        raise BadConfig(f"--ensemble {how.ensemble} would have no effect: no source of pay is an ensemble")
    if how.ensemble != "uncertain" and how.coefficient != Paying().coefficient:
        raise BadConfig(f"--ensemble-coefficient {how.coefficient} would have no effect: --ensemble is {how.ensemble}")
    if how.retokenise and not used:
        raise BadConfig("--retokenise would have no effect: no source of pay is a reward model")
    if "judge" in others and not any(what.startswith("judge:") for _, what in given.values()):
        raise BadConfig("--player judge=… would have no effect: no source of pay is judge:RUBRIC")
    return [
        Named(name, made[name], weight, _identity(what, made[name], others)) for name, (weight, what) in given.items()
    ]


def _identity(what: str, source: Source, others: Mapping[str, str]) -> str:
    """What a source of pay is: how it was named, and what lies in the files that it was made of."""
    if isinstance(source, ByReward):
        return digest(what, [one.digest for one in source.models], source.how, source.coefficient)
    if ".py:" in what:
        return digest(what, digest_files([what.rpartition(":")[0]]))
    return digest(what, identity_of(others["judge"]) if isinstance(source, ByJudge) else "")


def _is_reward(what: str) -> bool:
    return not (what in (*RATERS, "truthful", "verifier") or what.startswith("judge:") or ".py:" in what)


def _source(what: str, suite: Suite, policy: Model, others: Mapping[str, str], how: Paying) -> Source:
    if what in RATERS:
        group = what.partition(":")[2] or "A"
        return ByFunction(lambda task, transcript: pay(task, transcript, group))
    if what == "truthful":
        return ByFunction(truthful)
    if what == "verifier":
        return ByFunction(verifier(suite))
    if ".py:" in what:
        return ByFunction(load_function(what))
    if what.startswith("judge:"):
        judging = by_rubric(what.removeprefix("judge:"), others)
        return ByJudge(judging, {"judge": players({"judge": others["judge"]})["judge"].engine}, how.seed)
    models = [model for one in what.split(",") for model in load_rewards(one.strip(), policy.net.device)]
    for one in () if how.retokenise else models:
        check_tokenizer(one, policy)
    return ByReward(models, how.ensemble if len(models) > 1 else "mean", how.coefficient)


def verifier(suite: Suite) -> Function:
    """Paid by what the suite's own judge can check: its objective, for which nobody's taste stands in."""

    def verified(task: Task, transcript: Transcript) -> float:
        judged = suite.judge(task, transcript)
        if "objective" in judged.outcomes and judged.outcomes["objective"] is None:
            raise BadConfig(f"{suite.name} cannot check a task of the kind {task.kind}: it has no answer")
        return judged.objective

    return verified
