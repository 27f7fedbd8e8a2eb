# One instance at work on events that keep coming, for tests that break something meanwhile; at the
# end everything sent has one outcome and the log is proved to the byte.
import contextlib
import dataclasses
import time

from support import feed, kafka, proof

STEPS = ("transaction.ms_max=100", "checkpoint.interval_s=3")
PARTITIONS = 4


@dataclasses.dataclass
class Work:
    deployment: kafka.Deployment
    serve: kafka.Serve
    events: feed.Feed
    ends_with: str = ""  # words of an end that is in order: then it is started again
    restarts: int = 0

    def committed(self):
        return sum(self.deployment.committed().values())

    def keep(self):
        """What a service manager does; any other end fails the test."""
        if self.ends_with and self.serve.process.poll() is not None:
            line = self.serve.fails()
            assert self.ends_with in line, line
            self.serve = self.deployment.serve(*STEPS)
            self.restarts += 1
        self.serve.check()

    def goes_on(self, seconds=90, records=100):
        """Waits until so many more records are committed; gives how many seconds it took."""
        began = time.monotonic()
        goal = self.committed() + records
        while self.committed() < goal:
            self.keep()
            assert time.monotonic() < began + seconds, f"no progress: {self.serve.words()}"
            time.sleep(0.02)
        assert self.events.thread.is_alive(), "the events ended before the faults"
        return time.monotonic() - began


@contextlib.contextmanager
def under_load(broker, scene, folder, name, per_s, *settings, environment=()):
    deployment = kafka.Deployment(broker, folder, inputs=name)
    deployment.create_topics(PARTITIONS)
    with feed.Feed(deployment, scene.inputs, per_s, PARTITIONS) as events:
        serve = deployment.serve(*STEPS, *settings, environment=environment)
        work = Work(deployment, serve, events)
        try:
            serve.wait_ready(120)
            work.goes_on()
            yield work
            sent = events.stop()
            work.keep()
            work.serve.wait_caught_up()
            counts = work.serve.finish()
        finally:
            work.serve.kill()
    held = deployment.held()
    print(f"{sent} records sent, {held} in the topics, {counts['consumed']} consumed")
    assert held >= sent
    assert counts["consumed"] == held, (counts["consumed"], held)
    proof.assert_each_proved(deployment, held)
