"""What goes on beside a test, on a thread of its own."""

import threading


class Background:
    """Steps again and again from `with` to the end of its block, where the failure of a step fails the test."""

    every = 0.02

    def __init__(self):
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._failed = None

    def step(self):
        raise NotImplementedError

    def finish(self):
        """After the last step."""

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        assert self._failed is None, self._failed

    def _run(self):
        try:
            while not self._stop.wait(self.every):
                self.step()
            self.finish()
        except Exception as problem:
            self._failed = problem
