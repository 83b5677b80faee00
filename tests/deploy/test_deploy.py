"""What stands in deploy/ names addresses, options, variables and metrics that there are."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from takeroot.cli import app
from takeroot.serve import v2
from takeroot.serve.rest import ROUTES
from takeroot.serve.settings import PREFIX, Settings, read_settings

DEPLOY = Path(__file__).parents[2] / "deploy"
YAML = sorted([*DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.yml")])
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
METRIC = re.compile(r"\b(?:takeroot|nv_inference)_[a-z_]+\b")


def documents(name: str) -> list[dict[str, Any]]:
    text = (DEPLOY / name).read_text(encoding="utf-8")
    return [each for each in yaml.safe_load_all(text) if each]


def inside(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a document."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from inside(each)
    elif isinstance(value, list):
        for each in value:
            yield from inside(each)


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.name)
def test_every_yaml_file_is_one(path: Path) -> None:
    assert list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def test_probes_ask_addresses_that_need_no_token() -> None:
    opened = {route.path for route in ROUTES if route.scope is None}
    asked = [
        each["httpGet"]["path"]
        for name in ("kubernetes/takeroot.yaml", "kubernetes/kserve-runtime.yaml")
        for document in documents(name)
        for each in inside(document)
        if "httpGet" in each
    ]

    assert len(asked) == 4
    assert all(path in opened or v2.scope_of("GET", path) == "none" for path in asked)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_variables_are_settings(path: Path) -> None:
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", path.read_text(encoding="utf-8")))

    assert named <= {PREFIX + name.upper() for name in Settings.model_fields}


def test_the_image_is_neither_root_nor_open_to_all() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    pairs = dict(re.findall(rf"({PREFIX}[A-Z_]+)=(\S+)", text))

    settings = read_settings({}, pairs)

    assert "USER 10001" in text
    assert settings.tokens and settings.tls and not settings.insecure
    assert "torch" not in text.replace("no torch", "")


def test_the_runtime_of_kserve_starts_with_options_there_are() -> None:
    (document,) = documents("kubernetes/kserve-runtime.yaml")
    arguments = document["spec"]["containers"][0]["args"]
    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    options = {word for option in command.params for word in option.opts}

    assert {word for word in arguments if word.startswith("--")} <= options


def test_the_pod_outlives_the_longest_request() -> None:
    deployment = documents("kubernetes/takeroot.yaml")[0]["spec"]["template"]["spec"]
    container = deployment["containers"][0]
    values = {each["name"]: float(each["value"]) for each in container["env"]}
    needed = values["TAKEROOT_DRAIN_DELAY_S"] + values["TAKEROOT_TIMEOUT_S"]

    stop_s = float(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert deployment["terminationGracePeriodSeconds"] > needed + stop_s


def test_no_container_may_write_or_become_more() -> None:
    for name in ("kubernetes/takeroot.yaml", "kubernetes/kserve-runtime.yaml"):
        limits = [each for each in inside(documents(name)[0]) if "readOnlyRootFilesystem" in each]
        assert limits
        for each in limits:
            assert each["readOnlyRootFilesystem"] is True
            assert each["allowPrivilegeEscalation"] is False
            assert each["capabilities"] == {"drop": ["ALL"]}


def test_the_unit_of_systemd_ends_it_gently() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "systemd/takeroot.service", encoding="utf-8")

    assert unit["Service"]["ExecStart"].split()[1] == "serve"
    assert int(unit["Service"]["TimeoutStopSec"]) > Settings().timeout_s
    assert unit["Service"]["KillMode"] == "mixed"  # SIGTERM to the server, which ends its workers


@pytest.mark.parametrize("name", ["prometheus/alerts.yml", "grafana/takeroot.json"])
def test_metrics_that_are_watched_are_there(name: str, metrics: str) -> None:
    known = {line.split()[2] for line in metrics.splitlines() if line.startswith("# TYPE")}
    known |= {f"{each}_{part}" for each in known for part in ("bucket", "sum", "count")}

    named = set(METRIC.findall((DEPLOY / name).read_text(encoding="utf-8")))

    assert named
    assert named <= known


@pytest.fixture
def metrics() -> str:
    """What a server without any request tells Prometheus."""
    from takeroot.serve.caller import Gate
    from takeroot.serve.pool import Pool
    from takeroot.serve.service import Service
    from takeroot.serve.telemetry import Telemetry

    gate = Gate(None)
    telemetry = Telemetry()
    found = telemetry.render(Service(Path(), Settings(), Pool(1), gate)).decode()
    gate.close()
    return found


def test_the_dashboard_is_whole() -> None:
    board = json.loads((DEPLOY / "grafana/takeroot.json").read_text(encoding="utf-8"))

    assert board["uid"] == "takeroot"
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all(panel["targets"] and panel["title"] for panel in board["panels"])


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_takes_the_rules() -> None:
    rules = DEPLOY / "prometheus/alerts.yml"

    done = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
