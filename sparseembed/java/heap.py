"""How much memory Java may take."""

import os
import re
from contextlib import suppress
from pathlib import Path

from sparseembed.errors import ConfigError

HEAP_VARIABLE = "SPARSEEMBED_JVM_HEAP"
"""The environment variable that overrides the default, e.g. `2g`."""

_GIGABYTE = 2**30


def heap_option() -> str:
    """Give the -Xmx option: `$SPARSEEMBED_JVM_HEAP`, else a quarter of the memory and at most 1 GB.

    What Lucene needs does not grow with an index; a larger heap would only hold more garbage.

    :return: e.g. `-Xmx2g`.
    :raises ConfigError: if the variable is not a size such as 512m or 2g.
    """
    chosen = os.environ.get(HEAP_VARIABLE, "").strip()
    if chosen:
        size = re.fullmatch(r"(\d+)([mg])", chosen.lower())
        if size is None or int(size.group(1)) * (1024 if size.group(2) == "g" else 1) < 64:
            raise ConfigError(f"{HEAP_VARIABLE} is {chosen!r}: give a size of 64m or more, such as 512m or 2g")
        return f"-Xmx{chosen.lower()}"
    return f"-Xmx{max(256, min(_GIGABYTE, _memory() // 4) // 2**20)}m"


def _memory() -> int:
    """Give the bytes of memory of the machine, or of the container's limit if that is less."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        total = 4 * _GIGABYTE
    with suppress(ImportError, ValueError, OSError):
        import resource

        address_space = resource.getrlimit(resource.RLIMIT_AS)[0]
        if address_space != resource.RLIM_INFINITY:
            total = min(total, address_space // 2)  # Java reserves much more than its heap
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(limit).read_text()))
        except (OSError, ValueError):
            continue
    return total
