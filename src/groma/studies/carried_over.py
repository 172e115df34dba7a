"""What the page of the main job says first: what alignment carried over from the model to the system, and whether the
aligned model is easier to make orderly and harder to make chaotic. The studies `transfer` and `order_chaos`, on the
main job's own stages and fewer items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from groma.formats.run_folder import RunFolder
from groma.models.model import Model
from groma.studies.lab import Lab
from groma.studies.order_chaos import study as order_chaos
from groma.studies.progress import Progress
from groma.studies.transfer import study as transfer

FOUND, SAID = "findings", "carried-over"
QUESTIONS, INSTRUCTIONS, ERRANDS = 0.5, 0.25, 1.2
"""So many, for each request."""


def carried_over(
    load: Callable[[str], Model], reward: Path, folder: RunFolder, requests: int, seed: int
) -> Iterator[Progress]:
    """Measure what is not measured yet, and write what was found into the run folder. load: gives the stages by name;
    reward: the folder of RLHF's reward model.
    """
    lab = Lab(folder.file(SAID), seed)
    config = transfer.Config(
        requests=requests,
        questions=max(4, round(QUESTIONS * requests)),
        instructions=max(4, round(INSTRUCTIONS * requests)),
        errands=max(4, round(ERRANDS * requests)),
    )
    if not folder.file(f"{FOUND}/1-transfer.json").exists():
        found = yield from transfer.measured(lab, load, reward, config)
        folder.write_json(f"{FOUND}/1-transfer.json", transfer.summary({seed: found}).to_dict())
    if not folder.file(f"{FOUND}/2-order_chaos.json").exists():
        found = yield from order_chaos.measured(lab, load, config.errands)
        folder.write_json(f"{FOUND}/2-order_chaos.json", order_chaos.summary({seed: found}).to_dict())
