# Several instances of one deployment, each with an id of its own, that come and go: asked to end,
# killed, or frozen past their session. Whatever becomes of them, at most so many live at a time.
import random
import signal
import time

from support import feed, kafka, proof

MOST = 4
STEPS = ("transaction.ms_max=100", "checkpoint.interval_s=3",
         "kafka.client.transaction.timeout.ms=10000")  # fmt: skip
PARTITIONS = 4


class Crowd:
    def __init__(self, deployment, steps, seed):
        self.deployment, self.steps = deployment, steps
        self.dice = random.Random(seed)
        self.living = {}  # number: Serve
        self.leaving = set()  # of those, who has been asked to
        self.counts = {"joined": 0, "left": 0, "killed": 0, "frozen": 0}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for serve in self.living.values():
            serve.kill()

    def join(self):
        name = min(set(range(MOST)) - set(self.living))
        self.living[name] = self.deployment.serve(
            *self.steps, f"kafka.transactional_id=id-{self.deployment.group}-{name}"
        )
        self.counts["joined"] += 1

    def leave(self):
        name = self.pick()
        self.living[name].process.send_signal(signal.SIGTERM)
        self.leaving.add(name)
        self.counts["left"] += 1

    def kill(self):
        self.living[self.pick()].kill()
        self.counts["killed"] += 1

    def freeze(self, seconds):
        """A member that sleeps is dropped from the group, and comes back into it afterwards."""
        process = self.living[self.pick()].process
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)
        self.counts["frozen"] += 1

    def pick(self):
        return self.dice.choice(sorted(set(self.living) - self.leaving))

    def bury(self):
        """Takes out those that have ended: in order or by our hand, never by themselves."""
        for name, serve in list(self.living.items()):
            status = serve.process.poll()
            if status is None:
                continue
            assert status in (0, -signal.SIGKILL), f"{name} ended by itself: {serve.words()}"
            del self.living[name]
            self.leaving.discard(name)

    def storm(self, seconds, every_s, frozen_s=0):
        """Every few seconds one joins or goes; one at least is always there or on its way."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.bury()
            moves = []
            if len(self.living) < MOST:
                moves += [self.join] * 2
            if len(set(self.living) - self.leaving) > 1:
                moves += [self.leave, self.kill]
                if frozen_s:
                    moves.append(lambda: self.freeze(frozen_s))
            self.dice.choice(moves)()
            time.sleep(self.dice.uniform(0.5, 1.5) * every_s)

    def calm(self):
        """One stays until all is read; gives it."""
        self.bury()
        if not set(self.living) - self.leaving:
            self.join()
        serve = self.living[self.pick()]
        serve.wait_caught_up()
        return serve

    def end(self):
        """Everybody ends in order, one by one."""
        self.bury()
        for name, serve in list(self.living.items()):
            if name not in self.leaving:
                serve.finish()
        while self.living:
            self.bury()


def weather(broker, scene, folder, name, seconds, frozen_s, seed, per_s):
    """One storm over a feed, then calm, then the proof."""
    deployment = kafka.Deployment(broker, folder, inputs=name)
    deployment.create_topics(PARTITIONS)
    with (
        feed.Feed(deployment, scene.inputs, per_s, PARTITIONS) as events,
        Crowd(deployment, STEPS, seed) as instances,
    ):
        instances.join()
        instances.storm(seconds, every_s=3, frozen_s=frozen_s)
        sent = events.stop()
        instances.calm()
        instances.end()
    proof.assert_each_proved(deployment, sent)
    return instances.counts
