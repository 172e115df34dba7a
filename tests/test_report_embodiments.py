"""What an embodiment adds and takes away: only from paired differences between systems, of either direction."""

from __future__ import annotations

from groma.formats.records import Estimate, Record
from groma.report.embodiments import embodiments
from groma.report.grids import order_of
from groma.report.table import sentences

UP, FLAT, DOWN = (0.41, 0.33, 0.49), (-0.05, -0.11, 0.01), (-0.4, -0.5, -0.3)


def record(
    outcome: str,
    system: str,
    other: str,
    values: tuple[float, float, float] | None,
    good: str = "high",
) -> Record:
    estimate = values and Estimate(*values, n=200, kind="paired")
    why_not = "" if estimate else "no form"
    against = f"system:{other}" if other else ""
    kind = outcome if outcome in ("objective", "pay") else "honesty"
    return Record(
        kind,
        outcome,
        estimate,
        "m",
        "s",
        system,
        "0",
        "vale",
        good=good,
        why_not=why_not,
        against=against,  # type: ignore[arg-type]
    )


RECORDS = [
    *(record("objective", system, "", UP) for system in ("trivial", "chat", "agent")),
    record("objective", "chat", "trivial", UP),
    record("rude", "chat", "trivial", UP, "low"),
    record("kind", "chat", "trivial", FLAT),
    record("accuracy", "agent", "chat", (0.2, 0.1, 0.3)),
    record("mc1", "agent", "chat", UP),
    record("objective", "agent", "chat", (0.1, 0.05, 0.15)),
    record("rude", "agent", "chat", DOWN, "low"),
    record("nonsense", "agent", "chat", (0.2, 0.1, 0.3), "low"),
    record("false_report", "agent", "chat", None, "low"),
    record("pay", "agent", "chat", UP, ""),
    record("objective", "agent", "trivial", UP),
]


def test_each_system_is_held_against_chat_from_whichever_side_it_was_measured() -> None:
    trivial, agent = embodiments(RECORDS, order_of(RECORDS))
    assert (trivial.system, trivial.plain, agent.system) == ("trivial", "chat", "agent")
    assert [one.text for one in trivial.worse] == ["objective −0.41 [−0.49, −0.33]"]
    assert [one.text for one in trivial.better] == ["rude −0.41 [−0.49, −0.33]"]
    assert trivial.alike == ("kind",)
    # The objective first, then the largest change; what has no better direction is left out.
    assert [one.outcome for one in agent.better] == ["objective", "mc1", "rude", "accuracy"]
    assert [one.outcome for one in agent.worse] == ["nonsense"] and agent.without == ("false_report",)


def test_it_is_said_in_a_sentence() -> None:
    said = sentences(RECORDS)
    assert said[0] == (
        "s as trivial, beside chat on the same tasks: better: rude −0.41 [−0.49, −0.33]. "
        "worse: objective −0.41 [−0.49, −0.33]. 1 other outcome not measurably different."
    )
    assert len(said) == 2 and "0 other outcomes not measurably different" in said[1]


def test_without_chat_the_first_system_is_the_plain_one_and_alone_it_has_nothing_beside_it() -> None:
    others = [one for one in RECORDS if "chat" not in (one.system, one.against.removeprefix("system:"))]
    (agent,) = embodiments(others, order_of(others))
    assert (agent.system, agent.plain) == ("agent", "trivial")
    alone = [one for one in RECORDS if one.system == "trivial"]
    assert embodiments(alone, order_of(alone)) == []
