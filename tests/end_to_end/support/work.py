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

    def goes_on(self, seconds=90, records=100):
        """Waits until so many more records are committed; gives how many seconds it took."""
        began = time.monotonic()
        self.serve.wait_committed(sum(self.deployment.committed().values()) + records, seconds)
        assert self.events.thread.is_alive(), "the events ended before the faults"
        return time.monotonic() - began


@contextlib.contextmanager
def under_load(broker, scene, folder, name, per_s, *settings, environment=()):
    deployment = kafka.Deployment(broker, folder, inputs=name)
    deployment.create_topics(PARTITIONS)
    with (
        feed.Feed(deployment, scene.inputs, per_s, PARTITIONS) as events,
        deployment.serve(*STEPS, *settings, environment=environment) as serve,
    ):
        serve.wait_ready(120)
        work = Work(deployment, serve, events)
        work.goes_on()
        yield work
        sent = events.stop()
        serve.wait_caught_up()
        counts = serve.finish()
    assert counts["consumed"] == sent, (counts["consumed"], sent)
    proof.assert_each_proved(deployment, sent)
