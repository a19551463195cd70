"""The boundaries between the parts, held by reading every file and by importing in fresh processes."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

QT = {"PySide6", "PyQt5", "PyQt6", "pyqtgraph", "qasync", "shiboken6"}
WITHOUT_TORCH = [
    *("core.cli.noise", "core.cli.parser", "core.codec", "core.conversion", "core.dataspec", "core.folders"),
    *("core.forward", "core.images", "core.inversion_plan", "core.likeness", "core.measures", "core.messages"),
    *("core.morph_plan", "core.noise", "core.paths", "core.process", "core.render", "core.requests"),
    *("core.as_code", "core.known_models", "core.known_pictures", "core.recipe", "core.signed"),
    *("core.schedules", "core.startup", "core.store", "core.training.dataset", "core.training.history"),
    *("core.training.ablation", "core.training.combinations", "core.training.order", "core.training.presets"),
    *("core.training.runs", "core.checkpoints.opening", "core.checkpoints.recognise", "core.model_folder"),
    *("core.checkpoints.openai", "core.checkpoints.ddpm", "core.checkpoints.lucidrains"),
]


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imports(path: Path, *, at_start: bool = False) -> Iterator[str]:
    """Names of the modules that a file imports, anywhere or only when it is itself imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = _executed_on_import(tree) if at_start else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _executed_on_import(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from _executed_on_import(child)


def offenders(paths: list[Path], forbidden: set[str], *, at_start: bool = False) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {name}"
        for path in paths
        for name in imports(path, at_start=at_start)
        if name.split(".")[0] in forbidden
    ]


def imported_in_a_fresh_process(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_that_the_reader_of_imports_sees_what_it_should(tmp_path: Path) -> None:
    path = tmp_path / "sample.py"
    path.write_text(
        "import a.b\nfrom c import d\nif TYPE_CHECKING:\n    import e\ndef f():\n    import g\n"
        "class C:\n    import h\ntry:\n    import i\nexcept ImportError:\n    pass\n"
    )
    assert set(imports(path)) == {"a.b", "c", "c.d", "e", "g", "h", "i"}
    assert set(imports(path, at_start=True)) == {"a.b", "c", "c.d", "h", "i"}


def test_that_core_knows_neither_qt_nor_the_window_nor_diffusers() -> None:
    assert len(sources("core")) > 20
    assert offenders(sources("core"), QT | {"app", "diffusers", "tests"}) == []


def test_that_the_window_touches_no_tensor() -> None:
    assert len(sources("app")) > 5
    assert offenders(sources("app"), {"torch", "safetensors", "diffusers", "tests"}) == []


def test_that_nothing_but_tests_needs_what_only_tests_have() -> None:
    extra = {"hypothesis", "pytest", "scipy", "skimage", "pytestqt", "diffusers"}
    assert offenders([*sources("core", "app", "resources"), ROOT / "main.py"], extra) == []


def test_that_nothing_is_ever_unpickled() -> None:
    paths = sources("core", "app", "resources")
    assert offenders(paths, {"pickle", "dill", "cloudpickle", "shelve", "marshal"}) == []
    calls = [node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    called = {ast.unparse(node.func) for node in calls if isinstance(node, ast.Call)}
    assert "torch.from_numpy" in called  # the search finds what there is
    assert not called & {"torch.load", "torch.hub.load", "torch.jit.load", "torch.package.PackageImporter"}


def test_that_only_the_bridge_knows_asyncio() -> None:
    known = {str(path.relative_to(ROOT)) for path in sources("app") if "qasync" in set(imports(path))}
    assert known <= {"app/bridge.py"}


def test_that_what_the_window_needs_at_its_start_brings_no_torch() -> None:
    statement = "".join(f"import {name}\n" for name in WITHOUT_TORCH)
    brought = imported_in_a_fresh_process(statement)
    assert "numpy" in brought
    assert not brought & ({"torch"} | QT)


@pytest.mark.parametrize("module", ["app.window", "app.application", "app.stages.train"])
def test_that_the_window_brings_no_torch(module: str) -> None:
    brought = imported_in_a_fresh_process(f"import os\nos.environ['QT_QPA_PLATFORM'] = 'offscreen'\nimport {module}")
    assert "PySide6" in brought
    assert "torch" not in brought


def test_that_starting_imports_nothing_heavy() -> None:
    brought = imported_in_a_fresh_process("import main")
    assert not brought & ({"torch", "numpy", "PIL"} | QT)


def test_that_no_module_is_imported_in_a_circle() -> None:
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sources("core", "app")}
    graph = {name: {other for other in imports(path, at_start=True) if other in names} for name, path in names.items()}
    finished: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in finished:
            for other in graph[name]:
                visit(other, (*trail, name))
            finished.add(name)

    for name in graph:
        visit(name, ())
