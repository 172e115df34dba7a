"""What reinforcement learning trains: a system on tasks, in their environment, and by whom it is paid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from groma.formats.digest import digest
from groma.formats.errors import BadConfig, BadInput
from groma.formats.task import Task
from groma.methods.online_config import Config
from groma.methods.pay import Named
from groma.models.engine import LocalEngine
from groma.models.model import Model
from groma.play.engine import Embodiment, Engine
from groma.play.episode import OpenEnvironment


@dataclass(frozen=True, slots=True)
class Work:
    """What is trained: a system on tasks, in their environment, and by whom it is paid.

    others: who plays beside the players that learn; seated: what identifies them (their digests, by name). width:
    episodes at a time. engine: who answers for the model that is trained, made anew in every step.
    """

    system: Embodiment
    tasks: Sequence[Task]
    pay: Sequence[Named]
    others: Mapping[str, Engine] = field(default_factory=dict)
    seated: Mapping[str, str] = field(default_factory=dict)
    open_environment: OpenEnvironment | None = None
    width: int = 256
    engine: Callable[[Model], Engine] = LocalEngine

    @property
    def digest(self) -> str:
        """Of the system, the tasks with what is known of them, who else plays, and the names, identities and weights of
        the sources of pay.
        """
        about = [(one.id, repr(one.posed), repr(one.gold)) for one in self.tasks]
        pay = [(one.name, one.identity, one.weight) for one in self.pay]
        return digest(self.system.digest, about, pay, dict(self.seated))

    def of_step(self, step: int, config: Config) -> list[Task]:
        """The tasks of a step (from 0), each as often as it is to be played, under ids of their own. All are gone round
        in an order of their own each time; where there are few, a step goes round them more than once.
        """
        each, count = config.batch_size // config.samples, len(self.tasks)
        first, orders = step * each // count, dict[int, list[int]]()
        found = []
        for place in range(step * each, (step + 1) * each):
            epoch, rank = divmod(place, count)
            if epoch not in orders:
                orders[epoch] = np.random.default_rng((config.seed, epoch)).permutation(count).tolist()
            task, visit = self.tasks[orders[epoch][rank]], epoch - first
            numbers = range(visit * config.samples, (visit + 1) * config.samples)
            found += [replace(task, id=f"{task.id}#{number}") for number in numbers]
        return found

    def check(self, config: Config) -> None:
        """Refuse what could not be played or paid."""
        if not self.tasks:
            raise BadInput("there is no task to play", expected="at least one")
        if not self.pay:
            raise BadConfig("nobody pays: name at least one source of pay")
        names = [one.name for one in self.pay]
        if len(set(names)) < len(names):
            raise BadConfig(f"two sources of pay have one name ({', '.join(names)}): give each its own")
        if both := sorted(set(config.learners) & set(self.others)):
            raise BadConfig(f"{', '.join(both)} cannot learn and be played by somebody else: name each once")
