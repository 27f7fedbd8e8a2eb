# The HTTP pages of a running instance: health, readiness, metrics.
import socket
import urllib.error
import urllib.request


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(port, path):
    """(status, text) of one page of a running instance."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metric(port, name):
    """The value of one metric; the name with its labels, as in the text format."""
    lines = get(port, "/metrics")[1].splitlines()
    return next(float(s.rpartition(" ")[2]) for s in lines if s.rpartition(" ")[0] == name)
