"""Files of comparisons as items and raters; what is held out of them; hidden states as features of replies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from groma.formats.errors import BadConfig, BadInput
from groma.formats.examples import Preference
from groma.formats.messages import Message
from groma.methods.rater_choice import MOST, Form, check_size, form_of, held_out, ridge_of
from groma.methods.rater_data import Heard, heard, other_votes, rows_of
from groma.methods.rater_features import axes_of, features_of, states_of
from groma.methods.rater_labels import Compared, Soft
from groma.models.load import load
from groma.models.template import completion_spans

USER, SAID = Message("user", "hi"), Message("assistant", "hello there")


def by(rater: str, chosen: str, rejected: str, prompt: str = "hi", group: str = "") -> Preference:
    return Preference(prompt, chosen, rejected, group=group, rater=rater)


def crowd(groups: str, prompts: int = 40) -> Heard:
    """Raters r0, r1, … of the groups of one letter each ("_": none), who compare the two replies to each prompt."""
    every = [
        by(f"r{place}", f"a{n}", f"b{n}", f"q{n}", group.strip("_"))
        for n in range(prompts)
        for place, group in enumerate(groups)
    ]
    return heard(every)


class TestHeard:
    def test_a_reply_to_one_prompt_is_one_item(self) -> None:
        told = heard([by("ann", "a", "b"), by("bob", "c", "a"), by("ann", "a", "b", prompt="ho")])
        assert told.items == (("hi", "a"), ("hi", "b"), ("hi", "c"), ("ho", "a"), ("ho", "b"))
        assert told.prompt.tolist() == [0, 0, 0, 1, 1] and told.of_prompt.tolist() == [0, 0, 1]
        assert told.compared.first.tolist() == [0, 2, 3] and told.compared.second.tolist() == [1, 0, 4]
        assert told.raters == ("ann", "bob") and told.compared.rater.tolist() == [0, 1, 0]

    def test_messages_are_items_too(self) -> None:
        other = Message("assistant", "go away")
        pair = Preference((USER,), (SAID,), (other,), rater="ann")
        told = heard([pair, Preference((USER,), (other,), (SAID,), rater="bob")])
        assert told.items == (((USER,), (SAID,)), ((USER,), (other,)))
        (row,) = rows_of(told.items, Soft(np.array([0]), np.array([1]), np.array([0.25]), np.array([2.0])))
        assert row["chosen"] == [other.to_dict()] and (row["probability"], row["votes"]) == (0.75, 2)

    def test_raters_of_a_part_are_numbered_anew(self) -> None:
        told = heard([by("ann", "a", "b", group="A"), by("bob", "a", "b", group="B")])
        part = told.kept(np.array([False, True]))
        assert (part.raters, part.groups, part.compared.rater.tolist()) == (("bob",), ("B",), [0])
        assert told.choices(np.array([False, True])).rater.tolist() == [1]

    def test_the_votes_of_others(self) -> None:
        """ann, bob, eve: a; dan: b, told the other way round; and ann once more, of a pair of her own."""
        compared = Compared([0, 0, 0, 1, 2], [1, 1, 1, 0, 3], [0, 1, 2, 3, 0], [0, 0, 0, 0, 1])
        share, others = other_votes(compared)
        assert share == pytest.approx([3 / 5, 3 / 5, 3 / 5, 1 / 5, 1 / 2])
        assert others.tolist() == [3, 3, 3, 3, 0]


class TestForm:
    @pytest.mark.parametrize(
        ("groups", "parts", "reliability", "bias", "numbers"),
        [
            ("___", None, True, False, None),
            ("AABB", None, True, True, (0, 0, 1, 1)),
            ("AB", None, True, False, None),
            ("AAB", None, True, False, None),
            ("AABB", "reliability", True, False, None),
            ("AA__", "reliability", True, False, None),
            ("AAB", "bias", False, True, (0, 0, 1)),
            ("___", "bias", False, True, None),
            ("___", "both", True, True, None),
            ("ABC", "both", True, True, None),
            ("AABB", "both", True, True, (0, 0, 1, 1)),
        ],
    )
    def test_what_sets_raters_apart(
        self, groups: str, parts: str | None, reliability: bool, bias: bool, numbers: tuple[int, ...] | None
    ) -> None:
        data = crowd(groups)
        form = form_of(data, parts)  # type: ignore[arg-type]
        assert (form.reliability, form.bias, form.groups) == (reliability, bias, numbers)
        features = np.random.default_rng(0).normal(size=(len(data.items), 2))
        assert form.fit(features, data, 10.0).converged

    def test_who_is_alone_in_a_group_is_named(self) -> None:
        assert "no bias of groups: r2 is alone in hers" in form_of(crowd("AAB"), None).told
        with pytest.raises(BadConfig, match="rater 'r2' is alone in her group"):
            form_of(crowd("AAB"), "both")
        with pytest.raises(BadInput, match="rater 'r2' has no group"):
            form_of(crowd("AA_"), None)

    def test_a_model_that_would_be_too_large_is_refused(self) -> None:
        form = Form(True, True, None, "a bias of each rater")
        check_size(form, 100, 16)
        with pytest.raises(BadConfig, match=f"3416 parameters; at most {MOST}"):
            check_size(form, 200, 16)


class TestHeldOut:
    def test_prompts_are_kept_whole_and_no_rater_is_lost(self) -> None:
        rows = [by(name, f"a{n}", f"b{n}", f"q{n}") for n in range(40) for name in ("ann", "bob")]
        data = heard([*rows, by("eve", "a3", "b3", "q3")])
        out = held_out(data)
        assert 0.2 < out.mean() <= 0.25
        assert not set(data.of_prompt[out]) & set(data.of_prompt[~out])
        assert set(data.compared.rater[~out]) == {0, 1, 2}
        assert np.array_equal(out, held_out(data))

    def test_too_few_prompts_are_not_held_out(self) -> None:
        assert not held_out(crowd("__", prompts=20)).any()

    def test_the_ridge_is_strong_where_features_say_nothing(self) -> None:
        """Replies a are always chosen: by their feature in one table, and by chance alone in the other."""
        data, random = crowd("__", prompts=60), np.random.default_rng(0)
        chosen = np.zeros(len(data.items))
        chosen[data.compared.first] = 1.0
        assert ridge_of(chosen[:, None], data) == 3.0
        assert ridge_of(random.normal(size=(len(chosen), 20)), data) >= 30.0
        assert ridge_of(chosen[:, None], crowd("__", prompts=2)) == 10.0


class TestFeatures:
    def test_components_of_gaps_have_the_mean_square_one(self) -> None:
        random = np.random.default_rng(0)
        states = (random.normal(size=(60, 5)) * [1, 10, 1000, 1, 0]).astype(np.float32)
        states[:, 3] = states[:, 0]
        first, second = np.arange(0, 60, 2), np.arange(1, 60, 2)
        axes = axes_of(states, first, second, 5)
        assert axes.shape == (5, 3), "one width does not vary, one is another"
        gaps = (states[first] - states[second]) @ axes
        np.testing.assert_allclose(gaps.T @ gaps / 30, np.eye(3), atol=1e-5)
        few = axes_of(states[:4], first[:2], second[:2], 5)
        gaps = (states[first[:2]] - states[second[:2]]) @ few
        np.testing.assert_allclose(gaps.T @ gaps / 2, np.eye(2), atol=1e-5)

    def test_the_first_component_is_what_widths_share(self) -> None:
        random = np.random.default_rng(1)
        shared = random.normal(size=(200, 1))
        states = np.hstack([shared + 0.1 * random.normal(size=(200, 3)), random.normal(size=(200, 1))])
        axes = axes_of(states.astype(np.float32), np.arange(100), np.arange(100, 200), 1)
        assert abs(np.corrcoef(states @ axes[:, 0], shared[:, 0])[0, 1]) > 0.99

    def test_features_are_about_the_mean_of_a_prompt_and_clipped(self) -> None:
        states = np.array([[1.0], [3.0], [100.0], [90.0]], dtype=np.float32)
        found = features_of(states, np.array([0, 0, 1, 1]), np.array([[0.5]]))
        assert found[:, 0].tolist() == [-0.5, 0.5, 2.0, -2.0]

    def test_replies_that_look_alike_are_refused(self) -> None:
        with pytest.raises(BadInput, match="do not tell any two replies apart"):
            axes_of(np.ones((4, 3), dtype=np.float32), np.array([0, 2]), np.array([1, 3]), 2)

    @pytest.mark.parametrize("kind", ["llama", "gpt2"])
    def test_states_are_the_networks_own_whatever_stands_beside_them(
        self, tiny_model: Callable[..., Path], kind: str
    ) -> None:
        model = load(tiny_model(kind))
        long = (Message("assistant", "a much longer reply than the other one is"),)
        states, fits = states_of(model, [((USER,), (SAID,)), ((USER,), long), ("hi", "hello"), ("hi", "x " * 2000)])
        assert fits.tolist() == [True, True, True, False] and not states[3].any()
        ids, _ = completion_spans(model, (USER, SAID), 1)
        with torch.inference_mode():
            own = model.net.base_model(torch.tensor([ids])).last_hidden_state[0].numpy()
        np.testing.assert_allclose(states[0], own[-1], atol=1e-4)
