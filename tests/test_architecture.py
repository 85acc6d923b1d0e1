"""What imports what: read from the source, without importing it."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from pressgang.label_studio.labeling_config import read_labeling_config

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "pressgang"
HEAVY = {"torch", "transformers", "accelerate", "label_studio_sdk", "onnx", "onnxscript"}
CORE = {"config", "corpus", "document", "extras", "files", "printable", "schema"}
FOLDERS = (
    *("text", "formats", "label_studio", "model", "evaluation", "annotation", "learning"),
    *("shipping", "bulk", "studio", "integrations"),
)
"""From the ground up: a folder imports the core, and of the folders only those before it."""

MAY_IMPORT_TORCH = {
    *("model.joint_model", "model.pretrained", "model.torch_runtime"),
    *("learning.objective", "learning.stages", "learning.training", "learning.warm_start"),
    *("learning.experiments", "learning.cross_validation"),
    *("shipping.graphs", "shipping.export", "integrations.transformers_model"),
}
WITHOUT_TORCH = {
    *("text", "formats", "label_studio", "evaluation"),
    *("annotation.agreement", "annotation.suspects", "learning.augmentation"),
    *("model.calibration", "model.artefact", "model.onnx_runtime", "model.folders"),
    *(f"bulk.{name}" for name in ("sources", "shards", "writers", "progress", "least_scores")),
    *("studio.client", "studio.project", "studio.pull"),
    *("studio.backend.proposals", "studio.backend.http", "studio.backend.state"),
    *CORE,
}
"""Folders and modules that reach no torch, not even by an import inside a function."""


def module_name(path: Path) -> str:
    """The name within the package: `label_studio.tasks`; of the package itself, the empty name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {
    module_name(path): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}


def part(name: str) -> str:
    """The folder of a module, `core`, or a file above the folders; the face is the empty name."""
    return "core" if name in CORE else name.partition(".")[0]


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING`."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield from nodes(child)


def imports(tree: ast.AST) -> set[str]:
    """The full names that a module imports anywhere: modules, and names `from` modules."""
    found: set[str] = set()
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import: {ast.unparse(node)}"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_imports(name: str) -> set[str]:
    """The modules of the package that one of them imports."""
    found = set()
    for target in imports(TREES[name]):
        if target != "pressgang" and not target.startswith("pressgang."):
            continue
        module = target.removeprefix("pressgang").removeprefix(".")
        found.add(module if module in TREES else module.rpartition(".")[0])
    return found


def imported_parts(wanted: str) -> set[str]:
    """What the modules of a part import of other parts, the core aside."""
    modules = [name for name in TREES if part(name) == wanted]
    return {part(module) for name in modules for module in own_imports(name)} - {wanted, "core"}


def reached(name: str) -> set[str]:
    """The modules of the package that one needs, directly or through others."""
    found, waiting = set(), [name]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += own_imports(module)
    return found


def outside(name: str) -> set[str]:
    """The top-level packages that a module imports."""
    return {target.partition(".")[0] for target in imports(TREES[name])}


def modules_loaded_by(statement: str) -> set[str]:
    """The top-level packages that a fresh interpreter holds after a statement."""
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "src"
    )
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "module",
    ["pressgang", "pressgang.model.extractor", "pressgang.cli", "pressgang.studio.commands"],
)
def test_importing_does_not_load_torch(module: str) -> None:
    loaded = modules_loaded_by(f"import {module}")
    assert "pressgang" in loaded
    slow = {"datasets", "matplotlib", "pyarrow", "ray", "spacy", "httpx", "fastapi", "uvicorn"}
    assert not loaded & (HEAVY | slow)


def test_no_module_needs_itself() -> None:
    graph = {name: own_imports(name) for name in TREES}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"circular imports: {' -> '.join(error.args[1])}")


def test_every_file_has_its_place() -> None:
    assert {part(name) for name in TREES} == {"", "__main__", "cli", "core", *FOLDERS}


def test_the_core_imports_no_folder() -> None:
    assert imported_parts("core") == set()


@pytest.mark.parametrize("folder", FOLDERS)
def test_folders_import_only_what_stands_before_them(folder: str) -> None:
    face = {""} if folder in {"studio", "integrations"} else set()
    assert imported_parts(folder) <= {*FOLDERS[: FOLDERS.index(folder)], *face}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_says_what_it_imports_and_nothing_else(folder: str) -> None:
    (statement,) = TREES[folder].body
    assert isinstance(statement, ast.Expr)
    said = (ast.get_docstring(TREES[folder]) or "").rpartition("; imports ")[2]
    named = set(re.findall(r"`(\w+)`", said))
    assert named or said in {"no folder.", "any folder."}
    if said != "any folder.":
        assert named == imported_parts(folder) - {""}


def test_the_readme_shows_the_folders_in_their_order() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("| `src/pressgang/` | |")[2]
    assert re.findall(r"^\| `(\w+)/`", table, re.MULTILINE) == [*FOLDERS]


def test_the_face_imports_the_model_alone() -> None:
    assert imported_parts("") == {"model"}


def test_every_import_from_the_package_is_a_module_of_it() -> None:
    for name in TREES:
        assert own_imports(name) <= set(TREES), name


def test_document_needs_nothing_of_the_package() -> None:
    assert own_imports("document") == set()


@pytest.mark.parametrize("name", sorted(TREES))
def test_only_the_model_and_its_training_import_torch(name: str) -> None:
    if name not in MAY_IMPORT_TORCH:
        assert not outside(name) & {"torch", "transformers", "accelerate"}


def test_only_the_engine_of_ray_imports_ray() -> None:
    assert [name for name in TREES if "ray" in outside(name)] == ["bulk.cluster"]


@pytest.mark.parametrize("place", sorted(WITHOUT_TORCH))
def test_scores_and_pages_need_no_torch(place: str) -> None:
    modules = [name for name in TREES if place in {name, part(name)}]
    assert modules
    assert not [name for name in modules if reached(name) & MAY_IMPORT_TORCH]


@pytest.mark.parametrize("name", [name for name in TREES if part(name) == "evaluation"])
def test_scores_compare_documents_and_know_no_window(name: str) -> None:
    assert {module for module in reached(name) if part(module) == "text"} <= {"text.segmentation"}


@pytest.mark.parametrize("name", sorted(TREES))
def test_only_the_command_line_and_its_data_import_label_studio(name: str) -> None:
    may_import = {"cli", "learning.run_data", "shipping.commands"}
    may_import |= {"bulk.prediction", "bulk.writers"}
    if name not in may_import and part(name) not in {"label_studio", "studio"}:
        assert "label_studio" not in map(part, own_imports(name))


def test_only_the_package_as_a_program_imports_the_command_line() -> None:
    assert [name for name in TREES if "cli" in own_imports(name)] == ["__main__"]


def test_one_module_speaks_with_the_server() -> None:
    assert [name for name in TREES if "label_studio_sdk" in outside(name)] == ["studio.client"]


@pytest.mark.parametrize("name", [name for name in TREES if part(name) == "label_studio"])
def test_the_formats_know_no_network(name: str) -> None:
    assert "studio" not in map(part, own_imports(name))


@pytest.mark.parametrize("name", sorted(TREES))
def test_no_label_of_our_project_is_in_the_code(name: str) -> None:
    config = read_labeling_config(ROOT / "annotations" / "labeling_config.xml")
    labels = {*config.entity_labels, *config.relation_labels}
    assert labels
    docstrings = {
        id(node.value)
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    found = {
        (label, node.lineno)
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
        for label in labels
        if re.search(rf"\b{label}\b", node.value)
    }
    assert not found


@pytest.mark.parametrize("name", sorted(TREES))
def test_nothing_that_is_read_can_run_code(name: str) -> None:
    tree = TREES[name]
    unsafe = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
    assert not outside(name) & unsafe
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not calls & {"eval", "exec", "torch.load", "torch.save"}
    assert "torch.load" not in imports(tree)
    granted = {
        node.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword)
        and not (isinstance(node.value, ast.Constant) and node.value.value is False)
    }
    assert not granted & {"trust_remote_code", "allow_pickle"}
