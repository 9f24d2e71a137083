"""Runs as files: a YAML file and `key.path=value` overrides become one checked pydantic model.

The models themselves stand beside the classes they configure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from rtseg.errors import ConfigError, closest

Model = TypeVar("Model", bound=BaseModel)


class Config(BaseModel):
    """The base of every configuration: immutable, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises:
        ConfigError: the file is missing, unreadable, no YAML, or holds something else.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no such configuration file: {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't read {path}: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds a {type(values).__name__}; a mapping is needed")
    return values


def apply_overrides(values: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return `values` with every ``key.path=value`` of `overrides` set; values are read as YAML.

    >>> apply_overrides({"train": {"epochs": 90}}, ["train.epochs=1"])
    {'train': {'epochs': 1}}

    A number in a path is a position in a list: ``data.train.0.split=val``.

    Raises:
        ConfigError: an override has no ``=``, its value is no YAML, or its path leads through
            something that is neither a mapping nor a list.
    """
    changed: dict[str, Any] = _copy(values)
    for override in overrides:
        path, separator, text = override.partition("=")
        if not separator or not path:
            raise ConfigError(f"--set needs key.path=value; got {override!r}")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ConfigError(f"--set {path}=…: the value is not valid YAML") from None
        _set_path(changed, path.split("."), value, override)
    return changed


def set_keys(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` with every ``key.path`` of `changes` set to its value, as it is.

    >>> set_keys({"train": {"epochs": 90}}, {"train.epochs": 1})
    {'train': {'epochs': 1}}

    Raises:
        ConfigError: a path leads through something that is neither a mapping nor a list.
    """
    changed: dict[str, Any] = _copy(values)
    for path, value in changes.items():
        _set_path(changed, path.split("."), value, path)
    return changed


def validate(model: type[Model], values: Mapping[str, Any], origin: str) -> Model:
    """Check `values` against `model`.

    Args:
        origin: where the values came from, named in the message.

    Raises:
        ConfigError: names every wrong key, what was got, what is allowed, the closest right key.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(_describe(model, problem) for problem in error.errors())
        raise ConfigError(f"{origin}: {problems}") from None


def load_config(model: type[Model], path: Path, overrides: Iterable[str] = ()) -> Model:
    """Read a YAML file, apply the overrides and check the result against `model`.

    Raises:
        ConfigError: as `load_yaml`, `apply_overrides` and `validate`.
    """
    return validate(model, apply_overrides(load_yaml(path), overrides), str(path))


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


def _set_path(values: Any, path: list[str], value: Any, override: str) -> None:
    for position, key in enumerate(path):
        last = position == len(path) - 1
        if isinstance(values, list):
            if not key.isdigit() or int(key) >= len(values):
                raise ConfigError(
                    f"{override!r}: {key!r} is no position in a list of {len(values)}"
                )
            if last:
                values[int(key)] = value
            else:
                values = values[int(key)]
        elif isinstance(values, dict):
            if last:
                values[key] = value
            elif values.get(key) is None:
                values[key] = {}
                values = values[key]
            else:
                values = values[key]
        else:
            raise ConfigError(f"{override!r}: {path[position - 1]!r} holds a plain value")


def _describe(model: type[BaseModel], problem: Mapping[str, Any]) -> str:
    location = problem["loc"]
    where = ".".join(str(part) for part in location) or "the file"
    if problem["type"] == "extra_forbidden":
        known = _fields_at(model, location[:-1])
        return (
            f"unknown key {where!r}.{closest(str(location[-1]), known)} "
            f"Known here: {', '.join(sorted(known))}"
        )
    if problem["type"] == "missing":
        return f"the key {where!r} is missing"
    message = str(problem["msg"]).removeprefix("Value error, ")
    shows = bool(location) and not _is_secret(model, location)
    got = f"{where} is {problem['input']!r}: " if shows else f"{where}: " if location else ""
    return f"{got}{message[:1].lower()}{message[1:]}"


def _fields_at(model: type[BaseModel], location: tuple[Any, ...]) -> set[str]:
    """Return the field names that are allowed at a location of the model, unions included."""
    models = [model]
    for part in location:
        inner = [
            found
            for outer in models
            if isinstance(part, str) and part in outer.model_fields
            for found in _models_in(outer.model_fields[part].annotation)
        ]
        # A list position keeps the level; a union's tag picks the model that has it.
        tagged = [outer for outer in models if _has_tag(outer, part)]
        models = inner or tagged or models
    return {name for found in models for name in found.model_fields}


def _is_secret(model: type[BaseModel], location: tuple[Any, ...]) -> bool:
    """Return whether what was given for a key is a secret, or holds one."""
    models = [model]
    for part in location:
        fields = [one.model_fields[part] for one in models if part in one.model_fields]
        if any(_holds_secret(field.annotation) for field in fields):
            return True
        inner = [found for field in fields for found in _models_in(field.annotation)]
        models = inner if fields else models  # a list position keeps the level
    return any(
        _holds_secret(field.annotation) for one in models for field in one.model_fields.values()
    )


def _holds_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_holds_secret(part) for part in get_args(annotation))


def _has_tag(model: type[BaseModel], tag: Any) -> bool:
    return any(
        get_origin(field.annotation) is Literal and tag in get_args(field.annotation)
        for field in model.model_fields.values()
    )


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (list, tuple, dict, Union, UnionType):
        return [model for part in get_args(annotation) for model in _models_in(part)]
    if hasattr(annotation, "__metadata__"):
        return _models_in(get_args(annotation)[0])
    return []
