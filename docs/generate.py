"""Write the files that are made from the code's own tables: `python docs/generate.py`; `--check` only compares them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from ultralytics.cfg import INERT, MODE_DEFAULTS, MODES, OPTIONS, Option  # noqa: E402
from ultralytics.cfg.validate import RENAMED, describe  # noqa: E402
from ultralytics.deploy import FORMATS  # noqa: E402
from ultralytics.deploy.capabilities import capabilities  # noqa: E402


def groups() -> Iterator[tuple[str, list[Option]]]:
    """Yield the headings of the list of options with the options below each."""
    for title, options in groupby(OPTIONS.values(), key=lambda option: option.group):
        yield title, list(options)


def default_yaml() -> str:
    """All options with their defaults, as a file to copy and change."""
    lines = ["# All options and their defaults. Made by docs/generate.py from schema.py: change it there, not here."]
    for title, options in groups():
        lines += ["", f"# {title}"]
        for option in options:
            lines.append(f"{option.name}: {json.dumps(option.default)}  # {option.help}")
    return "\n".join(lines) + "\n"


def config_page() -> str:
    """The page about options."""
    parts = [_CONFIG_INTRODUCTION, "## All options"]
    for title, options in groups():
        parts += [f"### {title}", table(("option", "default", "takes", "read by", "what it does"), map(_row, options))]
    parts += [
        "## Defaults that differ by mode",
        "The methods of a model start from these instead. On the command line, `yolo predict` saves its pictures.",
        table(("mode", "defaults"), ((mode, _settings(values)) for mode, values in MODE_DEFAULTS.items())),
        "## Older names",
        "These still work and say what they are called now.",
        table(("older", "now"), ((f"`{old}`", f"`{new}`") for old, (new, _) in RENAMED.items())),
        "## Without effect",
        "Files that hold these load, with a warning where a value is not the default: " + _settings(INERT) + ".",
    ]
    return "\n\n".join(parts) + "\n"


def formats_page() -> str:
    """The page about what each format can do."""
    rows = [capabilities(row) for row in FORMATS]
    shown = [[f"`{text}`" if name == "argument" else text for name, text in row.items()] for row in rows]
    needs = ((f"`{row.name}`", row.needs) for row in FORMATS if row.needs)
    parts = [_FORMATS_INTRODUCTION, table(rows[0], shown), "## What they need to run"]
    return "\n\n".join([*parts, table(("format", "needs"), needs)]) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Lay out a Markdown table."""
    cells = [list(head), *map(list, rows)]
    cells.insert(1, ["---"] * len(cells[0]))
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells)


def _row(option: Option) -> tuple[str, ...]:
    modes = "every mode" if option.modes == MODES else ", ".join(option.modes)
    return f"`{option.name}`", f"`{_text(option.default)}`", describe(option), modes, option.help


def _settings(values: Mapping[str, object]) -> str:
    return ", ".join(f"`{name}={_text(value)}`" for name, value in values.items())


def _text(value: object) -> str:
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


_CONFIG_INTRODUCTION = """\
# Options

<!-- Made by docs/generate.py from ultralytics/cfg/schema.py: change it there, not here. -->

The same words are keyword arguments in Python (`model.train(epochs=3)`), `key=value` on the command line
(`yolo train epochs=3`) and keys of a YAML file (`yolo train cfg=mine.yaml`). What is given directly beats the file, the
file beats the defaults of the mode, these beat those of the task, and these the list below. `yolo copy-cfg` writes the
list as a file to start from; `yolo help train` shows the options of one mode.

A name that does not exist, a value of the wrong type or out of range is an error that says what is allowed."""

_FORMATS_INTRODUCTION = """\
# Formats

<!-- Made by docs/generate.py from ultralytics/deploy/table.py: change it there, not here. -->

What each format can do. `yolo formats` prints the same with what your machine has. "Verified" says where its
numbers were last compared with the network; figures and versions are in `benchmarks/results/formats.md`. A format is
made in your own environment if its packages are there, else in a toolchain of the size given; see
[export and run](export.md).

Every format also takes `imgsz`, `output`, `data`, `fraction`, `device`, `verify`, `toolchain` and `verbose`."""

FILES: dict[Path, Callable[[], str]] = {
    Path("ultralytics/cfg/default.yaml"): default_yaml,
    Path("docs/config.md"): config_page,
    Path("docs/formats.md"): formats_page,
}


def main(arguments: list[str]) -> int:
    """Write every file that is out of date; with `--check`, name them instead and return 1 if there are any."""
    stale = []
    for path, make in FILES.items():
        file, text = REPOSITORY / path, make()
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            stale.append(path)
            if "--check" not in arguments:
                file.write_text(text, encoding="utf-8", newline="\n")
    for path in stale:
        print(f"{path} {'is out of date: run python docs/generate.py' if '--check' in arguments else 'written'}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
