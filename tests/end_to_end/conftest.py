# Fixtures of the end-to-end tests: the generated scene, made once a test program, and the broker,
# started where it is first asked for and ended with the program.
import pytest
from support import kafka, program, scene


@pytest.fixture(scope="session")
def small_scene(tmp_path_factory):
    return scene.make(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    with kafka.Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


def pytest_sessionstart(session):
    if not program.PROGRAM.exists():
        pytest.exit(f"no program {program.PROGRAM}: run tools/build", returncode=1)
