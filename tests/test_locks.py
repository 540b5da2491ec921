"""Locks: installed without resolving, they must name all that their packages need, in versions that suit."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def locked(name):
    """Give the versions that a lock pins."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
    pairs = (line.split("==") for line in lines if line)
    return {canonicalize_name(package): version for package, version in pairs}


def bare(name):
    """Give what a lock of packages without their own needs pins, where there is one."""
    return locked(f"{name}-bare.lock").items() if (ROOT / f"{name}-bare.lock").exists() else ()


def needed(package, version):
    """Give what a package needs here, if it is installed in the locked version."""
    try:
        found = distribution(package)
    except PackageNotFoundError:
        return []
    needs = map(Requirement, found.requires or []) if found.version == version else ()
    return [need for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]


TOGETHER = [["requirements"], ["requirements", "requirements-extras"], ["requirements", "requirements-docs"]]


@pytest.mark.parametrize("names", TOGETHER)
def test_a_lock_holds_what_its_packages_need(names):
    whole = {package: version for name in names for package, version in locked(f"{name}.lock").items()}
    known = whole | {package: version for name in names for package, version in bare(name)}
    for package, version in whole.items():
        for need in needed(package, version):
            found = known.get(canonicalize_name(need.name))
            assert found is not None, f"{package} needs {need}, which is not locked"
            assert need.specifier.contains(found, prereleases=True), f"{package} needs {need}, locked is {found}"


def test_no_package_is_locked_twice():
    assert not locked("requirements.lock").keys() & locked("requirements-extras.lock").keys()
    assert not locked("requirements.lock").keys() & locked("requirements-docs.lock").keys()


def test_what_two_additions_lock_is_the_same():
    extras, docs = locked("requirements-extras.lock"), locked("requirements-docs.lock")
    assert all(extras[package] == docs[package] for package in extras.keys() & docs.keys())
