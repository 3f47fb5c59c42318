"""What each format can do, as a table: for a terminal, for the documentation, for programs."""

from __future__ import annotations

import sys

from ultralytics.deploy.format import Format, Packages


def capabilities(row: Format) -> dict[str, str]:
    """Describe a format as it is everywhere, whatever is installed."""
    return {
        "format": row.title,
        "argument": row.name,
        "suffix": row.suffix,
        "argmax": _yes("argmax" in row.can),
        "dynamic": _yes(row.dynamic),
        "fp16": _yes(16 in row.bits),
        "int8": _yes(8 in row.bits),
        "options": ", ".join(sorted(row.options)) or "–",
        "toolchain": f"{row.convert.megabytes} MB" if row.convert.megabytes else "–",
        "verified": row.verified,
    }


def here(row: Format) -> dict[str, str]:
    """Describe a format as it is on this machine."""
    facts = capabilities(row)
    kept = ("argument", "suffix", "argmax", "dynamic", "fp16", "int8", "verified")
    return {**{name: facts[name] for name in kept}, "convert": _place(row.convert), "run": _runs(row)}


def _yes(answer: bool) -> str:
    return "yes" if answer else "–"


def _place(packages: Packages) -> str:
    if packages.here:
        return "yes"
    if not packages.pins and not packages.npm:
        return f"needs {', '.join(packages.programs)}"
    return f"toolchain, {packages.megabytes} MB" if packages.megabytes else "toolchain"


def _runs(row: Format) -> str:
    elsewhere = row.platforms and sys.platform not in row.platforms
    if row.run is None or elsewhere or (row.device != "cpu" and not row.run.here):
        return f"needs {row.needs}"
    return _place(row.run)
