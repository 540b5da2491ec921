"""The house: a package imports only from packages below it."""

from pathlib import Path

from importlinter.cli import lint_imports


def test_a_floor_imports_only_lower_floors():
    assert lint_imports(config_filename=str(Path(__file__).parents[1] / "pyproject.toml"), no_cache=True) == 0
