"""Collects the docstrings of the running interpreter's standard library; a program that needs nothing else.

`open_pydocs` runs this file in a child process that has imported nothing yet. Libraries replace functions of the
standard library (torch replaces inspect.getfile, logging replaces warnings.showwarning), so that documents read in a
process of any history would look like another corpus each time.
"""

import functools
import importlib
import inspect
import json
import re
import sys
import types
import warnings
from collections.abc import Iterator

# Modules that can be imported anywhere without a window, a prompt or a side effect, and that Python 3.11 to 3.13 share.
# Left out on purpose: tkinter, turtle, idlelib and test (windows, weight), antigravity and this (they act on import),
# readline (writes to some terminals), and what 3.13 removed (cgi, crypt, imp, telnetlib ...).
MODULES = """
    builtins abc argparse array asyncio atexit base64 binascii bisect bz2 calendar codecs collections
    collections.abc colorsys concurrent.futures configparser contextlib contextvars copy cProfile csv dataclasses
    datetime decimal difflib email email.message email.mime.multipart email.mime.text email.utils enum faulthandler
    filecmp fileinput fnmatch fractions ftplib functools gc getopt getpass gettext glob graphlib gzip hashlib heapq
    hmac html html.parser http http.client http.server importlib importlib.metadata inspect io ipaddress itertools
    json keyword linecache locale logging logging.config logging.handlers lzma math mimetypes mmap multiprocessing
    multiprocessing.pool multiprocessing.shared_memory operator os os.path pathlib pdb pickle platform pprint pstats
    pwd pydoc queue random re reprlib sched secrets shelve shlex shutil signal smtplib socket socketserver sqlite3
    ssl statistics string struct subprocess sys tarfile tempfile textwrap threading time timeit tomllib traceback
    tracemalloc types typing unicodedata unittest unittest.mock urllib urllib.error urllib.parse urllib.request
    urllib.robotparser uuid warnings wave weakref webbrowser xml.etree.ElementTree xml.sax.saxutils zipfile zlib
    zoneinfo
"""

# Classes whose methods repeat those of another class here in other words (decimal.Decimal, asyncio.BaseEventLoop,
# bytes, io.BytesIO, ssl.SSLSocket ...): only the class itself is taken, so that no query has a second, unjudged answer.
REPEATING_CLASSES = """
    asyncio.AbstractEventLoop bytearray bz2.BZ2File decimal.Context ftplib.FTP_TLS io.FileIO logging.LoggerAdapter
    lzma.LZMAFile ssl.SSLObject urllib.request.URLopener
"""

# Where a module's C half has another name than the module with an underscore before it.
IMPLEMENTED_IN = {
    "builtins": {"io"},
    "os": {"posix", "nt"},
    "os.path": {"posixpath", "ntpath", "genericpath"},
    "threading": {"thread"},
    "hmac": {"hashlib", "operator"},
    "importlib": {"frozen_importlib", "frozen_importlib_external"},
}

MIN_CHARACTERS = 16
_BOILERPLATE = re.compile(
    r"Initialize self\.  See help|Alias for field number|Create and return a new object\."
    r"|[\w.]+\([^()]*\)\Z",  # the bare signature that dataclass and namedtuple generate
    re.DOTALL,
)
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
_PROPERTIES = (property, functools.cached_property, types.GetSetDescriptorType)


def collect() -> dict[str, str]:
    """Collect the distinct docstrings of the standard library's public names.

    Of several names with the same text the shortest stays (then the alphabetically first): `set.union`, and not
    `frozenset.union`. Nothing of the result depends on hash order or memory addresses.

    :return: Qualified name -> docstring without indentation, sorted by name.
    """
    texts: dict[str, str] = {}
    for module in MODULES.split():
        for name, docstring in _of_module(module):
            text = inspect.cleandoc(docstring).strip()
            if len(text) >= MIN_CHARACTERS and not _BOILERPLATE.match(text) and not _ADDRESS.search(text):
                texts.setdefault(name, text)
    names_by_text: dict[str, str] = {}
    for name in sorted(texts, key=lambda name: (len(name), name)):
        names_by_text.setdefault(texts[name], name)
    return {name: texts[name] for name in sorted(names_by_text.values())}


def _of_module(module_name: str) -> Iterator[tuple[str, str]]:
    """Yield (qualified name, docstring) of a module and its public content; nothing if it is not there."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = importlib.import_module(module_name)
    except ImportError:  # a platform's or a distribution's Python may lack lzma, pwd, sqlite3, ssl ...
        return
    if isinstance(module.__doc__, str):
        yield module_name, module.__doc__
    prefix = "" if module is sys.modules["builtins"] else f"{module_name}."
    public = set(getattr(module, "__all__", None) or vars(module))
    for name in sorted(public):
        if name.startswith("_"):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a module-level __getattr__ may warn of a deprecation
            thing = getattr(module, name, None)
        if not (inspect.isclass(thing) or inspect.isroutine(thing)):
            continue
        if not _belongs(thing, module_name) or _is_alias(thing, name, module, public):
            continue
        if inspect.isclass(thing):
            yield from _of_class(thing, prefix + name)
        elif isinstance(thing.__doc__, str):
            yield prefix + name, thing.__doc__


def _of_class(cls: type, qualified_name: str) -> Iterator[tuple[str, str]]:
    """Yield (qualified name, docstring) of a class and of its public methods and properties.

    What a private base defines counts as the class's own: `socket.socket.recv` is written in `_socket.socket`.
    """
    if "__doc__" in vars(cls) and isinstance(cls.__doc__, str):
        yield qualified_name, cls.__doc__
    if qualified_name in REPEATING_CLASSES.split():
        return
    seen: set[str] = set()
    for base in cls.__mro__:
        if base is not cls and not _is_private(base):
            continue
        for name, member in sorted(vars(base).items()):
            if name.startswith("_") or name in seen:
                continue
            seen.add(name)
            docstring = _member_docstring(member, base)
            if docstring:
                yield f"{qualified_name}.{name}", docstring


def _member_docstring(member: object, cls: type) -> str | None:
    if isinstance(member, staticmethod | classmethod):
        member = member.__func__
    if inspect.isroutine(member):
        origin = getattr(member, "__module__", None)
        if origin is not None and _root(origin) != _root(cls.__module__):  # put there by another module
            return None
    elif not isinstance(member, _PROPERTIES):
        return None
    docstring = member.__doc__
    return docstring if isinstance(docstring, str) else None


def _belongs(thing: object, module_name: str) -> bool:
    """Whether a module's attribute is defined by the module or by its C half, and not imported from elsewhere."""
    origin = getattr(thing, "__module__", None)
    if origin is None:  # random.random and its like are C methods bound to a hidden instance
        origin = type(getattr(thing, "__self__", None)).__module__
    return _root(origin) == _root(module_name) or _root(origin) in (
        IMPLEMENTED_IN.get(module_name) or IMPLEMENTED_IN.get(_root(module_name), set())
    )


def _root(module_name: str) -> str:
    return module_name.partition(".")[0].lstrip("_")


def _is_private(cls: type) -> bool:
    return any(part.startswith("_") for part in (*cls.__module__.split("."), cls.__name__))


def _is_alias(thing: object, name: str, module: types.ModuleType, public: set[str]) -> bool:
    """Whether the thing has its own name in the same module as well, as OSError has beside IOError."""
    own_name = getattr(thing, "__name__", name)
    return own_name != name and own_name in public and getattr(module, own_name, None) is thing


if __name__ == "__main__":
    json.dump(collect(), sys.stdout)
