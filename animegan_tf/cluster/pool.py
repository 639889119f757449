"""A `Pool` of Ray actors that work through a stream of tasks, whatever becomes of nodes."""

import collections
import contextlib
import dataclasses
import os
import sys
import time

from animegan_tf.errors import InputError, reason_of

# Tasks that a worker has at once: one is read or written while another is drawn.
DEPTH = 2
# Attempts of a task whose worker is lost or cannot write, and of starting workers in a row.
_TRIES = 3
# Seconds without tasks for a worker that cannot write.
_REST = 30
# Seconds of waiting for resources after which a line says so.
_LONG = 60


@contextlib.contextmanager
def connected(address=None, cpus=None):
    """A connection to the Ray cluster at `address`, or to one of this machine alone.

    cpus: CPUs of the latter, by default all. It listens on the loopback interface only. Raises
    `InputError` if Ray is not installed or the cluster cannot be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address is None:
        # Read when Ray is imported; Ray's way of choosing the loopback interface.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    try:
        import ray
    except ImportError as error:
        raise InputError(
            "ray: expected it to be installed, found nothing: pip install 'animegan_tf[cluster]'"
        ) from error
    options = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        options |= {"include_dashboard": False, "num_cpus": cpus}
    try:
        ray.init(address=address or "local", **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(f"address: expected a Ray cluster, {reason_of(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


@dataclasses.dataclass
class _Task:
    """A call of a worker's method; `lost` and `refused` count attempts that failed."""

    item: object
    lost: int = 0
    refused: int = 0


class _Actor:
    """An actor with the tasks that it has, by reference, oldest first."""

    def __init__(self, handle):
        self.handle, self.tasks, self.node = handle, {}, None
        self.rests_until = 0.0

    def is_free(self, task):
        """Whether it takes this task now; one that may have killed a worker runs alone."""
        if self.node is None or time.monotonic() < self.rests_until:
            return False
        alone = task.lost or any(other.lost for other in self.tasks.values())
        return len(self.tasks) < (1 if alone else DEPTH)


class Pool:
    """`count` workers with `cpus` and `gpus` each.

    Attributes:
        gpus: those of a worker.
        lost: the number of workers that were lost.
    """

    def __init__(self, worker, arguments, count=None, cpus=1, gpus=0):
        """worker: a class like `worker.Worker`, and its `arguments`. count: by default as many as
        the cluster has resources for now, at least 1.
        """
        import ray

        self._ray, self.gpus, self.lost = ray, gpus, 0
        limits = {"num_cpus": cpus, "num_gpus": gpus}
        self._make = ray.remote(worker).options(
            **limits, max_restarts=0, max_concurrency=DEPTH, scheduling_strategy="SPREAD"
        )
        # Once in each node's memory, also for workers that replace others.
        self._arguments = [ray.put(argument) for argument in arguments]
        self.count = count or self._possible(cpus, gpus)
        self._actors, self._starting, self._failures = [], {}, 0
        self._since, self._started = time.monotonic(), False
        self._full = None

    def _possible(self, cpus, gpus):
        have, possible = self._ray.cluster_resources(), []
        for name, each in (("CPU", cpus), ("GPU", gpus)):
            possible += [int(have.get(name, 0) / each)] if each else []
        return max(1, min(possible, default=1))

    def close(self):
        """End the workers."""
        for actor in self._actors:
            self._ray.kill(actor.handle)
        self._actors = []

    def wait(self):
        """Start all workers and wait for them. Raises the errors of `run`."""
        while self._starting or len(self._actors) < self.count:
            self._fill()
            self._finished()

    def run(self, method, items, stopped=lambda: False):
        """Yield (item, value, error) for each of `items` as `method(item, again)` returns.

        value: that of the worker's `Outcome`. error: a text if it failed on three workers, else
        None. Items are taken from the iterator when there is a free worker. Once `stopped()`, no
        further items are taken. Raises `InputError` if workers cannot start, and `OSError` if none
        can write.
        """
        try:
            yield from self._run(method, iter(items), stopped)
        finally:
            # After an error, others must not receive what is still being done.
            for actor in [actor for actor in self._actors if actor.tasks]:
                self._actors.remove(actor)
                self._ray.kill(actor.handle)

    def _run(self, method, items, stopped):
        again, ended = collections.deque(), False
        while True:
            self._fill()
            waiting = None
            while not (ended or stopped()) or again:
                waiting = again.popleft() if again else self._next(items)
                if waiting is None:
                    ended = True
                    break
                if not self._send(method, waiting):
                    again.appendleft(waiting)
                    break
            busy = any(actor.tasks for actor in self._actors)
            if not (busy or again):
                return
            if not busy:
                self._refuse_full()
            for task, outcome, lost in self._finished():
                if outcome is not None and not outcome.full:
                    yield task.item, outcome.value, None
                elif max(task.lost, task.refused) >= _TRIES:
                    value = outcome.value if outcome else None
                    yield task.item, value, outcome.full if outcome else lost
                else:
                    again.append(task)

    @staticmethod
    def _next(items):
        for item in items:
            return _Task(item)
        return None

    def _send(self, method, task):
        """Give a task to the free actor with the fewest; returns whether there was one."""
        free = [actor for actor in self._actors if actor.is_free(task)]
        if not free:
            return False
        actor = min(free, key=lambda actor: len(actor.tasks))
        call = getattr(actor.handle, method)
        actor.tasks[call.remote(task.item, bool(task.lost))] = task
        return True

    def _fill(self):
        """Start workers until there are `count`."""
        while len(self._actors) < self.count:
            actor = _Actor(self._make.remote(*self._arguments))
            self._starting[actor.handle.start.remote()] = actor
            self._actors.append(actor)

    def _finished(self):
        """[(task, `Outcome` or None, why its worker was lost)] of the tasks that have ended."""
        references = [*self._starting, *(ref for actor in self._actors for ref in actor.tasks)]
        ready, _ = self._ray.wait(references, num_returns=1, timeout=1) if references else ([], 0)
        if not references:
            time.sleep(0.1)
        self._say_what_is_awaited()
        finished = []
        for reference in ready:
            if reference in self._starting:
                finished += self._begin(reference)
                continue
            owners = [actor for actor in self._actors if reference in actor.tasks]
            if owners:  # not one of a worker that was just found to be lost
                finished += self._end(owners[0], reference)
        return finished

    def _begin(self, reference):
        actor = self._starting.pop(reference)
        try:
            actor.node = self._ray.get(reference)
            self._started, self._failures = True, 0
        except self._ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None)
            self._failures += 1
            self._actors.remove(actor)
            if isinstance(cause, InputError) and not self._started:
                raise cause from None
            if self._failures >= _TRIES:
                raise InputError(
                    f"workers: expected them to start, {reason_of(cause or error)}"
                ) from error
        return []

    def _end(self, actor, reference):
        task = actor.tasks[reference]
        try:
            outcome = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            # An error in the worker's own code: the same everywhere.
            del actor.tasks[reference]
            task.lost = _TRIES
            return [(task, None, reason_of(error.cause))]
        except self._ray.exceptions.RayError as error:
            return self._lose(actor, reason_of(error))
        del actor.tasks[reference]
        if outcome.full:
            task.refused += 1
            actor.rests_until, self._full = time.monotonic() + _REST, outcome.full
            print(f"node {actor.node} rests: {outcome.full}", file=sys.stderr)
        return [(task, outcome, None)]

    def _lose(self, actor, reason):
        """All tasks of a worker that was killed, or whose node is gone."""
        self._actors.remove(actor)
        self.lost += 1
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(actor.handle)
        for task in actor.tasks.values():
            task.lost += 1
        return [(task, None, f"its worker was lost: {reason}") for task in actor.tasks.values()]

    def _refuse_full(self):
        """Raise `OSError` if no worker can write, and none is starting."""
        now = time.monotonic()
        resting = all(now < actor.rests_until for actor in self._actors)
        if self._full and resting and not self._starting:
            raise OSError(f"no node can write: {self._full}")

    def _say_what_is_awaited(self):
        if not self._started and self._since and time.monotonic() - self._since > _LONG:
            print("waiting for the cluster's resources", file=sys.stderr)
            self._since = None
