"""Reading .proto files."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pool, message_factory

from takeroot.serve.v2.protofile import parse

TEXT = """
// A comment.
syntax = "proto3";
package shop.v1;
message Order {
  message Line { string name = 1; repeated int64 counts = 2; }  // inside
  enum State { NEW = 0; SENT = 7; }
  State state = 1;
  repeated Line lines = 2;
  map<string, Line> by_name = 3;
  oneof payment { bool cash = 4; bytes card = 5; }
}
service Shop {
  rpc Buy(Order) returns (Order);
  rpc Follow(stream Order) returns (stream Order);
}
"""


def test_what_a_file_says_can_be_used() -> None:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(parse(TEXT, "shop.proto").SerializeToString())
    order = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.v1.Order"))

    made = order(state="SENT", cash=True)
    made.lines.add(name="ü", counts=[1, -2])
    made.by_name["a"].name = "b"
    made.card = b"x"
    found = order.FromString(made.SerializeToString())

    assert (found.state, found.lines[0].counts[:], found.by_name["a"].name) == (7, [1, -2], "b")
    assert found.WhichOneof("payment") == "card"
    calls = pool.FindServiceByName("shop.v1.Shop").methods
    streams = [(each.client_streaming, each.server_streaming) for each in calls]
    assert streams == [(False, False), (True, True)]


@pytest.mark.parametrize(
    "text",
    [
        "sintax",
        'syntax = "proto2";',
        "message A { string name; }",
        "message A { string name = 1; ",
        "service A { message B {} }",
        "service A { rpc B(C) (D); }",
        "enum A { B 1; }",
    ],
)
def test_what_cannot_be_read_names_the_file(text: str) -> None:
    with pytest.raises(ValueError, match=r"bad.proto|invalid literal"):
        parse(text, "bad.proto")
