"""Workers in the processes of a Ray cluster: jobs are handed out, and handed out again where a worker has died."""

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, NamedTuple, Self

from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.errors import ConfigError, EmbedderError
from sparseembed.extras import needing
from sparseembed.indexing.cluster.address import LOCAL, check_address, unreachable
from sparseembed.indexing.cluster.worker import Failure, Ready, Wanted, Worker
from sparseembed.java.faults import fault_handlers_kept
from sparseembed.progress import note
from sparseembed.text import one_line

AHEAD = 2  # jobs that a worker has: one that it does, and one that waits
DEATHS = 3  # of workers over one job: it may be what kills them
PATIENCE = 300.0  # seconds without any worker


class Job(NamedTuple):
    """Something to do: a method of `Worker` and its arguments, and what to call it."""

    name: str
    method: str
    arguments: tuple[Any, ...]


class Workers:
    """Workers of a Ray cluster; a context manager that ends them."""

    def __init__(self, address: str, count: int | None, spec: EmbedderSpec, wanted: Wanted) -> None:
        """Connect to a cluster and start workers.

        :param address: Of the cluster, such as `10.0.0.1:6379` or `auto`; `local` for one of this machine alone, which
            is started and ended here.
        :param count: How many; None for one a GPU, or where there are none one a machine.
        :param spec: The embedder that each holds.
        :param wanted: What each must have.
        :raises ConfigError: Ray is not installed, the cluster cannot be reached, or has no room for a worker.
        """
        self._ray = _ray()
        self._hellos: dict[Any, Any] = {}
        self._ready: dict[Any, Ready] = {}
        self._failed = 0
        self._spec, self._wanted = spec, wanted
        self._started = _connect(self._ray, address)
        try:
            self.count, self._options = _room(self._ray, count)
            self._actor = self._ray.remote(Worker)
            for _ in range(self.count):
                self._start()
        except BaseException:
            self.close()
            raise

    @property
    def ready(self) -> list[Ready]:
        """The workers that have begun."""
        return list(self._ready.values())

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Any]]:
        """Do jobs, in any order.

        :param jobs: The jobs; read as far as there are workers to do them.
        :return: Each job with what it gave.
        :raises EmbedderError: A worker cannot do its job, or one has ended several workers.
        """
        source, again, deaths = iter(jobs), deque[Job](), dict[int, int]()
        doing: dict[Any, tuple[Any, Job]] = {}
        since, ended = time.monotonic(), False
        while True:
            while (worker := self._idle(doing)) is not None:
                job = again.popleft() if again else None if ended else next(source, None)
                if job is None:
                    ended = True
                    break
                doing[worker.run.remote(job.method, *job.arguments)] = worker, job
            if ended and not doing and not again:
                return
            since = time.monotonic() if self._ready else since
            if time.monotonic() - since > PATIENCE:
                raise ConfigError(f"no worker has begun within {PATIENCE:.0f} s: the cluster has no room, or is stuck")
            finished, _ = self._ray.wait([*doing, *self._hellos], num_returns=1, timeout=5.0)
            for reference in finished:
                if reference in self._hellos:
                    self._welcome(reference)
                    continue
                worker, job = doing.pop(reference)
                try:
                    answer = self._ray.get(reference)
                except self._lost() as error:
                    deaths[id(job)] = deaths.get(id(job), 0) + 1
                    if deaths[id(job)] > DEATHS:
                        raise EmbedderError(
                            f"{job.name}: {DEATHS + 1} workers ended over it ({_first_line(error)}): is there memory "
                            "enough? What was finished is kept, and the same command goes on"
                        ) from None
                    again.append(job)
                    self._replace(worker)
                    continue
                except self._ray.exceptions.RayError as error:
                    raise EmbedderError(f"a worker failed at {job.name}: {_first_line(error)}") from None
                if isinstance(answer, Failure):
                    raise EmbedderError(answer.message)
                yield job, answer

    def close(self) -> None:
        """End the workers, and the cluster where it was started here; closing twice is no error."""
        for worker in [*self._ready, *self._hellos.values()]:
            self._ray.kill(worker, no_restart=True)
        self._ready, self._hellos = {}, {}
        if self._started:
            with fault_handlers_kept():
                self._ray.shutdown()
            self._started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        worker = self._actor.options(**self._options).remote(self._spec)
        self._hellos[worker.run.remote("hello", self._wanted)] = worker

    def _welcome(self, reference: Any) -> None:
        worker = self._hellos.pop(reference)
        try:
            answer = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._failed += 1
            if "No module named 'sparseembed'" in str(error):
                raise EmbedderError("a worker's Python has no sparseembed: install it on all machines") from None
            if self._failed > DEATHS:
                raise EmbedderError(f"workers cannot be started: {_first_line(error)}") from None
            self._start()
            return
        if isinstance(answer, Failure):
            raise EmbedderError(answer.message)
        self._ready[worker] = answer

    def _replace(self, worker: Any) -> None:
        """Start another worker in the place of one that has died; its other job fails by itself."""
        gone = self._ready.pop(worker, None)
        if gone is not None:
            note(f"the worker {gone.process} on {gone.host} has ended: another one does its work again")
            self._start()

    def _idle(self, doing: dict[Any, tuple[Any, Job]]) -> Any:
        busy = [id(worker) for worker, _ in doing.values()]
        free = [worker for worker in self._ready if busy.count(id(worker)) < AHEAD]
        return min(free, key=lambda worker: busy.count(id(worker)), default=None)

    def _lost(self) -> tuple[type[BaseException], ...]:
        errors = self._ray.exceptions
        lost = (errors.RayActorError, errors.WorkerCrashedError, errors.ObjectLostError, errors.NodeDiedError)
        return (*lost, errors.OutOfMemoryError)


def _ray() -> Any:
    with needing("ray", "--ray"):
        import ray
        import ray.exceptions
    return ray


def _connect(ray: Any, address: str) -> bool:
    """Connect to a cluster, unless this process is connected; say whether it was."""
    if ray.is_initialized():
        return False
    check_address((os.environ.get("RAY_ADDRESS") or address) if address == "auto" else address)
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
    own = {"include_dashboard": False, "object_store_memory": 200 << 20} if address == LOCAL else {}
    try:
        with fault_handlers_kept():
            ray.init(address=address, **quiet, **own)
    except Exception as error:  # ConnectionError, ValueError, RuntimeError: Ray has no class of its own for it
        raise unreachable(address, _first_line(error)) from None
    return True


def _room(ray: Any, count: int | None) -> tuple[int, dict[str, Any]]:
    """Return how many workers there are to be, and what Ray is to reserve for each."""
    machines = [each["Resources"] for each in ray.nodes() if each["Alive"] and each["Resources"].get("CPU", 0) >= 1]
    if not machines:
        raise ConfigError("the Ray cluster has no machine with a free processor: add one with ray start")
    gpus = sum(int(each.get("GPU", 0)) for each in machines)
    total = sum(int(each["CPU"]) for each in machines)
    wanted = count or gpus or len(machines)
    share = min(total // wanted, *(int(each["CPU"]) for each in machines)) if len(machines) > 1 else total // wanted
    options = {"num_cpus": max(1, share), "scheduling_strategy": "SPREAD", "max_restarts": 0, "max_task_retries": 0}
    if gpus:
        options["num_gpus"] = min(1.0, gpus / wanted)
    most = sum(int(each["CPU"]) // max(1, share) for each in machines)
    if wanted > most:
        raise ConfigError(f"the Ray cluster has room for {most} workers, not {wanted}: ask for fewer with --workers")
    return wanted, options


def _first_line(error: BaseException) -> str:
    """Return what is to be known of an error of Ray's, whose messages have many lines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = next((line for line in reversed(lines) if "Error" in line), lines[0] if lines else type(error).__name__)
    return one_line(told)[:200]
