"""scripts/kafka with real brokers, each in a folder of its own; all of them are ended by the tests."""

import shutil
import socket
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "kafka"


def kafka(command, folder, *arguments):
    return subprocess.run([SCRIPT, command, "--data", folder, *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=150)


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def request(address, api, version, body):
    """One Kafka request with correlation id 7 and no client id; the answer's body."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        message = struct.pack(">hhih", api, version, 7, -1) + body
        connection.sendall(struct.pack(">i", len(message)) + message)
        answer = connection.makefile("rb")
        size, correlation = struct.unpack(">ii", answer.read(8))
        assert correlation == 7
        return answer.read(size - 4)


def create_topic(address, name, partitions):
    """CreateTopics, version 2; the error code."""
    body = struct.pack(">i", 1) + text(name) + struct.pack(">ihii", partitions, 1, 0, 0) + struct.pack(">i?", 10000, False)
    throttle, count, length = struct.unpack_from(">iih", answer := request(address, 19, 2, body))
    assert count == 1
    return struct.unpack_from(">h", answer, 10 + length)[0]


def commit(address, group, topic, offset):
    """OffsetCommit, version 2, outside of any membership, for partition 0; the error code."""
    body = (text(group) + struct.pack(">i", -1) + text("") + struct.pack(">q", -1) + struct.pack(">i", 1) + text(topic)
            + struct.pack(">iiq", 1, 0, offset) + text(""))
    return struct.unpack(">h", request(address, 8, 2, body)[-2:])[0]


def committed(address, group, topic):
    """OffsetFetch, version 1, for partition 0."""
    body = text(group) + struct.pack(">i", 1) + text(topic) + struct.pack(">ii", 1, 0)
    answer = request(address, 9, 1, body)
    return struct.unpack_from(">q", answer, 4 + 2 + len(topic) + 4 + 4)[0]


def find_coordinator(address, group):
    """FindCoordinator, version 0: what makes a new broker create the topic of committed offsets; the error code."""
    return struct.unpack_from(">h", request(address, 10, 0, text(group)))[0]


def settled(call, wanted):
    """Whether it answers this within 30 s; a group's coordinator says "loading" or "not yet" in its first moments."""
    end = time.monotonic() + 30
    while (answer := call()) != wanted:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


class KafkaScript(unittest.TestCase):
    def setUp(self):
        self.root = Path(tempfile.mkdtemp(prefix="kafka-test-"))
        self.folders = []
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)

    def folder(self, name):
        path = self.root / name
        self.addCleanup(kafka, "kill", path)
        return path

    def started(self, folder, *arguments):
        done = kafka("start", folder, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^localhost:\d+\n$")
        return done.stdout.strip()

    def test_what_was_acknowledged_survives_a_kill_and_others_are_left_alone(self):
        first, second = self.folder("first"), self.folder("second with a space")
        here, there = self.started(first), self.started(second)
        self.assertNotEqual(here, there)
        self.assertEqual(create_topic(here, "kept", 3), 0)
        self.assertTrue(settled(lambda: find_coordinator(here, "group"), 0))
        self.assertTrue(settled(lambda: commit(here, "group", "kept", 42), 0))
        pid = int((first / "pid").read_text())

        self.assertEqual(kafka("kill", first).returncode, 0)
        self.assertFalse(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes())
        self.assertEqual(kafka("status", first).returncode, 3)
        self.assertEqual(kafka("status", second).returncode, 0)

        self.assertEqual(self.started(first), here)
        self.assertEqual(create_topic(here, "kept", 3), 36)  # exists already
        self.assertTrue(settled(lambda: committed(here, "group", "kept"), 42))
        self.assertEqual(create_topic(there, "kept", 1), 0)  # a cluster of its own

        self.assertEqual(kafka("stop", second).returncode, 0)
        self.assertEqual(kafka("status", second).returncode, 3)
        self.assertEqual(kafka("status", first).returncode, 0)
        self.assertEqual(kafka("stop", first).returncode, 0)
        self.assertEqual(kafka("stop", first).returncode, 0)

    def test_settings_stay_with_the_data_and_a_refused_one_does_not(self):
        folder = self.folder("data")
        refused = kafka("start", folder, "--", "log.retention.hours=soon")
        self.assertEqual((refused.returncode, refused.stdout), (1, ""))
        self.assertIn("log.retention.hours", refused.stderr)
        self.assertEqual(kafka("status", folder).returncode, 3)

        address = self.started(folder, "--", "num.partitions=4")
        self.assertEqual(kafka("start", folder).stdout.strip(), address)
        self.assertEqual(kafka("start", folder, "--", "num.partitions=5").returncode, 1)
        again = kafka("restart", folder, "--", "log.retention.hours=5", "num.partitions=6")
        self.assertEqual(again.stdout.strip(), address, again.stderr)
        lines = (folder / "server.properties").read_text().splitlines()
        self.assertEqual(lines[-2:], ["log.retention.hours=5", "num.partitions=6"])

    def test_in_the_foreground_it_is_the_broker_itself(self):
        folder = self.folder("data")
        broker = subprocess.Popen([SCRIPT, "start", "--foreground", "--data", folder], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(broker.wait)
        self.addCleanup(broker.kill)
        self.assertRegex(broker.stdout.readline(), r"^localhost:\d+\n$")
        self.assertEqual((folder / "pid").read_text().strip(), str(broker.pid))
        broker.terminate()
        self.assertEqual(broker.wait(60), 143)
        broker.stdout.close()
        self.assertEqual(kafka("status", folder).returncode, 3)

    def test_a_port_in_use_is_named_and_its_owner_left_alone(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = kafka("start", self.folder("data"), "--port", str(port))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(f"port {port} is in use", done.stderr)

    def test_a_stale_pid_file_ends_nobody(self):
        folder = self.folder("data")
        folder.mkdir()
        with subprocess.Popen(["sleep", "600"]) as somebody:
            self.addCleanup(somebody.kill)
            (folder / "pid").write_text(f"{somebody.pid}\n")
            for command in ("stop", "kill"):
                self.assertEqual(kafka(command, folder).returncode, 0)
                self.assertIsNone(somebody.poll())
                (folder / "pid").write_text(f"{somebody.pid}\n")
            self.assertEqual(kafka("status", folder).returncode, 3)
            somebody.kill()

    def test_wrong_arguments_are_refused(self):
        for arguments in (("--port", "many"), ("--port", "70000"), ("--", "no-equals-sign"), ("--loud",)):
            with self.subTest(arguments):
                done = kafka("start", self.root / "never", *arguments)
                self.assertEqual(done.returncode, 64)
        self.assertFalse((self.root / "never").exists())


if __name__ == "__main__":
    unittest.main()
