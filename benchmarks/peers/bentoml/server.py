"""`server.py MODEL PATH PORT`: `bentoml serve` with one worker."""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    name, path, port = sys.argv[1:]
    os.environ |= {"BENCH_MODEL": name, "BENCH_PATH": path, "BENTOML_DO_NOT_TRACK": "true"}
    folder = str(Path(__file__).parent)
    command = [sys.executable, "-m", "bentoml", "serve", "service:Onnx", "--working-dir", folder]
    os.execv(sys.executable, [*command, "--host", "127.0.0.1", "--port", port])
