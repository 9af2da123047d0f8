"""The messages of ``pubsub_api.proto``, from its compiled form beside it.

They live in a descriptor pool of their own: the connector describes the same names in its own words, and
two descriptions of one name in one pool are refused by protobuf.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

COMPILED = Path(__file__).with_name("pubsub_api.binpb")
PACKAGE = "eventbus.v1"
SERVICE = f"{PACKAGE}.PubSub"

LATEST, EARLIEST, CUSTOM = range(3)  #: of ReplayPreset


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    described = descriptor_pb2.FileDescriptorSet.FromString(COMPILED.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in described.file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


@cache
def message(name: str) -> Any:
    """The class of a message by its name, such as ``FetchRequest``. Raises KeyError for an unknown one."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{PACKAGE}.{name}"))
