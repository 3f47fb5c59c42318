"""Pieces of self-contained HTML pages: a frame with its style, sections, tiles, tables with bars, pictures.

A page holds everything it shows, needs no script, and follows the reader's light or dark theme. Every text is escaped
here, so callers pass names and messages as they are.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any


@dataclass(frozen=True, slots=True)
class Bar:
    """A cell with a bar behind its text.

    Attributes:
        text: what is written.
        share: length of the bar, from 0 to 1.
    """

    text: str
    share: float


def page(title: str, sections: Iterable[str]) -> str:
    """Make a whole page of sections; empty ones are left out."""
    return (
        f"<!doctype html>\n<html lang=en>\n<head><meta charset=utf-8><title>{escape(title)}</title>\n"
        f'<meta name=viewport content="width=device-width, initial-scale=1">\n<style>{_CSS}</style></head>\n'
        f"<body><main>\n<h1>{escape(title)}</h1>\n" + "\n".join(filter(None, sections)) + "\n</main></body></html>\n"
    )


def section(title: str, body: str) -> str:
    """Put HTML under a heading."""
    return f"<section><h2>{escape(title)}</h2>\n{body}</section>"


def note(text: str) -> str:
    """Write a paragraph that steps back."""
    return f"<p class=note>{escape(text)}</p>"


def tiles(figures: Mapping[str, Any]) -> str:
    """Show a few figures large, each with its name below."""
    shown = (
        f"<div class=tile><b>{escape(figure(value))}</b><span>{escape(name)}</span></div>"
        for name, value in figures.items()
    )
    return f"<div class=tiles>{''.join(shown)}</div>"


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay rows out, in the columns of the first; a `Bar`, and a share of one, has a bar behind it."""
    head = "".join(f"<th>{escape(str(column))}</th>" for column in rows[0])
    body = "".join("<tr>" + "".join(_cell(row.get(column, "")) for column in rows[0]) + "</tr>\n" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


def stacks(rows: Mapping[str, Mapping[str, float]], unit: str) -> str:
    """Draw a bar per row, joined of its parts, all to one scale.

    Args:
        rows: lengths by name of the part, by name of the row; all rows have the same parts.
        unit: of the lengths.
    """
    longest = max(sum(parts.values()) for parts in rows.values()) or 1.0
    names = list(next(iter(rows.values())))
    legend = "".join(f"<span class=chip><i class=part{i}></i>{escape(name)}</span>" for i, name in enumerate(names))
    lines = "".join(
        f"<tr><th>{escape(row)}</th><td class=stack>{_stack(parts, longest, unit)}</td>"
        f"<td class=number>{sum(parts.values()):.1f} {escape(unit)}</td></tr>\n"
        for row, parts in rows.items()
    )
    return f"<p>{legend}</p><table class=full><tbody>{lines}</tbody></table>"


def pairs(settings: Mapping[str, Any]) -> str:
    """List names and values."""
    rows = "".join(
        f"<tr><td>{escape(str(key))}</td><td>{escape(str(value))}</td></tr>" for key, value in settings.items()
    )
    return f"<table class=pairs><tbody>{rows}</tbody></table>"


def picture(data: bytes, kind: str, description: str) -> str:
    """Embed a picture; `kind` is that of its MIME type, such as "png"."""
    return f'<img alt="{escape(description)}" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'


def figure(value: Any) -> str:
    """Write a figure for people; what is unknown is a dash."""
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _cell(value: Any) -> str:
    if isinstance(value, float) and 0 <= value <= 1:
        value = Bar(figure(value), value)
    if isinstance(value, Bar):
        return f'<td class=bar style="--share:{value.share:.4f}">{escape(value.text)}</td>'
    text = escape(figure(value))
    return f"<td class=number>{text}</td>" if isinstance(value, int | float) else f"<td>{text}</td>"


def _stack(parts: Mapping[str, float], longest: float, unit: str) -> str:
    return "".join(
        f'<i class=part{i} style="width:{100 * length / longest:.2f}%" '
        f'title="{escape(name)} {length:.1f} {escape(unit)}"></i>'
        for i, (name, length) in enumerate(parts.items())
    )


_CSS = """
:root { color-scheme: light dark; --ink: #22262c; --paper: #fff; --soft: #f3f5f8; --line: #dfe3e8; --bar: #bcd7ef; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --paper: #16191d; --soft: #20252b; --line: #343b44; --bar: #27496b; }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 2rem 1.5rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 1rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .8rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .5rem; overflow-wrap: anywhere; }
.note { opacity: .75; font-weight: normal; }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; }
.tile { background: var(--soft); border-radius: 8px; padding: .7rem 1.1rem; min-width: 7rem; }
.tile b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; }
th { text-align: left; font-weight: 600; }
th, td { padding: .25rem .9rem .25rem .4rem; border-bottom: 1px solid var(--line); }
.number, .bar { text-align: right; font-variant-numeric: tabular-nums; }
.bar { min-width: 8rem;
  background: linear-gradient(var(--bar) 0 0) 0 50% / calc(var(--share) * (100% - .6rem)) 70% no-repeat; }
.wide { overflow-x: auto; }
img { max-width: 100%; border-radius: 4px; }
.strip { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: .6rem; }
figure { margin: 0; }
figcaption { font-size: .85rem; opacity: .75; }
.chip { display: inline-block; margin: 0 1rem .2rem 0; white-space: nowrap; }
.chip i { display: inline-block; width: .8em; height: .8em; margin-right: .4em; border-radius: 2px; }
.full { width: 100%; }
.full th { width: 1%; white-space: nowrap; }
.full .number { width: 1%; white-space: nowrap; }
.pairs td:first-child { white-space: nowrap; vertical-align: top; }
.stack { font-size: 0; }
.stack i { display: inline-block; height: 1.1rem; }
.part0 { background: #8a94a0; }
.part1 { background: #e0a336; }
.part2 { background: #3b82c4; }
.part3 { background: #4ba37a; }
"""
