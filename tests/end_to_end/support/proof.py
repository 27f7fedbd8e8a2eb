# What ends every test of a fault: the outputs of a disturbed run are those of an undisturbed one to
# the byte, and `tidemark verify` proves the log by itself.
from support import kafka, outputs, program

COMPARED = ("verdicts", "limits", "alerts", *outputs.LETTERS)


def assert_same_outputs(deployment, undisturbed):
    found, expected = deployment.outputs(*COMPARED), undisturbed.outputs(*COMPARED)
    for name in ("verdicts", "limits", "alerts"):
        for partition, (mine, whole) in enumerate(zip(found[name], expected[name], strict=True)):
            outputs.assert_same(
                [m.value() for m in mine], [m.value() for m in whole],
                f"{name}, partition {partition}",
            )  # fmt: skip
        assert kafka.values(found[name]), name
    for name in outputs.LETTERS:
        assert kafka.letters(found[name]) == kafka.letters(expected[name])


def assert_proved(deployment, *flags):
    """`tidemark verify` finds each record's one outcome and, with --bytes, what a replay of the
    journal gives. Gives its last line."""
    patient = deployment.settings("kafka.connect_timeout_s=60")
    command = ["verify", "--config", deployment.config, *flags, *patient]
    done = program.run(*command, timeout=600)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout.splitlines()[-1]


def assert_each_proved(deployment, sent):
    """Every record sent has its outcome, and every byte is what a replay gives."""
    line = assert_proved(deployment, "--bytes")
    topics = kafka.read_committed(deployment.broker, deployment.input_topic("control"))
    partitions = len(deployment.observer().list_topics(timeout=20).topics[
        deployment.output_topic("journal")].partitions)  # fmt: skip
    # Every partition takes in all of control.
    expected = sent + len(kafka.values(topics)) * (partitions - 1)
    assert int(line.split()[1]) == expected, (line, expected)
