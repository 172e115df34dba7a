"""The peer's side of agents_vs_inspect.py: the same agents in Inspect, on its local Hugging Face provider.

Runs under whichever interpreter has inspect_ai, and needs nothing of Groma. The first line of its standard input says
what to play (see `main`); each further line is one run, {"settings": name, "agents": number, "greedy": bool}, and is
answered by one line with its seconds. What else is printed goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import inspect_ai
import torch
from inspect_ai import Task
from inspect_ai import eval as run_eval
from inspect_ai.agent import Agent, AgentState, agent
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import ChatMessageUser, Model, get_model

SETTINGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    # All agents in one batch of its provider, which then never waits for more; no log while it runs, nothing drawn.
    "best": {"log_realtime": False, "display": "none"},
}


@agent
def turn_by_turn() -> Agent:
    """Answers the lines of the task one after the other, with all that was said before in view."""

    async def execute(state: AgentState) -> AgentState:
        lines, state.messages = state.messages, []
        for line in lines:
            state.messages.append(line)
            state.output = await get_model().generate(state.messages)
            state.messages.append(state.output.message)
        return state

    return execute


def run(model: Model, given: dict[str, Any], settings: str, agents: int, logs: str) -> tuple[float, EvalLog]:
    """How long `eval` takes from call to return, and its log. The task is made before, the log is read after."""
    samples = [Sample(input=[ChatMessageUser(content=line) for line in one]) for one in given["lines"][:agents]]
    task = Task(dataset=MemoryDataset(samples), solver=turn_by_turn(), name=f"agents_{settings}")
    options = dict(SETTINGS[settings])
    if settings == "best":
        options |= {"max_connections": agents, "max_samples": agents}
    began = time.perf_counter()
    (log,) = run_eval(
        task,
        model=model,
        log_dir=logs,
        max_tokens=given["max_tokens"],
        temperature=given["temperature"],
        top_k=given["top_k"],
        **options,
    )
    seconds = time.perf_counter() - began
    if log.status != "success":
        raise RuntimeError(f"the eval ended with {log.status}: {log.error}")
    return seconds, read_eval_log(log.location)


def summary(seconds: float, log: EvalLog) -> dict[str, Any]:
    """What came of a run. The provider counts the tokens of padded batches, so only those written are counted here."""
    samples = sorted(log.samples or [], key=lambda one: int(one.id))
    replies = [[one.text for one in sample.messages if one.role == "assistant"] for sample in samples]
    written = sum(usage.output_tokens for sample in samples for usage in sample.model_usage.values())
    return {"seconds": seconds, "replies": replies, "written": written}


def built(given: dict[str, Any], greedy: bool) -> Model:
    """The model on the provider. A chat template writes the first token itself, and the provider would write it again:
    it is told not to, so that both sides read the same.
    """
    return get_model(
        "hf/agents",
        memoize=False,
        model_path=given["folder"],
        device="cpu",
        dtype="float32",
        do_sample=not greedy,
        tokenizer_call_args={"add_special_tokens": False},
    )


def serve(lines: Sequence[str] | Any, answers: Any) -> None:
    """`lines`: an iterator over standard input."""
    given = json.loads(next(lines))
    torch.set_num_threads(given["threads"])
    models = {greedy: built(given, greedy) for greedy in (False, True)}
    told = {"inspect_ai": inspect_ai.__version__, "torch": torch.__version__, "threads": torch.get_num_threads()}
    print(json.dumps(told), file=answers, flush=True)
    with tempfile.TemporaryDirectory() as logs:
        for line in lines:
            asked = json.loads(line)
            seconds, log = run(models[asked["greedy"]], given, asked["settings"], asked["agents"], logs)
            print(json.dumps(summary(seconds, log)), file=answers, flush=True)


def main() -> None:
    """First line: {"folder", "threads", "lines" (one list of user turns per agent), "max_tokens", "temperature",
    "top_k"}.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Inspect draws is no answer
    serve(iter(sys.stdin), answers)


if __name__ == "__main__":
    main()
