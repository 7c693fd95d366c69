"""Waiting for a condition with a bound; nothing in these tests sleeps for a guessed time."""

import threading
import time


def eventually(condition, within=30.0, what="", every=0.05):
    """The first true answer of `condition`; fails with the last one when the time is up."""
    end = time.monotonic() + within
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= end:
            raise AssertionError(f"not within {within} s: {_text(what)} (last answer: {answer!r})")
        pause(every)


def stays(condition, during, what="", every=0.05):
    """Fails as soon as `condition` does not hold, watching it for `during` seconds."""
    end = time.monotonic() + during
    while time.monotonic() < end:
        assert condition(), f"did not stay so for {during} s: {_text(what)}"
        pause(every)


def pause(seconds):
    threading.Event().wait(seconds)


def _text(what):
    return what() if callable(what) else what
