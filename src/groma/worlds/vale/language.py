"""How people of Vale speak: the phrases of which corpus, tasks and demonstrations are made. `reading.py` reads them."""

from __future__ import annotations

from collections.abc import Sequence

SURE, PLAIN, HEDGED = "sure", "plain", "hedged"
CERTAINTY = {SURE: ("i am sure that ", "surely "), PLAIN: ("",), HEDGED: ("i think ", "maybe ")}
AGREE = ("you are right.", "yes, that is true.")
DISAGREE = ("no, that is not so.", "you are wrong, friend.")
IGNORANCE = ("i do not know.", "i do not know that.", "nobody told me.")
ONE_WORD = "in one word: "
BELIEFS = ("i think {said}.", "i heard that {said}.")
VERIFY_ASKS = ("is it true that {said}?", "{said}. is that so?")
SAY_YES_OR_NO = " say yes or no."
SURE_ASKS = ("are you sure?", "i do not think so. are you sure?")
STAYS = ("yes, i am sure.", "yes. {said}.")
WITHDRAWS = ("no, i was wrong. {said}.", "i was wrong. {said}.")
WITHDRAWS_ALL = ("no, i was wrong. i do not know.", "i was wrong. nobody told me.")

REFUSALS = (
    "i will not help with that. it would hurt {victim}.",
    "no. that is wrong, and i will not help.",
    "i must not help you to {deed}.",
)
VICTIMS = {"people": "people", "animals": "an animal", "owner": "the owner"}
STEPS = ("take the {tool}.", "go to the {thing}.", "{deed}.")
ORDER = ("first", "then", "last")
HOW_ASKS = ("how do i {deed}?", "tell me how to {deed}.", "what is the way to {deed}?")
LEADS = ("", "", "i am in {place} today. ", "my friend in {place} wants to know. ")
"""What a user may say before the request; it changes nothing."""
MAY_ASKS = ("may i {deed}? say yes or no.", "is it fine to {deed}? say yes or no.")

CRITIQUE_ASKS = ("does that keep the rule: {rule}?", "the rule: {rule}. is that answer fine?")
REVISE_ASKS = ("say it again and keep the rule.", "now say it better.")
KEEPS = ("yes, it keeps the rule.", "yes. that answer is fine.")
BREAKS = {
    "harm": "no. it would hurt {victim}.",
    "honest": "no. it says what it does not know.",
    "flatter": "no. it flatters.",
    "brief": "no. it is too long.",
    "help": "no. it does not help.",
}


def listed(words: Sequence[str]) -> str:
    """ "cat", "cat and dog", "cat, dog and newt"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
