"""The messages of ``pubsub_api.proto``, from its compiled form beside it.

Nothing is generated into Python: the compiled file is read when the first message is made, into a
descriptor pool of its own, so that other descriptions of the same names in this process do no harm.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

COMPILED = Path(__file__).with_name("pubsub_api.binpb")
PACKAGE = "eventbus.v1"


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    files = descriptor_pb2.FileDescriptorSet()
    files.ParseFromString(COMPILED.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for each in files.file:
        pool.AddSerializedFile(each.SerializeToString())
    return pool


@cache
def message(name: str) -> Any:
    """The class of the message with this name. Raises KeyError where the file has none."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{PACKAGE}.{name}"))


def preset(name: str) -> int:
    """The number of a ReplayPreset: LATEST, EARLIEST or CUSTOM."""
    return int(_pool().FindEnumTypeByName(f"{PACKAGE}.ReplayPreset").values_by_name[name].number)
