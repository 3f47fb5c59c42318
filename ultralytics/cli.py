"""The `yolo` command: words and `key=value` in, one method of a model or one special command out.

Whatever can be wrong with a command line is found before torch is imported. This is the one module that prints, and
`main` the one place where any exception ends: as one line on stderr and an exit code.

Exit codes: 0 done, 1 it did not work, 2 an option or a configuration is wrong, 70 a fault of this package, 130 Ctrl-C.
"""

from __future__ import annotations

import inspect
import io
import os
import shutil
import sys
import traceback
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from ultralytics.cfg.argv import split_arguments
from ultralytics.cfg.loader import MODE_DEFAULTS, read_options
from ultralytics.cfg.reading import either, members_of, names_of, read_as
from ultralytics.cfg.schema import MODES, OPTIONS, Option
from ultralytics.cfg.settings import DEFAULTS, SETTINGS
from ultralytics.cfg.validate import RENAMED, check_options, describe
from ultralytics.deploy import FORMATS
from ultralytics.deploy.capabilities import here
from ultralytics.deploy.sandbox.toolchain import check, clean, toolchain_table, toolchains
from ultralytics.errors import ConfigError, SourceError, UltralyticsError, unknown_name
from ultralytics.tasks import DEFAULT_TASK, TASKS, TaskSpec, get_task
from ultralytics.utils.env import ROOT
from ultralytics.utils.files import increment_path
from ultralytics.utils.imports import load
from ultralytics.utils.log import LOGGER, show_logs
from ultralytics.utils.tables import text_table
from ultralytics.version import __version__


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """What a command line asks for.

    Attributes:
        action: a mode, or the name of a special command.
        task: name of the task, if it was said.
        options: the `key=value` pairs; those of a mode are checked, those of a special command are still text.
        words: what else was said to a special command.
    """

    action: str
    task: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = ()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    Args:
        argv: the arguments after the program's name; None: those of this process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a console that lacks a letter shows another one instead of failing
    show_logs()
    try:
        code = run(parse(arguments))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _fail("\ninterrupted", 130, arguments)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ConfigError as error:
        return _fail(f"error: {error}", 2, arguments)
    except (UltralyticsError, OSError) as error:
        return _fail(f"error: {error}", 1, arguments)
    except Exception as error:  # noqa: BLE001 - whatever was not foreseen is said in a line, too
        told = f"internal error: {type(error).__name__}: {error}"
        return _fail(f"{told}\nRun again with debug=True to see the traceback; please report it.", 70, arguments)
    return code


def _fail(message: str, code: int, arguments: Sequence[str]) -> int:
    """Say on stderr what went wrong, with the traceback if that is asked for."""
    asked = any(argument.lower().strip("-,") in {"debug", "debug=true"} for argument in arguments)
    if asked or os.environ.get("YOLO_DEBUG", "").lower() in {"1", "true", "yes", "on"}:
        traceback.print_exc()
    print(message, file=sys.stderr)
    return code


def parse(argv: Sequence[str]) -> Command:
    """Read a command line.

    Raises:
        ConfigError: a word or option is unknown, or a value is not allowed.

    Example:
        >>> parse(["train", "epochs=3", "imgsz=[480,", "640]"]).options
        {'epochs': 3, 'imgsz': [480, 640]}
    """
    words, pairs = split_arguments(argv)
    task = words.pop(0) if words and words[0] in TASKS else None
    action = _SHORT.get(words[0], words[0]) if words else ""
    if action in SUBCOMMANDS:
        rest = tuple(word for word in words[1:] if word not in _HELP)
        if len(rest) + 1 < len(words):
            return Command(action="help", words=(action, *rest))
        return Command(action=action, task=task, options=pairs, words=rest)
    if not _HELP.isdisjoint(words) or not (words or pairs or task):
        return Command(action="help", words=tuple(word for word in words if word in MODES))
    return _parse_mode(task, words, pairs)


def _parse_mode(task: str | None, words: Sequence[str], pairs: Mapping[str, str]) -> Command:
    mode: str | None = None
    switches: dict[str, bool] = {}
    for word in words:
        if word in TASKS and task is None:
            task = word
        elif word in MODES and mode is None:
            mode = word
        elif word in RENAMED or (word in OPTIONS and bool in members_of(OPTIONS[word].type)):
            switches[word] = True
        else:
            raise ConfigError(_unknown_word(word))
    options = check_options({**switches, **pairs})
    named_mode, named_task = options.pop("mode", None), options.pop("task", None)
    mode, task = mode or named_mode, task or named_task
    if mode is None:
        raise ConfigError(f"Say what to do: yolo {either(MODES)}. For help: yolo help")
    for name in options:
        if mode not in OPTIONS[name].modes:
            LOGGER.warning(f"'{name}' has no effect in {mode}; it belongs to {either(OPTIONS[name].modes)}.")
    return Command(action=mode, task=task, options=options)


def _unknown_word(word: str) -> str:
    if word in _UNSUPPORTED:
        return _UNSUPPORTED[word]
    if word in OPTIONS:
        return f"'{word}' needs a value: {word}=… It takes {describe(OPTIONS[word])}."
    if word in MODES or word in TASKS:
        return f"'{word}' is one word too many: say one task and one mode."
    if Path(word).suffix or Path(word).exists():
        return f"Say what '{word}' is: source={word}, model={word} or data={word}."
    return unknown_name("word", word, [*TASKS, *MODES, *SUBCOMMANDS])


def run(command: Command) -> int:
    """Do what a command asks for and return the exit code."""
    if special := SUBCOMMANDS.get(command.action):
        if command.words and not special.takes_words:
            raise ConfigError(_unknown_word(command.words[0]))
        return special.function(command) or 0
    file = command.options.get("cfg")
    options = {**(read_options(file) if file else {}), **command.options}
    said = {name: options.pop(name, None) for name in ("cfg", "mode", "task")}
    task = command.task or said["task"]
    _fill_in(options, command.action, get_task(task or DEFAULT_TASK))

    from ultralytics.model import YOLO  # torch comes with it: only now that nothing else can be wrong

    model = YOLO(options.pop("model"), task=task)
    if command.action != "predict":
        getattr(model, command.action)(**options)
        return 0
    for _ in model.predict(stream=True, **{"save": True, **options}):
        pass
    return 1 if model.predictor.skipped else 0


def _fill_in(options: dict[str, Any], mode: str, task: TaskSpec) -> None:
    """Complete what a command line may leave out."""
    if mode == "predict" and options.get("source") is None:
        raise SourceError("Nothing to predict on. Give a source: source=image.jpg, a folder, glob, video or URL.")
    has_model = options.get("model") is not None
    if mode == "train" and options.get("resume") and not has_model:
        if options["resume"] is True:
            raise ConfigError("Which run goes on? Name its checkpoint: resume=runs/…/weights/last.pt")
        options["model"] = options["resume"]
    elif not has_model and mode != "train":
        raise ConfigError(f"Which model? Name weights, or an artefact: yolo {mode} model=best.pt")
    elif not has_model:
        LOGGER.warning(f"No model given: model={task.default_model} is used.")
        options["model"] = task.default_model
    is_fresh = Path(options["model"]).suffix.lower() in {".yaml", ".yml"}  # weights know their own dataset
    if mode in {"train", "val"} and is_fresh and options.get("data") is None:
        LOGGER.warning(f"No dataset given: data={task.default_data} is used.")
        options["data"] = task.default_data


def _help(command: Command) -> None:
    if not command.words:
        commands = "\n".join(f"  {name:<10} {special.help}" for name, special in SUBCOMMANDS.items())
        print(_USAGE.format(tasks=", ".join(TASKS), modes=", ".join(MODES), commands=commands))
        return
    mode, *rest = command.words
    if mode == "convert":
        from ultralytics.data.convert import usage

        print(usage(" ".join(rest)))
        return
    if mode in SUBCOMMANDS:
        print(f"yolo {mode}    {SUBCOMMANDS[mode].help}")
        for key in SUBCOMMANDS[mode].keys:
            print(f"  {_default(OPTIONS[key], mode):<28} {OPTIONS[key].help}")
        return
    if mode not in MODES:
        raise ConfigError(unknown_name("command", mode, [*MODES, *SUBCOMMANDS]))
    print(f"yolo {mode} key=value ...    the keys, with their defaults:")
    options = [option for option in OPTIONS.values() if mode in option.modes]
    for title, group in groupby(options, key=lambda option: option.group):
        print(f"\n{title}")
        for option in group:
            print(f"  {_default(option, mode):<28} {option.help}{_choices(option)}")


def _default(option: Option, mode: str) -> str:
    value = MODE_DEFAULTS.get(mode, {}).get(option.name, option.default)
    if (mode, option.name) == ("predict", "save"):
        value = True
    if option.name == "mode":
        value = mode
    return f"{option.name}={str(value).lower() if value is None or isinstance(value, bool) else value}"


def _choices(option: Option) -> str:
    return f" ({', '.join(option.choices)})" if option.choices else ""


def _version(_: Command) -> None:
    print(__version__)


def _checks(_: Command) -> None:
    from ultralytics.utils.checks import checks

    checks()


def _check(command: Command) -> int:
    fix = _read("fix", bool, command.options.get("fix", "false"))
    options = check_options({key: value for key, value in command.options.items() if key != "fix"})
    keys = SUBCOMMANDS["check"].keys
    if unknown := options.keys() - {*keys, "debug"}:
        raise ConfigError(f"'yolo check' takes {', '.join(keys)} and fix, not {', '.join(sorted(unknown))}.")
    if not options.get("data"):
        raise ConfigError("Which dataset? yolo check data=dataset.yaml. For the state of this package: yolo checks")
    diagnose = get_task(command.task or DEFAULT_TASK).resolve("doctor")
    report = diagnose(options["data"], label_map=options.get("label_map"), strict=options.get("strict", False), fix=fix)
    print(report.text(verbose=options.get("verbose", False)))
    return 0 if report.ok else 1


def _convert(command: Command) -> None:
    from ultralytics.data.convert import CONVERTERS

    name = " ".join(command.words)
    if not name:
        raise ConfigError(f"Which converter? yolo convert {either(sorted(CONVERTERS))}, then key=value ...")
    if name not in CONVERTERS:
        raise ConfigError(unknown_name("converter", name, CONVERTERS))
    function = load(CONVERTERS[name])
    given = {key: text for key, text in command.options.items() if key != "debug"}
    result = function(**_arguments(function, given, f"yolo convert {name}"))
    if result is not None:
        print(result)


def _arguments(function: Callable[..., Any], given: Mapping[str, str], command: str) -> dict[str, Any]:
    """Read texts as the keyword arguments a function declares."""
    parameters, hints = inspect.signature(function).parameters, typing.get_type_hints(function)
    for key in given:
        if key not in parameters:
            raise ConfigError(unknown_name(f"argument of '{command}'", key, parameters))
    missing = [key for key, row in parameters.items() if row.default is row.empty and key not in given]
    if missing:
        raise ConfigError(f"'{command}' needs {', '.join(f'{key}=…' for key in missing)}.")
    return {key: _read(key, hints[key], text) for key, text in given.items()}


def _settings(command: Command) -> None:
    if command.words == ("reset",):
        SETTINGS.reset()
    elif command.words:
        raise ConfigError(f"'yolo settings' takes reset or key=value, not {' '.join(command.words)}.")
    if command.options:
        SETTINGS.update({key: _read(key, type(DEFAULTS.get(key, "")), text) for key, text in command.options.items()})
    print(SETTINGS.file)
    for key, value in SETTINGS.items():
        print(f"  {key:<17} {value}")


def _read(key: str, hint: Any, text: str) -> Any:
    try:
        return read_as(hint, text)
    except ValueError as error:
        raise ConfigError(f"{key}={text} is not allowed: '{key}' takes {either(names_of(hint))}.") from error


def _cfg(_: Command) -> None:
    print(_DEFAULT_YAML.read_text(encoding="utf-8"), end="")


def _copy_cfg(_: Command) -> None:
    target = increment_path("default_copy.yaml")
    shutil.copyfile(_DEFAULT_YAML, target)
    print(f"{target} written. Use it: yolo train cfg={target} imgsz=320")


def _formats(_: Command) -> None:
    print(text_table([here(row) for row in FORMATS]))


def _toolchains(command: Command) -> int:
    action, *names = command.words or ("list",)
    if action not in {"list", "check", "clean"} or (action == "list" and names):
        raise ConfigError("'yolo toolchains' takes list, or check or clean and names: yolo toolchains clean onnx")
    if action == "check":
        faults = check(names or None)
        for name, fault in faults.items():
            remedy = f"\n  Remove it, and its next use makes it anew: yolo toolchains clean {name}"
            print(f"{name}: {f'it {fault}{remedy}' if fault else 'every file is as it was made'}")
        if not faults:
            print(toolchain_table([]))
        return 1 if any(faults.values()) else 0
    if action == "clean":
        print(f"{clean(names or None) / 1e6:.0f} MB freed")
    print(toolchain_table(toolchains()))
    return 0


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A command that is not a mode of a model; its function returns an exit code or None for 0."""

    function: Callable[[Command], int | None]
    help: str
    takes_words: bool = False
    keys: tuple[str, ...] = ()  # options of modes that it takes


SUBCOMMANDS: Mapping[str, Subcommand] = {
    "help": Subcommand(_help, "this page; `yolo help train`, or another word, says more about it", takes_words=True),
    "version": Subcommand(_version, "the version of this package"),
    "checks": Subcommand(_checks, "the state of this installation"),
    "check": Subcommand(
        _check,
        "what is wrong with a dataset: yolo check data=dataset.yaml; fix=true writes a repaired YAML beside it",
        keys=("data", "label_map", "strict", "verbose"),
    ),
    "convert": Subcommand(
        _convert, "bring a dataset into the layout needed here: yolo convert NAME key=value ...", takes_words=True
    ),
    "settings": Subcommand(
        _settings, "show your folders and switches; change them by key=value, or reset", takes_words=True
    ),
    "cfg": Subcommand(_cfg, "all options with their defaults"),
    "copy-cfg": Subcommand(_copy_cfg, "write them to default_copy.yaml, to change and use by cfg="),
    "formats": Subcommand(_formats, "the formats models are kept and run in"),
    "toolchains": Subcommand(
        _toolchains, "environments of converters: yolo toolchains [list | check | clean] NAME ...", takes_words=True
    ),
}
_HELP = frozenset({"help", "h"})
_SHORT: Mapping[str, str] = {"h": "help", "v": "version", "c": "copy-cfg", "setting": "settings"}
_UNSUPPORTED: Mapping[str, str] = {
    "track": "Tracking follows boxes, and class maps have none. Use predict on the video.",
    "solutions": "There are no solutions in this package.",
    "login": "There is no account to log in to: everything runs on your machine.",
    "logout": "There is no account to log out of: everything runs on your machine.",
}
_DEFAULT_YAML = ROOT / "cfg" / "default.yaml"
_USAGE = """\
yolo [TASK] MODE key=value ...

  TASK  {tasks} (found from the model if left out)
  MODE  {modes}

  yolo train model=yolo26n-sem.yaml data=streets.yaml epochs=20 imgsz=512
  yolo val model=runs/semantic/train/weights/best.pt split=test
  yolo predict model=yolo26n-sem.pt source=image.jpg imgsz=1024

Other commands

{commands}"""
