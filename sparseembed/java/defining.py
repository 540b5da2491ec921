"""Hands classes to a Java machine that runs already, with a fixed class path: by JNI's DefineClass, through ctypes."""

import ctypes
import re
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

from sparseembed.errors import EngineError

# Places in JNI's function tables (Java Native Interface Specification, chapter 4; the invocation API, chapter 5).
_GET_ENV = 6
_DEFINE_CLASS, _FIND_CLASS, _EXCEPTION_CLEAR = 5, 6, 17
_GET_STATIC_METHOD, _CALL_STATIC_OBJECT = 113, 116
_JNI_VERSION = 0x00010008


@cache
def define_classes(jar: Path) -> None:
    """Define all classes of a jar in the loader of the machine's own class path.

    The thread must be one that has called Java, and Lucene must be on that path.

    :param jar: The jar; none of its classes may extend another of them.
    :raises EngineError: The machine does not take them.
    """
    remedy = "use sparseembed before this process starts Java itself, or import pyserini first"
    try:
        environment = _environment()
    except (OSError, AttributeError, IndexError) as error:
        raise EngineError(f"our classes cannot be added to the Java that runs here ({error}): {remedy}") from error
    find = _function(environment, _FIND_CLASS, ctypes.c_void_p, ctypes.c_char_p)
    method = _function(
        environment, _GET_STATIC_METHOD, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p
    )
    invoke = _function(
        environment, _CALL_STATIC_OBJECT, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
    )
    define = _function(
        environment, _DEFINE_CLASS, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    )
    clear = _function(environment, _EXCEPTION_CLEAR, None)
    loaders = find(environment, b"java/lang/ClassLoader")
    system = method(environment, loaders, b"getSystemClassLoader", b"()Ljava/lang/ClassLoader;")
    loader = invoke(environment, loaders, system, None)
    with zipfile.ZipFile(jar) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            if not define(environment, name.removesuffix(".class").encode(), loader, content, len(content)):
                clear(environment)
                raise EngineError(f"the class {name} cannot be added to the Java that runs here: {remedy}")


def _environment() -> ctypes.c_void_p:
    """Find the JNI environment of this thread."""
    mapped = Path("/proc/self/maps").read_text()
    library = ctypes.CDLL(re.findall(r"\S*/libjvm\.so", mapped)[0])
    machine, count = ctypes.c_void_p(), ctypes.c_int()
    library.JNI_GetCreatedJavaVMs(ctypes.byref(machine), 1, ctypes.byref(count))
    environment = ctypes.c_void_p()
    get = _function(machine, _GET_ENV, ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
    if get(machine, ctypes.byref(environment), _JNI_VERSION) != 0:
        raise OSError("this thread has not called Java")
    return environment


def _function(table: ctypes.c_void_p, place: int, result: Any, *arguments: Any) -> Any:
    """Give a function of a JNI table; its first argument is the table's owner."""
    functions = ctypes.cast(table, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p))).contents
    return ctypes.CFUNCTYPE(result, ctypes.c_void_p, *arguments)(functions[place])
