"""Encrypted connections, end to end, with a certificate made for the test."""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import tritonclient.grpc

Running = Any
Serve = Callable[..., Any]

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
PREDICT = "/v1/models/shop/predict"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate that signs itself, for this machine, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    line = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    line += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    line += ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(line, check=True, capture_output=True)
    return cert, key


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def encrypted(serve_a_file: Serve, shop_bundle: Path, pair: tuple[Path, Path]) -> Running:
    cert, key = map(str, pair)
    return serve_a_file(shop_bundle, "--grpc-port", "0", "--tls-cert", cert, "--tls-key", key)


def over_rest(server: Running, context: ssl.SSLContext) -> tuple[int, Any]:
    """Status and answer of a prediction."""
    connection = http.client.HTTPSConnection(server.address, timeout=60, context=context)
    body = json.dumps({"inputs": ["where is my parcel"]})
    try:
        connection.request("POST", PREDICT, body, {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_rest_is_answered_to_a_client_that_knows_the_certificate(
    encrypted: Running, pair: tuple[Path, Path]
) -> None:
    status, found = over_rest(encrypted, ssl.create_default_context(cafile=str(pair[0])))

    assert (status, found["predictions"][0]["label"]) == (200, "delivery")


def test_a_client_that_does_not_know_the_certificate_does_not_ask(encrypted: Running) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        over_rest(encrypted, ssl.create_default_context())


def test_old_versions_of_tls_are_not_spoken(encrypted: Running) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        over_rest(encrypted, context)


def test_plain_http_is_not_answered(encrypted: Running) -> None:
    connection = http.client.HTTPConnection(encrypted.address, timeout=60)
    connection.request("GET", "/healthz")

    with pytest.raises((http.client.HTTPException, OSError)):
        connection.getresponse()
    connection.close()


def test_grpc_is_answered_to_a_client_that_knows_the_certificate(
    encrypted: Running, pair: tuple[Path, Path]
) -> None:
    with tritonclient.grpc.InferenceServerClient(
        encrypted.grpc, ssl=True, root_certificates=str(pair[0])
    ) as client:
        assert client.is_server_ready()


def test_plain_grpc_is_not_answered(encrypted: Running) -> None:
    with grpc.insecure_channel(encrypted.grpc) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/inference.GRPCInferenceService/ServerLive")(b"", timeout=30)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_an_encrypted_server_ends_with_0(
    serve: Serve, shop_bundle: Path, pair: tuple[Path, Path]
) -> None:
    cert, key = map(str, pair)
    server = serve(shop_bundle, "--tls-cert", cert, "--tls-key", key)

    status, _ = over_rest(server, ssl.create_default_context(cafile=cert))

    assert (status, server.stop()) == (200, 0)


def test_a_key_of_another_certificate_is_refused(
    shop_bundle: Path, pair: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from takeroot.cli import main

    cert, _ = certificate(tmp_path)
    options = ["--tls-cert", str(cert), "--tls-key", str(pair[1])]

    assert main(["serve", str(shop_bundle), "--port", "0", "--grpc-port", "-1", *options]) == 1
    assert "cannot be used" in capfd.readouterr().err
