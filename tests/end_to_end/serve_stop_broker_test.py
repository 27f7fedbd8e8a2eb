# A stop that cannot be clean ends all the same: with the broker gone no transaction can be ended,
# so `serve` says what it left open and exits with status 1.
import signal

from support import kafka

# Short transactions, so that one is open at any moment until the inputs are read.
SMALL_STEPS = ("batch.events_max=50", "transaction.events_max=200", "transaction.ms_max=20")


def test_a_stop_without_a_broker_ends_in_time(small_scene, tmp_path):
    with kafka.Broker(tmp_path) as broker:
        deployment = kafka.Deployment(broker, tmp_path)
        deployment.create_topics()
        deployment.load(small_scene.inputs)
        with deployment.serve(*SMALL_STEPS, "kafka.connect_timeout_s=5") as serve:
            serve.wait_committed(1)
            broker.kill()
            serve.process.send_signal(signal.SIGTERM)
            line = serve.fails(seconds=60)
    assert "did not end within 5 s" in line and "nothing is lost" in line, line
