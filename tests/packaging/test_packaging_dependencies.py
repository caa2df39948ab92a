"""Every package that the library imports is declared, and every declared one is imported."""

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Names that differ between the index and the import.
IMPORT_NAMES = {"hydra-core": "hydra"}
# Optional: imported where used, with an error that names the extra.
EXTRAS = {"neuralop", "skfem", "pyamg", "meshio"}


def imported_packages() -> set[str]:
    found = set()
    for path in [*ROOT.glob("pdeops/**/*.py"), *ROOT.glob("solvers/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"pdeops", "solvers"}


def test_declared_dependencies_are_the_imported_packages():
    with (ROOT / "pyproject.toml").open("rb") as file:
        declared = tomllib.load(file)["project"]["dependencies"]
    names = {re.match(r"[\w-]+", entry).group() for entry in declared}
    declared_imports = {IMPORT_NAMES.get(name, name) for name in names}
    assert imported_packages() - EXTRAS == declared_imports
