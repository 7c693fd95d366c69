"""An example of config/, run as its readers run it: the troupe command, the file as it stands, the environment."""

import os
import pathlib

from support.engine import Engine

CONFIG = pathlib.Path(__file__).parents[3] / "config"


class Example(Engine):
    def __init__(self, folder, names, environment, overrides):
        super().__init__(os.environ["TROUPE_BINARY"], folder, {}, environment)
        self.files = [CONFIG / f"{name}.yaml" for name in names]
        self.overrides = {"admin.listen": self.admin, **overrides}

    def write_config(self):
        pass

    def start(self, *options):
        return super().start(*(word for key, value in self.overrides.items() for word in ("--set", f"{key}={value}")),
                             *options)


class Examples:
    """Makes them, with this Kafka and this Redis."""

    def __init__(self, folder, kafka, redis):
        self.folder = folder
        self.environment = {"KAFKA_BROKERS": kafka.address, "REDIS_URL": redis.url}
        self.all = []

    def __call__(self, *names, overrides=None, **environment):
        """The example of config/<name>.yaml, or several in one process; not started yet."""
        made = Example(self.folder / f"example-{len(self.all)}", names, {**self.environment, **environment},
                       overrides or {})
        self.all.append(made)
        return made
