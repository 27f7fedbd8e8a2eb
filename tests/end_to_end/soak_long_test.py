# Ten minutes of tools/soak: half of the peak, a fault every half a minute, memory watched.
import subprocess
import sys

from support import program


def test_ten_minutes():
    command = [sys.executable, "-B", program.ROOT / "tools/soak.d/soak.py", "--minutes", "10"]
    done = subprocess.run(command, cwd=program.ROOT, text=True, capture_output=True, timeout=3000)
    print(done.stdout)
    assert done.returncode == 0, done.stderr
