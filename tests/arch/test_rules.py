"""The house rules as programs: sizes, names, what imports do."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "ultralytics"
FILES = sorted(PACKAGE.rglob("*.py"))
TASK_NAMES = {"semantic", "segment", "detect", "classify", "pose", "obb", "depth"}
TASK_FREE = ("engine", "data", "deploy", "utils", "cfg")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", [*FILES, *sorted((ROOT / "tests").rglob("*.py"))], ids=_name)
def test_a_file_has_at_most_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_function_has_at_most_60_lines_and_a_module_says_what_it_is(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "module docstring"
    functions = (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    long = {f.name: f.end_lineno - f.lineno + 1 for f in functions if f.end_lineno - f.lineno >= 60}
    assert not long


@pytest.mark.parametrize("path", [file for file in FILES if file.relative_to(PACKAGE).parts[0] in TASK_FREE], ids=_name)
def test_no_task_is_named_below_the_tasks(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert not strings & TASK_NAMES


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_nothing_pickles_evaluates_or_installs(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not calls & {"eval", "exec", "pickle.load", "pickle.loads", "pickle.dump", "pickle.dumps", "os.system"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("torch.load"):
            assert {k.arg: ast.unparse(k.value) for k in node.keywords}.get("weights_only") == "True"


_EFFECTS = """
import sys
import importlib
for name in filter(None, sys.argv[2].split(",")):
    importlib.import_module(name)
seen = []
def hook(event, args):
    if event in {"socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.mkdir", "os.putenv", "os.rename"}:
        seen.append((event, repr(args)[:200]))
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+") and ".pyc" not in str(args[0]):
        seen.append((event, repr(args)[:200]))
sys.addaudithook(hook)
for name in sys.argv[1].split(","):
    importlib.import_module(name)
heavy = [m for m in ("torch", "cv2", "matplotlib", "PIL") if m in sys.modules]
print(seen, heavy)
"""


def _import_effects(names: str, before: str = "") -> str:
    """Tell what importing modules does, and which heavy packages are loaded then; `before` names what may do more."""
    command = [sys.executable, "-B", "-c", _EFFECTS, names, before]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_package_does_nothing_and_loads_nothing_heavy():
    light = "ultralytics,ultralytics.errors,ultralytics.cfg,ultralytics.cfg.settings,ultralytics.tasks,ultralytics.cli"
    assert _import_effects(light) == "[] []"


def test_importing_every_module_has_no_side_effects():
    modules = [_name(file).removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in FILES]
    modules.remove("ultralytics.__main__")
    assert _import_effects(",".join(modules), before="numpy,cv2,torch,PIL.Image").startswith("[] ")


def test_the_layers_hold():
    """Run the import contracts of pyproject.toml."""
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-1000:]
