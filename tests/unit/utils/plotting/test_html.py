"""Pieces of pages: figures as people read them, bars of the right length, texts that stay texts."""

from __future__ import annotations

import pytest

from ultralytics.utils.plotting.html import Bar, figure, note, page, pairs, picture, section, stacks, table, tiles

NASTY = "<b>&\"'"
SAFE = "&lt;b&gt;&amp;&quot;&#x27;"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5000"),
        (-12.0, "-12.0000"),
        (1234.56, "1,234.6"),
        (float("nan"), "–"),
        (1234567, "1,234,567"),
        (True, "True"),
        (None, "None"),
        ("as it is", "as it is"),
    ],
)
def test_a_figure_is_written_for_people(value: object, text: str) -> None:
    assert figure(value) == text


def test_shares_and_bars_have_a_bar_and_other_numbers_none() -> None:
    html = table([{"a": 0.25, "b": Bar("7 MB", 0.5), "c": 7, "d": 1.5, "e": "text"}])
    assert '<td class=bar style="--share:0.2500">0.2500</td><td class=bar style="--share:0.5000">7 MB</td>' in html
    assert "<td class=number>7</td><td class=number>1.5000</td><td>text</td>" in html
    assert html.count("<th>") == 5


def test_the_columns_are_those_of_the_first_row() -> None:
    html = table([{"a": "1", "b": "2"}, {"b": "3", "c": "4"}])
    assert html.endswith("<tbody><tr><td>1</td><td>2</td></tr>\n<tr><td></td><td>3</td></tr>\n</tbody></table>")


def test_stacks_share_a_scale() -> None:
    html = stacks({"x": {"p": 1.0, "q": 3.0}, "y": {"p": 2.0, "q": 0.0}}, "ms")
    widths = [part.partition("%")[0] for part in html.split("width:")[1:]]
    assert widths == ["25.00", "75.00", "50.00", "0.00"]
    assert "4.0 ms" in html
    assert "2.0 ms" in html


def test_stacks_of_nothing_have_no_length() -> None:
    assert "width:0.00%" in stacks({"x": {"p": 0.0}}, "ms")


@pytest.mark.parametrize(
    "html",
    [
        page(NASTY, []),
        section(NASTY, ""),
        note(NASTY),
        tiles({NASTY: NASTY}),
        table([{NASTY: NASTY}]),
        table([{"a": Bar(NASTY, 1)}]),
        pairs({NASTY: NASTY}),
        stacks({NASTY: {NASTY: 1.0}}, NASTY),
        picture(b"data", "png", NASTY),
    ],
)
def test_every_text_is_escaped(html: str) -> None:
    assert SAFE in html
    assert NASTY not in html


def test_a_page_leaves_empty_sections_out() -> None:
    assert "\n\n" not in page("Title", ["", section("One", "body"), ""]).partition("<body>")[2]
