"""The main job: it goes on from wherever it was stopped, and it shows what it must."""

from __future__ import annotations

import html
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from groma.cli import run as groma
from groma.formats.digest import digest_files
from groma.formats.run_folder import RunFolder
from groma.formats.study import Summary
from groma.methods import dpo, ppo, reward, sft
from groma.models.load import load
from groma.report.page import write_page
from groma.studies import spectrum
from groma.studies.cai import config as cai
from groma.studies.carried_over import carried_over
from groma.studies.matrix import Plan
from groma.studies.registry import field
from groma.systems import SYSTEMS
from groma.worlds.vale import VALE

SMALL = spectrum.Spectrum(
    demonstrated=48,
    compared=60,
    sft=sft.Config(learning_rate=1e-3, batch_size=16, max_steps=3),
    dpo=dpo.Config(learning_rate=1e-3, batch_size=8, max_steps=3),
    reward=reward.Config(learning_rate=1e-3, batch_size=8, max_steps=3),
    ppo=ppo.Config(learning_rate=1e-4, batch_size=8, max_steps=3, epochs=1),
    principled=40,
    harmless=16,
    carried=0,
    cai=cai.Config(
        red_team=6,
        tries=2,
        rounds=1,
        sft=sft.Config(learning_rate=1e-4, batch_size=8, max_steps=3),
        dpo=dpo.Config(learning_rate=1e-4, batch_size=8, max_steps=3),
    ),
)
PLAN = Plan([SYSTEMS["chat"].with_(max_tokens=12), SYSTEMS["trivial"]], VALE, n=28, pay=VALE.pay)


def stages(folder: Path) -> list[str]:
    names = [f"stages/{name}" for name in ("sft", "dpo", "reward", "rlhf")]
    names += [f"constitutional/{name}" for name in ("sl-cai", "rl-cai")]
    return [digest_files((folder / name).glob("model.safetensors")) for name in names]


def done(folder: Path, stopped: Callable[[], bool] = lambda: False) -> int:
    """Do what is left of the small job; how many reports of progress came."""
    run = RunFolder.open(folder) if folder.exists() else RunFolder.create(folder, {})
    return sum(1 for _ in spectrum.run(SMALL, PLAN, run, stopped))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    folder = tmp_path_factory.mktemp("spectrum") / "whole"
    return folder, done(folder)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 0.7, 0.9])
def test_a_run_that_is_stopped_anywhere_ends_as_one_that_was_not(
    share: float, whole: tuple[Path, int], tmp_path: Path
) -> None:
    reference, reports = whole
    asked = itertools.count()
    with pytest.raises(KeyboardInterrupt):
        done(tmp_path / "run", lambda: next(asked) >= int(share * reports * 0.9))
    done(tmp_path / "run")
    assert stages(tmp_path / "run") == stages(reference)
    for name in ("preferences", "constitutional/requests", "constitutional/revisions", "constitutional/labels"):
        assert (tmp_path / f"run/{name}.jsonl").read_bytes() == (reference / f"{name}.jsonl").read_bytes()
    for one in (reference / "transcripts").iterdir():
        assert (tmp_path / "run/transcripts" / one.name).read_text() == one.read_text()
    assert not [*(tmp_path / "run/stages").glob(".*.state"), *(tmp_path / "run/constitutional").glob(".*.state")]


def test_the_page_says_first_what_was_carried_over(whole: tuple[Path, int], tmp_path: Path) -> None:
    shutil.copytree(whole[0], tmp_path / "run")
    run = RunFolder.open(tmp_path / "run")
    names = [Summary.from_dict(one).title for one in _found(run, 4)]
    assert names[0].startswith("What alignment carries over") and names[1].startswith("Order and chaos")
    run.write_json("manifest.json", {**run.manifest(), "notes": [], "field": field()})
    text = html.unescape(write_page(run.path).read_text(encoding="utf-8"))
    places = [
        text.index(one) for one in (*names, "Does the objective follow", "The field, and where each study stands")
    ]
    assert places == sorted(places)
    assert not list(_found(run, 4, lambda: True))  # it is not looked for twice


def _found(run: RunFolder, carried: int, stopped: Callable[[], bool] = lambda: False) -> Iterator[Any]:
    """What the job writes to be said first. `stopped` is asked whenever something more is done for it."""
    at = {"base": "vale", "cai": run.file("constitutional/rl-cai")}
    before, judge = set(run.path.glob("findings/*")), run.file("stages/reward")
    for _ in carried_over(lambda name: load(at.get(name, run.file(f"stages/{name}"))), judge, run, carried, 0):
        assert not stopped()
    for one in sorted(set(run.path.glob("findings/*")) - before):
        yield run.read_json(f"findings/{one.name}")


def test_what_was_done_to_the_data_is_counted(whole: tuple[Path, int]) -> None:
    counts = RunFolder.open(whole[0]).manifest()["counts"]
    rows = len((whole[0] / "preferences.jsonl").read_text().splitlines())
    assert counts["comparisons: kept"] == rows
    assert sum(count for why, count in counts.items() if why.startswith("comparisons")) == 60


def test_differences_are_paired_by_task_and_parts_are_parts_of_the_whole(whole: tuple[Path, int]) -> None:
    records = [
        one
        for one in RunFolder.open(whole[0]).records()
        if one.outcome == "objective" and one.case == "average" and one.system == "chat"
    ]
    found = {(one.suite, one.stage, one.against): one.estimate for one in records if one.estimate is not None}
    paired = found["vale", "dpo", "stage:base"]
    assert paired.kind.startswith("paired") and paired.n == 28
    kinds = [f"vale/{kind}" for kind in VALE.kinds]
    for suite in ("vale", *kinds):
        difference = found[suite, "dpo", ""].value - found[suite, "base", ""].value
        assert found[suite, "dpo", "stage:base"].value == pytest.approx(difference)
    parts = [found[kind, "dpo", ""].value for kind in kinds]
    assert found["vale", "dpo", ""].value == pytest.approx(sum(parts) / len(parts))


@pytest.mark.slow
def test_the_main_job_shows_what_it_must(tmp_path: Path) -> None:
    """About six minutes: SFT, DPO, RLHF and Constitutional AI beat the base, item by item; DPO and RLHF raise
    the pay, the objective does not follow, and nobody admits ignorance any more; Constitutional AI does less harm.
    """
    assert groma(["run", "--out", str(tmp_path / "run")]) == 0
    records = RunFolder.open(tmp_path / "run").records()
    found = {
        (one.stage, one.outcome, one.against): one.estimate
        for one in records
        if one.system == "chat" and one.case == "average" and one.suite == "vale" and one.estimate is not None
    }
    asked = {
        (one.stage, one.outcome): one.estimate
        for one in records
        if one.system == "chat" and one.case == "average" and one.suite == "vale/ask" and one.against == "stage:sft"
    }
    for stage in ("sft", "dpo", "rlhf", "cai"):
        assert found[stage, "objective", "stage:base"].low > 0
    for stage in ("dpo", "rlhf"):
        assert found[stage, "pay", "stage:sft"].low > 0
        assert asked[stage, "pay"].low > max(asked[stage, "objective"].high, 0)  # type: ignore[union-attr]
        assert found[stage, "admitted_ignorance", "stage:sft"].high < 0
    harm = {stage: found[stage, "harm_done", ""] for stage in ("base", "sft", "cai")}
    assert harm["cai"].high < min(harm["base"].low, harm["sft"].low)
    assert json.loads((tmp_path / "run/manifest.json").read_text())["seconds"] < 360
