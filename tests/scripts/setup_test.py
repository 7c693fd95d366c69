"""scripts/setup against an apt of the test's own: what it asks for, and when it asks for nothing."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "setup"

# What the script itself runs; nothing else of this machine is on its PATH.
TOOLS = ("bash", "env", "cat", "sort", "fmt", "mktemp", "rm", "tail")

# Knows the packages listed in the file beside it, as dpkg-query -W with that format does.
DPKG_QUERY = """#!/bin/bash
shift 3
for package in "$@"; do
  if grep -qx "$package" "$0.installed"; then echo "$package installed"
  else echo "dpkg-query: no packages found matching $package" >&2; unknown=1; fi
done
exit ${unknown:-0}
"""
APT_GET = """#!/bin/bash
echo "$DEBIAN_FRONTEND $*" >>"$0.calls"
case "$*" in *" ${APT_FAILS:-nothing}"*) echo "E: the reason"; exit 100;; esac
"""
SUDO = '#!/bin/bash\nexec "$@"\n'


class Setup(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.bin = Path(self.folder.name)
        for tool in (*TOOLS, "grep"):
            self.command(tool, None)
        self.command("dpkg-query", DPKG_QUERY)
        self.command("apt-get", APT_GET)
        self.command("sudo", SUDO)
        self.installed([])

    def command(self, name, text="#!/bin/bash\n"):
        path = self.bin / name
        if text is None:
            path.symlink_to(shutil.which(name))
        else:
            path.write_text(text)
            path.chmod(0o755)

    def installed(self, packages):
        (self.bin / "dpkg-query.installed").write_text("".join(f"{package}\n" for package in packages))

    def run_setup(self, *arguments, **environment):
        (self.bin / "apt-get.calls").unlink(missing_ok=True)
        return subprocess.run([self.bin / "bash", SCRIPT, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=30, env={**os.environ, "PATH": str(self.bin), **environment})

    def calls(self):
        path = self.bin / "apt-get.calls"
        return path.read_text().splitlines() if path.exists() else []

    def asked_for(self):
        return set(re.sub(r".* install ", "", self.calls()[-1]).split()) - {"--yes", "--no-install-recommends"}

    def test_all_of_it_is_installed_on_a_bare_system(self):
        self.assertEqual(self.run_setup().returncode, 0)
        update, install = self.calls()
        self.assertRegex(update, "^noninteractive .*update$")
        self.assertRegex(install, "^noninteractive .* install --yes --no-install-recommends ")
        self.assertLessEqual({"g++", "libcaf-dev", "redis-server", "default-jre-headless", "maven", "clang-format"},
                             self.asked_for())

    def test_a_second_run_asks_apt_for_nothing(self):
        self.run_setup()
        self.installed(self.asked_for())
        again = self.run_setup()
        self.assertEqual((again.returncode, self.calls()), (0, []))

    def test_only_what_is_missing_is_installed(self):
        self.run_setup()
        self.installed(self.asked_for() - {"libhiredis-dev"})
        self.run_setup()
        self.assertEqual(self.asked_for(), {"libhiredis-dev"})

    def test_run_leaves_out_what_only_tests_need(self):
        self.run_setup("--run")
        self.assertLessEqual({"g++", "cmake", "libcaf-dev", "redis-server"}, self.asked_for())
        for package in self.asked_for():
            self.assertNotRegex(package, "jre|maven|pytest|clang|gtest|gmock")

    def test_a_java_and_a_maven_from_elsewhere_are_good_enough(self):
        self.command("java")
        self.command("mvn")
        self.run_setup()
        self.assertFalse({"default-jre-headless", "maven"} & self.asked_for())

    def test_a_library_is_never_taken_for_a_command(self):
        self.command("libhiredis-dev")
        self.run_setup()
        self.assertIn("libhiredis-dev", self.asked_for())

    def test_a_failing_apt_fails_it_and_shows_the_reason(self):
        for step in ("update", "install"):
            with self.subTest(step):
                done = self.run_setup(APT_FAILS=step)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("E: the reason", done.stderr)
                self.assertNotIn("setup: done", done.stderr)

    def test_without_apt_the_packages_are_named(self):
        (self.bin / "apt-get").unlink()
        done = self.run_setup()
        self.assertEqual(done.returncode, 1)
        self.assertIn("libcaf-dev", done.stderr)
        self.assertIn("maven", done.stderr)

    def test_an_unknown_argument_changes_nothing(self):
        self.assertEqual(self.run_setup("--rnu").returncode, 64)
        self.assertEqual(self.calls(), [])


if __name__ == "__main__":
    unittest.main()
