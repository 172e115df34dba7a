"""`groma check`: decide the claims of a file, for a build server."""

from __future__ import annotations

import datetime
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from groma.claims import Claim, Run, decide, exit_code, freeze, frozen, hold, read_claims, verdict_of
from groma.commands.binding import Draft, bound, drafted
from groma.commands.cast import Players
from groma.commands.console import Phases, err, no_effect, out, parse, told_anew
from groma.commands.players import CHOICES, check_player, named
from groma.commands.surveying import check_seed
from groma.formats.errors import BadConfig
from groma.formats.run_folder import RunFolder
from groma.measures.episodes import file_name
from groma.methods.keeping import stoppable
from groma.report.claims import VERDICTS, write_claims_page
from groma.report.verdicts import junit, markdown, sentences, table
from groma.studies.matrix import PLAYER, versions

JUNIT = "junit.xml"
LONGEST = 80
"""Letters of a claim's name in a file's name; its digest tells apart those that are alike."""
SUMMARY = "GITHUB_STEP_SUMMARY"
"""The environment variable in which a build server names the file of its summary."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """Decide the claims of a file: each is proved, holds, fails (with a counterexample), or is undecided.

    Exit code: 0 all hold or are proved, 1 one fails, 2 one is undecided or something was refused.
    """

    file: Annotated[Path, tyro.conf.Positional]
    """The claims, a .toml file; `groma claims init` writes one to begin with."""
    model: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")] = None
    """Who plays the assistant where a claim names no model of its own: a shipped model (vale), a folder, or a Hub
    id, as --player assistant=WHAT says, too.
    """
    out: Path = Path("runs/check")
    """Run folder to write: verdicts.json, junit.xml, report.html, and every reply."""
    seed: int = 0
    """Of items and samples. The same seed gives the same verdicts."""
    only: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME")] = ()
    """Only the claim of this name; may be given more than once. Its family is then what is left of it."""
    player: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME=WHAT")] = ()
    """NAME=WHAT, once for each player: who plays a role; WHAT as for groma survey."""
    lock: Path | None = None
    """A file, kept beside the claims, that holds them to what they were: written where there is none; later, a claim,
    list of items, way to ask, judge or other player that is another one is refused before anything is asked. The
    models that play the assistant may change.
    """
    resume: bool = False
    """Go on with an interrupted check of the same --out and the same claims."""
    fresh: bool = False
    """Remove an earlier run in --out first."""
    trust_remote_code: bool = False
    """Run Python code that a model's folder brings along. Off unless you trust it."""


def main(arguments: Sequence[str]) -> int:
    options = parse(Check, "check", arguments)
    check_seed(options.seed)
    if options.resume and options.fresh:
        raise BadConfig("--resume and --fresh contradict each other: go on, or begin anew")
    claims = _chosen(read_claims(options.file), options.only)
    others = named(options.player, "player", CHOICES)
    model = _assistant(options.model, others, claims)
    for what in others.values():
        check_player(what)
    drafts = [drafted(claim, model, others, options.seed) for claim in claims]
    _check_out(options)
    with stoppable() as stopped, Phases() as phases:
        cast = Players(others, RunFolder(options.out), options.seed, stopped, options.trust_remote_code)
        try:
            verdicts = _decided(drafts, cast, phases, options, arguments)
        finally:
            cast.close()
    return _finish(cast.folder, verdicts, cast)


def _chosen(claims: Sequence[Claim], only: Sequence[str]) -> list[Claim]:
    names = [claim.name for claim in claims]
    if unknown := [name for name in only if name not in names]:
        raise BadConfig(f"--only {unknown[0]}: there is no such claim; choose among {', '.join(names)}")
    return [claim for claim in claims if not only or claim.name in only]


def _assistant(model: str | None, others: dict[str, str], claims: Sequence[Claim]) -> str:
    """Who plays the assistant of the claims that do not say it themselves; it is taken out of `others`."""
    if model is not None and PLAYER in others:
        raise BadConfig(f"the assistant is named twice: name MODEL, or --player {PLAYER}=WHAT")
    found = model or others.pop(PLAYER, "")
    if found and all(claim.model for claim in claims):
        raise no_effect("player" if model is None else "model", found, "every claim names its own model")
    return found


def _check_out(options: Check) -> None:
    """Refuse the run folder before anybody is loaded; it is made once the lock is found to hold."""
    if not (options.resume and options.out.exists()):
        RunFolder.check_free(options.out, fresh=options.fresh)
    elif RunFolder.open(options.out).manifest().get("done"):
        raise BadConfig(
            f"--resume: the check in {options.out} is finished; look at {options.out / VERDICTS}, "
            "or begin anew with --fresh"
        )


def _folder(options: Check, arguments: Sequence[str], claims: Sequence[Claim]) -> RunFolder:
    """The run folder, made or gone on with."""
    words = [one for one in arguments if one not in ("--resume", "--fresh")]
    manifest = {
        "command": shlex.join(["groma", "check", *words]),
        "created": _now(),
        "versions": versions(),
        "seed": options.seed,
        "claims": [claim.name for claim in claims],
        "notes": [],
        "done": False,
    }
    if options.resume and not options.out.exists():
        told_anew(options.out)
    if not (options.resume and options.out.exists()):
        return RunFolder.create(options.out, manifest, fresh=options.fresh)
    return RunFolder.open(options.out)


def _decided(
    drafts: Sequence[Draft], cast: Players, phases: Phases, options: Check, arguments: Sequence[str]
) -> list[dict[str, Any]]:
    """Load, freeze, and only then ask; the verdicts, plain."""
    cast.load([what for draft in drafts for what in (draft.model, draft.rival_model) if what])
    bounds = [bound(draft, cast) for draft in drafts]
    lock = frozen(bounds, options.seed, _now())
    if options.lock is not None:
        hold(options.lock, lock)
    freeze(_folder(options, arguments, [draft.claim for draft in drafts]), lock)
    runs = decide(bounds, phases.show)
    for run in runs:
        _keep(cast.folder, run)
    return [verdict_of(run).to_dict() for run in runs]


def _keep(folder: RunFolder, run: Run) -> None:
    """Every episode of a claim, in item order, and whether it was read."""
    claim = run.bound.claim
    name = f"transcripts/{file_name(claim.name)[:LONGEST]}-{claim.digest()[:6]}.jsonl"
    folder.file(name).unlink(missing_ok=True)
    folder.append(name, *run.rows)


def _finish(folder: RunFolder, verdicts: Sequence[dict[str, Any]], cast: Players) -> int:
    folder.write_json(VERDICTS, list(verdicts))
    folder.write_text(JUNIT, junit(verdicts))
    folder.write_json("manifest.json", {**folder.manifest(), "notes": cast.notes(), "done": True})
    page = write_claims_page(folder.path)
    out.print(table(verdicts))
    for sentence in sentences(verdicts):
        out.print(sentence, markup=False)
    for note in cast.notes():
        err.print(f"note: {note}", markup=False)
    out.print(f"The page: {page.resolve()}", markup=False)
    if target := os.environ.get(SUMMARY):
        try:
            with Path(target).open("a", encoding="utf-8") as summary:
                summary.write(markdown(verdicts))
        except OSError as error:  # the verdict stands, and is what the build server reads
            err.print(f"note: the summary is not written to {target}: {error.strerror}", markup=False)
    return exit_code([one["verdict"] for one in verdicts])


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
