# A broker with security: who asks has to say who it is, again every few seconds, may lose its
# rights and gets only so much of the broker.
import os
import subprocess

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from support import kafka, pages, work

REAUTHENTICATE_S = 3
ENGINE = "User:engine"
MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """Without a name one may do everything, as the tests do; the engine comes by another door."""
    port = pages.free_port()
    broker = kafka.Broker(tmp_path_factory.mktemp("broker"))
    properties = (
        "listener.security.protocol.map="
        "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CLIENTS:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms=PLAIN",
        f'listener.name.clients.plain.sasl.jaas.config={MODULE} required user_engine="secret";',
        f"listener.name.clients.connections.max.reauth.ms={REAUTHENTICATE_S * 1000}",
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users=User:ANONYMOUS",
    )
    broker.options = ["--clients", f"{port}:{port}"]
    for line in properties:
        broker.options += ["--property", line]
    broker.as_engine = (
        f"kafka.bootstrap_servers=127.0.0.1:{port}",
        "kafka.client.security.protocol=SASL_PLAINTEXT",
        "kafka.client.sasl.mechanism=PLAIN",
        "kafka.client.sasl.username=engine",
        "kafka.client.sasl.password=secret",
    )
    with broker:
        for kind in (ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID):
            set_rule(broker, kind, "*", AclOperation.ALL, AclPermissionType.ALLOW)
        yield broker


def set_rule(broker, kind, name, operation, permission):
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    rule = AclBinding(kind, name, ResourcePatternType.LITERAL, ENGINE, "*", operation, permission)
    for done in admin.create_acls([rule]).values():
        done.result()


def lift_denials(broker):
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    denials = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, ENGINE, None, AclOperation.ANY,
        AclPermissionType.DENY,
    )  # fmt: skip
    for done in admin.delete_acls([denials]).values():
        assert done.result()


def limit_producers(broker, bytes_per_s):
    """A quota of the engine's, or none; the Python client has no request for it."""
    name = "producer_byte_rate"
    change = ["--delete-config", name]
    if bytes_per_s:
        change = ["--add-config", f"{name}={bytes_per_s}"]
    subprocess.run(
        ["java", "-cp", f"{kafka.JARS}/*", "kafka.admin.ConfigCommand", "--bootstrap-server",
         broker.bootstrap, "--alter", "--entity-type", "users", "--entity-name", "engine", *change],
        check=True, capture_output=True, timeout=120, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip


def test_rights_that_are_withdrawn_and_given_back(secured, small_scene, tmp_path):
    with work.under_load(
        secured, small_scene, tmp_path, "rights-", 200, *secured.as_engine
    ) as at_work:
        deployment = at_work.deployment
        for kind, name, operation in (
            (ResourceType.TOPIC, deployment.output_topic("verdicts"), AclOperation.WRITE),
            (ResourceType.TOPIC, deployment.input_topic("payments"), AclOperation.READ),
            (ResourceType.GROUP, deployment.group, AclOperation.READ),
            (ResourceType.TRANSACTIONAL_ID, "id-rights-", AclOperation.WRITE),
        ):
            set_rule(secured, kind, name, operation, AclPermissionType.DENY)
            line = at_work.serve.fails(90)
            assert name in line and "authorization" in line.lower(), line
            lift_denials(secured)
            at_work.serve = deployment.serve(*work.STEPS, *secured.as_engine)
            at_work.goes_on()
        assert "FAIL" not in at_work.serve.words()


def test_a_quota_makes_it_slow_and_loses_nothing(secured, small_scene, tmp_path):
    with work.under_load(
        secured, small_scene, tmp_path, "quota-", 200, *secured.as_engine
    ) as at_work:
        usual = at_work.goes_on(records=1000)
        limit_producers(secured, 4_000)
        try:
            at_work.goes_on()
            assert at_work.goes_on(records=1000) > 1.5 * usual
        finally:
            limit_producers(secured, 0)
        at_work.goes_on()
