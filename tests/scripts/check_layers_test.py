"""scripts/check_layers on small trees with violations planted in them."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "check_layers"

# core <- policy <- flow, core <- kafka; a tree in which every include is allowed.
CLEAN = {
    "engine/core/CMakeLists.txt": "engine_module(core SOURCES core.cpp)\n",
    "engine/core/core.hpp": "#pragma once\n#include <string>\n",
    "engine/core/core.cpp": '#include "engine/core/core.hpp"\n',
    "engine/policy/CMakeLists.txt": "engine_module(policy\n  SOURCES policy.cpp\n  DEPS core)\n",
    "engine/policy/policy.hpp": '#include "engine/core/core.hpp"\n',
    "engine/flow/CMakeLists.txt": "engine_module(flow DEPS policy PRIVATE Threads::Threads)  # not core: through policy\n",
    "engine/flow/flow.hpp": '#include "engine/core/core.hpp"\n#include "engine/policy/policy.hpp"\n#include <thread>\n',
    "engine/kafka/CMakeLists.txt": "engine_module(kafka SOURCES kafka.cpp DEPS core PUBLIC PkgConfig::RdKafka)\n",
    "engine/kafka/kafka.hpp": '#include <librdkafka/rdkafka.h>\n#include "engine/core/core.hpp"\n',
    "engine/json/CMakeLists.txt": "engine_module(json PRIVATE simdjson::simdjson)\n",
    "engine/json/json.cpp": "#include <simdjson.h>\n",
    "engine/redis/CMakeLists.txt": "engine_module(redis)\n",
    "engine/redis/redis.cpp": "#include <hiredis/hiredis.h>\n",
    "engine/log/CMakeLists.txt": "engine_module(log)\n",
    "engine/log/log.cpp": "#include <spdlog/spdlog.h>\n",
    "engine/http/CMakeLists.txt": "engine_module(http)\n",
    "engine/http/http.cpp": "#include <boost/beast.hpp>\n",
    "engine/config/CMakeLists.txt": "engine_module(config)\n",
    "engine/config/config.cpp": "#include <yaml-cpp/yaml.h>\n",
    "actors/worker.hpp": '#include "engine/flow/flow.hpp"\n#include "actors/messages.hpp"\n#include <caf/actor.hpp>\n',
    "actors/messages.hpp": "#pragma once\n",
    "apps/troupe/main.cpp": '#include "actors/worker.hpp"\n#include "engine/core/core.hpp"\n#include "apps/shared/x.hpp"\n',
    "apps/shared/x.hpp": "#pragma once\n",
    "tests/free.cpp": '#include <caf/all.hpp>\n#include "apps/shared/x.hpp"\n#include <librdkafka/rdkafka.h>\n',
    "bench/free.cpp": "#include <simdjson.h>\n",
}


class CheckLayers(unittest.TestCase):
    def run_on(self, files=None):
        """Runs the script on the clean tree with these files put in; returns exit code and what it complained."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {**CLEAN, **(files or {})}.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            done = subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True, timeout=30)
        return done.returncode, done.stderr

    def assert_caught(self, name, text, line, *words):
        """The file is refused, at that line, with these words, and nothing else is."""
        code, complaints = self.run_on(files={name: text})
        self.assertEqual(code, 1, complaints)
        first = complaints.splitlines()[0]
        self.assertTrue(first.startswith(f"{name}:{line}: "), complaints)
        for word in words:
            self.assertIn(word, first)
        self.assertIn("layers: 1 include out of place", complaints)

    def test_a_clean_tree_passes(self):
        code, complaints = self.run_on()
        self.assertEqual((code, complaints), (0, ""))

    def test_engine_folders_include_only_what_their_deps_lead_to(self):
        self.assert_caught("engine/policy/bad.cpp", '// first\n#include "engine/flow/flow.hpp"\n', 2,
                           "engine/policy may not know engine/flow", "engine/policy/CMakeLists.txt")
        self.assert_caught("engine/kafka/bad.hpp", '#include "engine/policy/policy.hpp"\n', 1, "engine/kafka")

    def test_a_folder_below_an_engine_folder_is_held_to_the_same_deps(self):
        self.assert_caught("engine/core/detail/bad.hpp", '#include "engine/policy/policy.hpp"\n', 1, "engine/core")

    def test_angle_brackets_hide_nothing(self):
        self.assert_caught("engine/core/bad.cpp", "#include <engine/flow/flow.hpp>\n", 1, "engine/core")

    def test_engine_includes_neither_actors_nor_apps(self):
        self.assert_caught("engine/core/bad.cpp", '#include "actors/worker.hpp"\n', 1, "engine/ may not know actors/")
        self.assert_caught("engine/core/bad.cpp", '#include "apps/shared/x.hpp"\n', 1, "engine/ may not know apps/")

    def test_actors_do_not_include_apps(self):
        self.assert_caught("actors/bad.cpp", '#include "apps/shared/x.hpp"\n', 1, "actors/ may not know apps/")

    def test_nothing_includes_tests_or_bench(self):
        self.assert_caught("apps/troupe/bad.cpp", '#include "tests/support/x.hpp"\n', 1, "tests/")
        self.assert_caught("engine/core/bad.cpp", '#include "bench/x.hpp"\n', 1, "bench/")

    def test_each_library_stays_in_its_folder(self):
        for header, owner in {
            "caf/actor.hpp": "actors",
            "librdkafka/rdkafka.h": "engine/kafka",
            "hiredis/hiredis.h": "engine/redis",
            "simdjson.h": "engine/json",
            "simdjson/dom.h": "engine/json",
            "spdlog/spdlog.h": "engine/log",
            "boost/asio.hpp": "engine/http",
            "yaml-cpp/yaml.h": "engine/config",
        }.items():
            for quoted in (f"<{header}>", f'"{header}"'):
                with self.subTest(quoted):
                    self.assert_caught("engine/core/bad.cpp", f"#include {quoted}\n", 1, header, f"{owner} alone")
                    self.assert_caught("apps/troupe/bad.cpp", f"#include {quoted}\n", 1, header, f"{owner} alone")

    def test_caf_all_is_refused_even_in_actors(self):
        self.assert_caught("actors/bad.cpp", "#include <caf/all.hpp>\n", 1, "caf/all.hpp")

    def test_includes_are_written_from_the_root(self):
        self.assert_caught("engine/flow/bad.cpp", '#include "flow.hpp"\n', 1, '"engine/flow/flow.hpp"')
        self.assert_caught("engine/flow/bad.cpp", '#include "../flow/flow.hpp"\n', 1, "from the root")
        code, complaints = self.run_on(files={"engine/core/detail/x.hpp": "", "engine/core/bad.cpp": '#include "detail/x.hpp"\n'})
        self.assertEqual(code, 1)
        self.assertIn('("engine/core/detail/x.hpp")', complaints)

    def test_every_spelling_of_the_directive_counts(self):
        self.assert_caught("engine/core/bad.cpp", '#pragma once\n  #  include  "actors/worker.hpp"\n', 2)
        self.assert_caught("engine/core/bad.cpp", '#include"actors/worker.hpp" // why\n', 1)

    def test_what_is_commented_out_does_not_count_and_lines_stay_right(self):
        code, complaints = self.run_on(
            files={"engine/core/fine.cpp": '// #include "actors/worker.hpp"\n/* two\n#include <caf/all.hpp>\n*/\n'})
        self.assertEqual((code, complaints), (0, ""))
        self.assert_caught("engine/core/bad.cpp", '/* one\n two */\n#include "actors/worker.hpp"\n', 3)

    def test_all_violations_are_told_at_once(self):
        code, complaints = self.run_on(files={
            "engine/core/bad.cpp": '#include "actors/worker.hpp"\n#include <caf/actor.hpp>\n',
            "actors/bad.cpp": '#include "apps/shared/x.hpp"\n'})
        self.assertEqual(code, 1)
        self.assertIn("layers: 3 includes out of place", complaints)

    def test_deps_that_lead_in_a_circle_are_refused(self):
        code, complaints = self.run_on(files={"engine/core/CMakeLists.txt": "engine_module(core DEPS flow)\n"})
        self.assertEqual(code, 1)
        self.assertIn("lead from", complaints)

    def test_deps_that_name_no_folder_are_refused(self):
        code, complaints = self.run_on(files={"engine/core/CMakeLists.txt": "engine_module(core DEPS flux)\n"})
        self.assertEqual(code, 1)
        self.assertIn("engine/core/CMakeLists.txt", complaints)
        self.assertIn("flux", complaints)

    def test_a_folder_without_its_module_is_refused(self):
        code, complaints = self.run_on(files={"engine/core/CMakeLists.txt": "# engine_module(core)\n"})
        self.assertEqual(code, 1)
        self.assertIn("engine_module(core", complaints)
        self.assert_caught("engine/stray/bad.hpp", '#include "engine/core/core.hpp"\n', 1, "engine/stray is no engine_module")

    def test_an_empty_tree_is_no_success(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
