"""Frozen values that refuse bad input at birth: what all layers say to each other, and what is kept on disk."""

from groma.formats.constitution import Constitution, Principle, read_constitution
from groma.formats.dialogues import parse_dialogue, split_dialogue, split_pair
from groma.formats.errors import BadConfig, BadInput, GromaError, Unservable
from groma.formats.examples import Demonstration, Labelled, Loaded, Preference, PromptOnly, Stepwise, read_examples
from groma.formats.jsonl import read_rows, write_rows
from groma.formats.messages import ROLES, Message, Role, ToolCall, messages_from
from groma.formats.records import Case, Estimate, Record
from groma.formats.requests import (
    Act,
    Answered,
    Asked,
    Cost,
    Differentiate,
    Edit,
    Episode,
    Failed,
    Failure,
    Fork,
    Generate,
    Keep,
    Prompt,
    Read,
    Reply,
    Request,
    Score,
    Stop,
    Tool,
)
from groma.formats.run_folder import RunFolder
from groma.formats.task import Judgement, Pay, Posed, Split, Task
from groma.formats.transcript import Call, Played, Transcript
from groma.formats.whole import to_json, write_whole
from groma.formats.wire import from_plain, to_plain

__all__ = [
    "ROLES",
    "Act",
    "Answered",
    "Asked",
    "BadConfig",
    "BadInput",
    "Call",
    "Case",
    "Constitution",
    "Cost",
    "Demonstration",
    "Differentiate",
    "Edit",
    "Episode",
    "Estimate",
    "Failed",
    "Failure",
    "Fork",
    "Generate",
    "GromaError",
    "Judgement",
    "Keep",
    "Labelled",
    "Loaded",
    "Message",
    "Pay",
    "Played",
    "Posed",
    "Preference",
    "Principle",
    "Prompt",
    "PromptOnly",
    "Read",
    "Record",
    "Reply",
    "Request",
    "Role",
    "RunFolder",
    "Score",
    "Split",
    "Stepwise",
    "Stop",
    "Task",
    "Tool",
    "ToolCall",
    "Transcript",
    "Unservable",
    "from_plain",
    "messages_from",
    "parse_dialogue",
    "read_constitution",
    "read_examples",
    "read_rows",
    "split_dialogue",
    "split_pair",
    "to_json",
    "to_plain",
    "write_rows",
    "write_whole",
]
