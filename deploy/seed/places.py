"""YAML files read so that every error can name the file and the field."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class SeedError(Exception):
    """A data file cannot be used, or not here; the message names file and field and says what is wrong."""


@dataclass(frozen=True)
class Place:
    """Where in which file a value stands; errors begin with it."""

    file: str
    path: str = ""

    def __getitem__(self, key: str | int) -> "Place":
        return Place(self.file, f"{self.path}.{key}" if self.path else str(key))

    def error(self, message: str) -> SeedError:
        """The error to raise about this value."""
        return SeedError(f"{self.file}: {self.path}: {message}" if self.path else f"{self.file}: {message}")

    def mapping(self, value: Any, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Any]:
        """`value` as a mapping that has all required fields and no unknown ones."""
        if not isinstance(value, dict):
            raise self.error("must be a mapping (name: value)")
        unknown = value.keys() - {*required, *optional}
        if unknown:
            raise self[str(min(map(str, unknown)))].error(f"is not known; known are {', '.join([*required, *optional])}")
        for name in required:
            if value.get(name) is None:
                raise self[name].error("is missing")
        return value

    def items(self, value: Any) -> list[tuple["Place", Any]]:
        """`value` as a list, each item with its place; nothing is an empty list."""
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error("must be a list")
        return [(self[index], item) for index, item in enumerate(value)]


class UniqueKeys(yaml.SafeLoader):
    """Refuses a mapping that names a key twice, of which YAML's own loader would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{key} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


def read_yaml(file: Path) -> Any:
    """The content of a file; raises `SeedError` when it is not YAML."""
    try:
        return yaml.load(file.read_text("utf-8"), UniqueKeys)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Place(file.name).error(f"is not readable YAML: {error}") from error
