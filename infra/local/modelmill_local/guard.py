"""Runs a command and ends its whole process group when standard input closes: when the local cloud is gone.

Started by path, without the package: it must be quick and depend on nothing.
"""

import os
import signal
import subprocess
import sys
import threading


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.killpg(os.getpgid(0), signal.SIGKILL)


def main(command: list[str]) -> int:
    """The command's exit code as a shell would give it."""
    # A handler, not SIG_IGN, which the command would inherit: the command decides what SIGTERM means.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    threading.Thread(target=_end_with_parent, daemon=True).start()
    code = process.wait()
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)
