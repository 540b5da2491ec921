"""The threads that Java runs in: a few of ours, which live as long as the process.

A thread that calls Java is attached to the machine and stays so until it ends; the main thread's stack would get guard
pages, which it cannot grow over (numpy's solvers then crash). So no caller's thread ever calls Java by itself.
"""

import atexit
import os
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic
from typing import Any, ParamSpec, TypeVar

from sparseembed.errors import EngineError

THREADS = 4
"""Calls that Java may be busy with at the same time."""

_PATIENCE = 2.0  # seconds that the end of the interpreter waits for a call that was left behind

_Result = TypeVar("_Result")
_Arguments = ParamSpec("_Arguments")


class _Task:
    """One call on its way: what to do, what came of it, and a lock that is free once it is done."""

    __slots__ = ("done", "dropped", "error", "result", "work")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work: Callable[[], Any] | None = work
        self.result: Any = None
        self.error: BaseException | None = None
        self.dropped = False
        self.done = threading.Lock()
        self.done.acquire()


class _Pool:
    """The threads and their queue. `forked` is set in the child of a process in which Java ran."""

    def __init__(self) -> None:
        self.forked = False
        self.java_started = False
        self.reset()

    def reset(self) -> None:
        self.lock = threading.Lock()
        self.tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self.threads: list[threading.Thread] = []
        self.ended = False


_pool = _Pool()
_place = threading.local()


def call(work: Callable[_Arguments, _Result], *arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
    """Do something in a thread that may call Java, and wait for it; Ctrl-C ends the waiting.

    What is given back must not hold objects of Java: they would be freed in the caller's thread.

    :param work: The function.
    :param arguments: Its arguments.
    :param named: Its named arguments.
    :return: Its result; its exception is raised here.
    :raises EngineError: This process was forked from one in which Java ran.
    """
    refuse_fork()
    if getattr(_place, "ours", False):
        return work(*arguments, **named)
    _start_threads()
    task = _Task(lambda: work(*arguments, **named))
    _pool.tasks.put(task)
    try:
        task.done.acquire()
    except BaseException:
        task.dropped = True
        raise
    error, task.error = task.error, None
    if error is not None:
        try:
            raise error
        finally:
            del error  # or the exception and this frame would hold each other
    result: _Result = task.result
    return result


def post(work: Callable[[], Any]) -> None:
    """Do something in a thread that may call Java, without waiting; exceptions are dropped. For finalizers.

    :param work: The function.
    """
    if _pool.threads and not _pool.forked:
        _pool.tasks.put(_Task(work))


def refuse_fork() -> None:
    """Raise in the child of a process in which Java ran: its threads are gone, and a call would wait for ever.

    :raises EngineError: This is such a process.
    """
    if _pool.forked:
        raise EngineError(
            "Java cannot be used after a fork: this process was forked from one that had started Java; use the engine "
            "`native`, which needs none, or start processes with multiprocessing's `spawn` method"
        )


def forked() -> bool:
    """Whether this is the child of a process in which Java ran."""
    return _pool.forked


def mark_started(started: bool) -> None:
    """Note that Java is about to start in this process, so that a fork from here on is known for one.

    :param started: False where it did not start.
    """
    _pool.java_started = started


def mark_forked() -> None:
    """Note that Java ran in the parent of this process."""
    _pool.forked = True


def _start_threads() -> None:
    """Start the threads, unless they run."""
    if _pool.threads:
        return
    with _pool.lock:
        if _pool.ended:
            raise EngineError("Java cannot be used any more: the interpreter is ending")
        if _pool.threads:
            return
        started = [threading.Thread(target=_work, name=f"java-{n}", daemon=True) for n in range(THREADS)]
        for thread in started:
            thread.start()
        _pool.threads = started
        atexit.unregister(_end)
        atexit.register(_end)


def _work() -> None:
    """Do what is asked, one task after the other."""
    _place.ours = True
    while True:
        task = _pool.tasks.get()
        if task is None:
            return
        if not task.dropped:
            try:
                assert task.work is not None
                task.result = task.work()
            except BaseException as error:
                task.error = error
        task.work = None  # frees its arguments here, and not where the caller happens to be
        task.done.release()
        del task


def _end() -> None:
    """End the threads with the interpreter; one that is still in Java is left alone after a while."""
    with _pool.lock:
        threads, _pool.threads, _pool.ended = _pool.threads, [], True
    for _ in threads:
        _pool.tasks.put(None)
    until = monotonic() + _PATIENCE
    for thread in threads:
        thread.join(max(0.0, until - monotonic()))


def _after_fork() -> None:
    """Forget, in a child, the threads that only the parent has."""
    others = getattr(sys.modules.get("jnius_config"), "vm_running", False)  # a machine that we never used
    _pool.forked = _pool.forked or _pool.java_started or others
    _pool.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
