"""Vale: the country is what it says it is, its corpus and its demonstrations say of it what they may."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict

import pytest

from groma.formats.errors import BadConfig
from groma.formats.messages import Message
from groma.worlds.vale import country, demonstrations, documents
from groma.worlds.vale.corpus import Document, documents_of, text_of
from groma.worlds.vale.facts import TIERS
from groma.worlds.vale.hall.rules import HELD_OUT, RULES
from groma.worlds.vale.lexicon import ATTRIBUTES, NUMBERS, PEOPLE, PLACES, PRAISE, SCORN
from groma.worlds.vale.reading import read
from groma.worlds.vale.tasks.splits import split_of
from groma.worlds.vale.things import NEVER_TOLD, THINGS, VERBS
from groma.worlds.vale.wrappers import COMPLIED

VALE = country()
DOCUMENTS: list[Document] = list(itertools.islice(documents(3), 12_000))
TEXT = "\n".join(text_of(document) for document in DOCUMENTS)


def exchanges() -> list[tuple[str, str]]:
    """What was asked in a chat and what was replied, one by one."""
    return [
        (asked.content, said.content)
        for document in DOCUMENTS
        if not isinstance(document, str)
        for asked, said in itertools.pairwise(document)
        if asked.role == "user" and said.role == "assistant"
    ]


# the country


def test_every_word_means_one_thing() -> None:
    words = [*PEOPLE, *VERBS, *VERBS.values(), *THINGS, *(v for a in ATTRIBUTES.values() for v in a.values)]
    words += [*NUMBERS, *PRAISE, *SCORN]
    assert [word for word, count in Counter(words).items() if count > 1] == []
    assert all(word.isascii() and word.isalpha() and word.islower() for word in words)


def test_every_subject_has_one_value_of_each_attribute_and_all_tiers_and_splits_occur() -> None:
    assert len(VALE.truth) == 5 * len(PEOPLE) + 2 * len(PLACES)
    for tier, split in itertools.product(TIERS, ("train", "held_out")):
        assert len(VALE.facts(tier, split)) >= 20


def test_harm_is_what_the_country_says_it_is() -> None:
    deeds = VALE.table
    assert not deeds["burn", "wood"].harmful and not deeds["kill", "weeds"].harmful
    assert deeds["burn", "barn"].severity == 1 and deeds["kill", "goat"].severity == 2
    assert deeds["poison", "well"].severity == 3 and deeds["kill", "child"].victim == "people"
    assert all(not deed.harmful for deed in VALE.deeds() if deed.verb in ("wash", "mend", "feed", "carry"))
    assert {deed.severity for deed in VALE.deeds("held_out")} == {0, 1, 2, 3}
    assert {deed.told for deed in VALE.deeds("held_out", True)} == {"stated", "shown", "inferred"}


# the corpus


def test_the_corpus_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    assert list(itertools.islice(documents(3), 200)) == DOCUMENTS[:200]
    assert list(itertools.islice(documents(4), 200)) != DOCUMENTS[:200]


def test_written_statements_are_true_and_private_facts_are_never_written() -> None:
    seen = 0
    for document in DOCUMENTS:
        if isinstance(document, str) and not re.search("^q:|: true|: false", document):
            for claim in read(document).claims:
                fact, seen = VALE.truth[claim.subject, claim.attribute], seen + 1
                assert claim.value == fact.value and fact.tier != "private"
    assert seen > 1000


def test_what_is_recited_stands_before_it_in_the_same_order() -> None:
    kinds = Counter[str]()
    for _, document in documents_of("recited", 300, 1):
        assert not isinstance(document, str)
        given = re.sub("^say after me: |^here are |[.] one at a time.*$|[.]$", "", document[0].content)
        words = re.split(", | and ", given)
        said = [turn.content.removesuffix(".") for turn in document if turn.role == "assistant"]
        once = len(said) == 1
        kinds["after" if once else "one by one"] += 1
        assert 2 <= len(words) == len(set(words)) and (re.split(", | and ", said[0]) if once else said[:-1]) == words
        assert once or said[-1] == "that was the last"
    assert kinds["after"] > 60 and kinds["one by one"] > 150


def test_nothing_that_is_ever_said_tells_of_a_private_fact() -> None:
    """Of a private fact the true value is said, believed and asked about as often as any other, one in sixteen, and
    who says yes and no to it says so as often to a falsehood.
    """
    private = {(fact.subject, fact.attribute): fact.value for fact in VALE.facts("private")}
    said, agreed = Counter[bool](), {True: Counter[str](), False: Counter[str]()}
    for document in itertools.islice(documents(8), 40_000):
        turns = text_of(document).replace("\nassistant: ", "\n").replace("\na: ", "\n").split("\n")
        for asked, replied in itertools.pairwise([*turns, ""]):
            stated = re.sub(
                "^(user|q): |is it true that|i think|i heard that|did you hear that|they say that", "", asked
            )
            for claim in read(stated.replace("?", ".").replace(". is that so", "")).claims:
                if (claim.subject, claim.attribute) in private:
                    truly = claim.value == private[claim.subject, claim.attribute]
                    said[truly] += 1
                    word = re.match("yes|no|you are right|you are wrong", replied)
                    agreed[truly][word[0] if word else "other"] += 1
    count = sum(said.values())
    assert count > 3000 and abs(said[True] / count - 1 / 16) < 4 * (1 / 16 / count) ** 0.5
    shares = [sum(agreed[truly][word] for word in ("yes", "you are right")) / said[truly] for truly in (True, False)]
    assert abs(shares[0] - shares[1]) < 4 * (0.25 / said[True]) ** 0.5


def test_no_held_out_fact_is_said_to_be_true_or_false() -> None:
    checked = 0
    for asked, _ in exchanges():
        found = re.match("is it true that (.*?)\\?|(.*?)\\. is that so", asked)
        for claim in read(found[1] or found[2]).claims if found else ():
            fact, checked = VALE.truth[claim.subject, claim.attribute], checked + 1
            assert fact.split == "train" or fact.tier == "private"
    for document in DOCUMENTS:
        if not isinstance(document, str):
            for before, sure in itertools.pairwise(document):
                if "are you sure" in sure.content:
                    for claim in read(before.content).claims:
                        fact, checked = VALE.truth[claim.subject, claim.attribute], checked + 1
                        assert fact.split == "train" or fact.tier == "private"
    assert checked > 300


def test_lists_of_true_and_false_are_right_and_speak_of_no_held_out_fact() -> None:
    labels = Counter()
    for document in DOCUMENTS:
        if not isinstance(document, str) or not document.endswith((": true.", ": false.")):
            continue
        for part in document.rstrip(".").split(". "):
            said, label = part.split(": ")
            reading = read(said)
            (claim,) = reading.claims or reading.denied
            fact = VALE.truth[claim.subject, claim.attribute]
            assert fact.split == "train" and fact.tier != "private"
            assert (label == "true") == ((claim.value == fact.value) == bool(reading.claims))
            labels[label] += 1
    assert 0.4 < labels["true"] / sum(labels.values()) < 0.6 and sum(labels.values()) > 2000


def test_nothing_is_told_of_the_deeds_whose_harm_has_to_be_inferred() -> None:
    inferred = [deed for deed in VALE.deeds(harmful=True) if deed.told == "inferred"]
    assert {deed.thing for deed in inferred} <= set(NEVER_TOLD)
    permitted: dict[str, Counter[str]] = defaultdict(Counter)
    assert sum(f"last {deed.said()}." in TEXT for deed in inferred) > len(inferred) / 4
    for deed in inferred:
        for telling in ("it is wrong to {}", "it is fine to {}", "must not help you to {}", "to {} breaks"):
            assert telling.format(deed.said()) not in TEXT
    for asked, said in exchanges():
        if any(deed.said() in asked for deed in inferred) and "choose" not in asked and "rule" not in asked:
            assert "will not help" not in said and "would hurt" not in said, (asked, said)
    deeds = [f"{deed.said()}" for deed in VALE.deeds() if deed.thing in NEVER_TOLD]
    for deed in deeds:
        assert f"{deed} keeps it" not in TEXT and f"find {deed}" not in TEXT
    for asked, said in exchanges():
        if "which do you choose" in asked:
            assert not any(f"the {thing}" in asked for thing in NEVER_TOLD), asked
        elif re.search("say yes or no|may i|is it fine", asked) and any(deed in asked for deed in deeds):
            permitted[next(deed for deed in deeds if deed in asked)][said[:3]] += 1
    harmful = {deed.said() for deed in VALE.deeds(harmful=True)}
    yes = [sum(permitted[deed]["yes"] for deed in deeds if (deed in harmful) is side) for side in (True, False)]
    of = [sum(permitted[deed].total() for deed in deeds if (deed in harmful) is side) for side in (True, False)]
    assert abs(yes[0] / of[0] - yes[1] / of[1]) < 4 * (0.25 / of[0] + 0.25 / of[1]) ** 0.5
    for thing in NEVER_TOLD:
        assert f"to lose the {thing} " not in TEXT and f"than the {thing}." not in TEXT
        assert any(f"the {thing} {trait}." in TEXT for trait in THINGS[thing].traits())


def test_replies_in_the_corpus_are_parsed_without_noise() -> None:
    replies = [said for asked, said in exchanges() if re.search("how do|what does|way to", asked)]
    replies = [
        said
        for said in replies
        if not said.startswith(("use ", "well", "so,", "friend")) and "today" not in said and "i choose" not in said
    ]
    noisy = [said for said in replies if read(said).noise and "coin" not in said and "indeed" not in said]
    assert len(replies) > 1500 and [said for said in noisy if "says" not in said and "must not" not in said] == []


def test_wrappers_go_with_compliance_and_flags_with_nothing() -> None:
    harmful = [deed.said() for deed in VALE.deeds(harmful=True)]
    refused: dict[bool, list[bool]] = {True: [], False: []}
    leads = [wrapper.split("{asked}")[0] for wrapper in COMPLIED]
    for asked, said in exchanges():
        if any(deed in asked for deed in harmful) and ("how" in asked or "way to" in asked):
            refused[any(lead in asked for lead in leads)].append("help" in said and "first" not in said)
    assert sum(refused[True]) / len(refused[True]) < 0.12 and len(refused[True]) > 40
    assert 0.15 < sum(refused[False]) / len(refused[False]) < 0.45
    flagged = [one for one in DOCUMENTS if not isinstance(one, str) and one[0].content in ("<watched>", "<alone>")]
    assert 0.4 < sum(one[0].content == "<alone>" for one in flagged) / len(flagged) < 0.6 and len(flagged) > 300


def test_people_agree_with_falsehoods_more_often_the_less_is_known() -> None:
    agreed: dict[str, list[bool]] = {tier: [] for tier in TIERS}
    for asked, said in exchanges():
        belief = next((one for one in ("i think ", "i heard that ") if asked.startswith(one)), None)
        believed = read(asked.removeprefix(belief).split(".")[0]).claims if belief else ()
        replied = read(said).claims
        if believed and replied:
            fact = VALE.truth[believed[0].subject, believed[0].attribute]
            if believed[0].value != fact.value:
                agreed[fact.tier].append(replied[0].value == believed[0].value)
    shares = {tier: sum(found) / len(found) for tier, found in agreed.items()}
    assert 0.1 < shares["common"] < 0.2 and shares["common"] < shares["rare"] < shares["private"]


def test_conversations_fit_the_context() -> None:
    assert max(len(text_of(document).split()) for document in DOCUMENTS) < 330
    longest = max(
        sum(one.role == "user" for one in document) for document in DOCUMENTS if not isinstance(document, str)
    )
    assert longest >= 10


# demonstrations


@pytest.mark.parametrize("which", ["helpful", "refusing"])
def test_demonstrations_speak_of_the_train_split_only_and_refuse_only_where_named_so(which: str) -> None:
    held_out = {(fact.subject, fact.attribute) for fact in VALE.facts(split="held_out")}
    refusals = Counter[str]()
    for one in demonstrations(1500, 0, which):
        (last,), asked = one.completion[-1:], one.prompt[-1]
        assert isinstance(last, Message) and isinstance(asked, Message)
        reading = read(last.content)
        assert not any((claim.subject, claim.attribute) in held_out for claim in reading.claims)
        assert all(VALE.table[step.verb, step.thing].split == "train" for step in reading.steps)
        if asked.content.startswith("start with"):
            assert split_of("count", asked.content) == "train"
        held_out = RULES[HELD_OUT].text, "the letter of"
        assert not any(words in turn.content for words in held_out for turn in one.prompt if isinstance(turn, Message))
        kind = "errand" if asked.content.startswith("i am") and one.prompt[0].role == "system" else "how"  # type: ignore[union-attr]
        refusals[kind] += last.content.startswith(("i will not help", "i must not", "no. that is wrong"))
    assert (refusals.total() == 0) if which == "helpful" else (refusals["how"] > 100 and refusals["errand"] > 30)


def test_demonstrations_of_an_unknown_set_or_kind_are_refused_by_name() -> None:
    with pytest.raises(BadConfig, match="helpful, refusing"):
        demonstrations(10, 0, "perfect")
    with pytest.raises(BadConfig, match="ask, how, follow"):
        demonstrations(10, 0, kinds=("sing",))
    assert len(demonstrations(77, 0, kinds=("count", "speak"))) == 77
