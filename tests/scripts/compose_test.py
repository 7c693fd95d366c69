"""docker-compose.yml and the Dockerfile against what they are made of: configs, topics, files."""

import re
import unittest
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def listed(topics):
    return topics if isinstance(topics, list) else [topics]


def topics_of(actor):
    """All that an actor reads and writes; dead letters have their topics from the engine, also where they are read."""
    return {topic for use in ("ingest", "consume", "publish", "generate") if use in actor
            for topic in listed(actor[use]["topic"]) if not topic.endswith(".dlq")}


def config_of(service):
    """The config that a service runs; nothing for those that run none."""
    command = service.get("command", [])
    return ROOT / "config" / Path(command[1]).name if command[:1] == ["run"] else None


class Compose(unittest.TestCase):
    def setUp(self):
        self.engines = {name: config_of(service) for name, service in SERVICES.items() if config_of(service)}
        self.actors = {path: yaml.safe_load(path.read_text())["actors"] for path in set(self.engines.values())}

    def test_every_example_runs(self):
        self.assertEqual({path.stem for path in self.actors}, {"ecommerce", "analytics", "video", "telemetry"})

    def test_the_topics_are_those_of_the_configs(self):
        loop = SERVICES["topics"]["command"][0]
        created = re.search(r"for topic in(.*?)\bdo\b", loop, re.DOTALL)[1].replace("\\\n", " ").split()
        wanted = set().union(*(topics_of(actor) for actors in self.actors.values() for actor in actors.values()))
        self.assertEqual(sorted(created), sorted(wanted))

    def test_ports_are_on_the_loopback_and_lead_to_a_listener(self):
        for name, service in SERVICES.items():
            for port in service.get("ports", []):
                self.assertRegex(port, r"^127\.0\.0\.1:\d+:\d+$", name)
                if name in self.engines:
                    actors = self.actors[self.engines[name]].values()
                    doors = {actor["ingest"]["listen"].split(":")[1] for actor in actors if "ingest" in actor}
                    self.assertIn(port.split(":")[-1], doors, f"{name} publishes {port}")

    def test_workers_are_their_service_without_its_port(self):
        for name in ("ecommerce", "analytics", "video"):
            service, workers = dict(SERVICES[name]), dict(SERVICES[f"{name}-workers"])
            self.assertEqual(workers.pop("deploy"), {"replicas": 0})
            service.pop("ports")
            self.assertEqual(workers, service)

    def test_what_is_waited_for_can_be_waited_for(self):
        for name, service in SERVICES.items():
            for other, how in service.get("depends_on", {}).items():
                self.assertIn(other, SERVICES, name)
                if how["condition"] == "service_healthy":
                    self.assertIn("test", SERVICES[other].get("healthcheck", {}), f"{name} waits for {other}")

    def test_volumes_are_declared_and_used(self):
        used = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])}
        self.assertEqual(used, set(COMPOSE["volumes"]))

    def test_every_variable_of_a_config_is_set(self):
        for name, path in self.engines.items():
            asked = set(re.findall(r"\$\{([A-Z_]+)", path.read_text())) - {"ADMIN_LISTEN"}  # the image sets that one
            self.assertEqual(set(SERVICES[name]["environment"]), asked, name)


class Image(unittest.TestCase):
    def test_what_is_copied_exists_and_reaches_the_build(self):
        let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
        for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
            for source in sources.split():
                self.assertTrue(list(ROOT.glob(source)), source)
                reaches = any(Path(source).is_relative_to(path) for path in let_in)
                self.assertTrue(reaches, f".dockerignore keeps {source} out")

    def test_it_does_not_run_as_root(self):
        self.assertRegex(DOCKERFILE.split("\nFROM ")[-1], r"(?m)^USER [1-9]\d*:[1-9]\d*$")


if __name__ == "__main__":
    unittest.main()
