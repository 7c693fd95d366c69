"""A terminal as people have one: a tmux server of the test's own, on a socket of its own, with one window."""

import subprocess
import tempfile
from pathlib import Path


class Tmux:
    def __init__(self, columns, rows, *command):
        self.columns, self.rows, self.command = columns, rows, list(map(str, command))
        self.folder = tempfile.TemporaryDirectory(prefix="tmux-")  # a socket's path must be short

    def __enter__(self):
        # It outlives neither the test nor an aborted run by much: it goes when the command has ended.
        self.ask("new-session", "-d", "-x", self.columns, "-y", self.rows, "timeout", "--foreground", "300", *self.command,
                 ";", "set-option", "-g", "status", "off")
        return self

    def __exit__(self, *_):
        subprocess.run(self._call("kill-server"), capture_output=True, timeout=20)
        self.folder.cleanup()

    def ask(self, *words):
        answer = subprocess.run(self._call(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        assert answer.returncode == 0, f"{words}: {answer.stderr}"
        return answer.stdout

    def lines(self):
        """What stands there; a line that the terminal had to wrap is one, and longer than the window is wide."""
        return [line.rstrip() for line in self.ask("capture-pane", "-p", "-J").rstrip("\n").split("\n")]

    def resize(self, columns, rows):
        self.ask("resize-window", "-x", columns, "-y", rows)

    def press(self, key):
        self.ask("send-keys", key)

    def told(self, *variables):
        return self.ask("display-message", "-p", " ".join(f"#{{{name}}}" for name in variables)).split()

    def _call(self, *words):
        return ["tmux", "-u", "-f", "/dev/null", "-S", str(Path(self.folder.name) / "socket"), *map(str, words)]
