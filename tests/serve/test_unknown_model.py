"""What a caller who names a model that is not there is told, over every protocol."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from takeroot.serve.tokens import create
from takeroot.serve.v2.messages import INFERENCE, message

Serve = Callable[..., Any]


@pytest.fixture(scope="module")
def asks(
    serve_a_file: Serve, shop_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Callable[[str], str]]:
    """By protocol: what is answered to a token of a scope that asks for a model called other."""
    tokens = tmp_path_factory.mktemp("unknown") / "tokens.json"
    secrets = {
        scope: create(tokens, scope, [scope], lifetime=timedelta(days=1)).secret
        for scope in ("predict", "admin")
    }
    server = serve_a_file(shop_bundle, "--tokens", str(tokens), "--grpc-port", "0")

    def over_rest(scope: str, path: str, body: Any) -> str:
        bearer = f"Bearer {secrets[scope]}"
        found = json.loads(server.call("POST", path, body, authorization=bearer)[2])["error"]
        return found if isinstance(found, str) else found["message"]

    def native(scope: str) -> str:
        return over_rest(scope, "/v1/models/other/predict", {"inputs": ["a"]})

    def protocol(scope: str) -> str:
        tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}
        return over_rest(scope, "/v2/models/other/infer", {"inputs": [tensor]})

    def over_grpc(scope: str) -> str:
        request = message("inference.ModelInferRequest")(model_name="other")
        metadata = [("authorization", f"Bearer {secrets[scope]}")]
        with grpc.insecure_channel(server.grpc) as channel, pytest.raises(grpc.RpcError) as caught:
            call = channel.unary_unary(f"/{INFERENCE}/ModelInfer")
            call(request.SerializeToString(), metadata=metadata, timeout=60)
        return str(caught.value.details())

    return {"native": native, "v2": protocol, "grpc": over_grpc}


@pytest.mark.parametrize("protocol", ["native", "v2", "grpc"])
def test_a_caller_who_may_ask_is_told_which_models_there_are(asks: Any, protocol: str) -> None:
    assert asks[protocol]("predict") == "there is no such model or version; there are: shop"


@pytest.mark.parametrize("protocol", ["native", "v2", "grpc"])
def test_a_caller_who_may_not_is_told_nothing_of_them(asks: Any, protocol: str) -> None:
    assert asks[protocol]("admin") == "the token does not allow this; it needs the scope predict"
