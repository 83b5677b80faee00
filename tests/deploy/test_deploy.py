"""What stands in deploy/ names addresses, options, variables and metrics that there are."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from takeroot.cli import app
from takeroot.serve import v2
from takeroot.serve.native import ROUTES
from takeroot.serve.settings import PREFIX, Settings, read_settings

DEPLOY = Path(__file__).parents[2] / "deploy"
YAML = sorted([*DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.yml")])
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
HISTORIES = sorted(DEPLOY.rglob("*.test.yml"))


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


def test_the_image_is_built_from_what_it_copies_and_nothing_else() -> None:
    copies = re.findall(
        r"^COPY (?!--from)(.*) \S+$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE
    )
    ignored = (DEPLOY.parent / ".dockerignore").read_text("utf-8").splitlines()

    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == set(" ".join(copies).split())


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


@pytest.mark.parametrize("document", documents("kubernetes/takeroot.yaml"), ids=itemgetter("kind"))
def test_kubernetes_takes_the_manifests(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_hadolint_finds_nothing_in_the_image() -> None:
    tool = Path(sys.executable).with_name("hadolint")

    done = subprocess.run(
        [tool, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "systemd/takeroot.service").read_text(encoding="utf-8")
    unit = tmp_path / "takeroot.service"
    unit.write_text(text.replace("/opt/takeroot/bin/takeroot", sys.executable), encoding="utf-8")

    done = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_grafana_s_own_reader_knows_every_field_of_the_dashboard() -> None:
    register_default_plugins()
    board = json.loads((DEPLOY / "grafana/takeroot.json").read_text(encoding="utf-8"))

    read = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))

    assert kept(board, read) == board


def kept(wanted: Any, given: Any) -> Any:
    """What of ``wanted`` is in ``given``, which may hold more."""
    if isinstance(wanted, dict) and isinstance(given, dict):
        return {key: kept(wanted[key], given[key]) for key in wanted if key in given}
    if isinstance(wanted, list) and isinstance(given, list) and len(wanted) == len(given):
        return [kept(*pair) for pair in zip(wanted, given, strict=True)]
    return given


def test_the_panels_of_the_dashboard_fill_it_and_do_not_overlap() -> None:
    board = json.loads((DEPLOY / "grafana/takeroot.json").read_text(encoding="utf-8"))
    places = [panel["gridPos"] for panel in board["panels"]]
    covered = Counter(
        (x, y)
        for each in places
        for x in range(each["x"], each["x"] + each["w"])
        for y in range(each["y"], each["y"] + each["h"])
    )

    height = max(each["y"] + each["h"] for each in places)
    assert covered == Counter({(x, y): 1 for x in range(24) for y in range(height)})
    assert len({panel["id"] for panel in board["panels"]}) == len(places)
    assert all(panel["targets"] and panel["title"] for panel in board["panels"])


PROMTOOL = shutil.which("promtool")
with_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


def promtool(*words: str | Path) -> None:
    """Run it; it has to find nothing wrong."""
    assert PROMTOOL is not None

    done = subprocess.run([PROMTOOL, *words], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@with_promtool
def test_promtool_takes_the_configuration_and_its_rules() -> None:
    promtool("check", "config", DEPLOY / "prometheus/prometheus.yml")
    promtool("check", "rules", DEPLOY / "prometheus/alerts.yml")


@with_promtool
@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.name)
def test_alerts_come_when_they_should_and_only_then(path: Path) -> None:
    promtool("test", "rules", path)


def test_every_alert_has_a_history_in_which_it_comes() -> None:
    (rules,) = documents("prometheus/alerts.yml")
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}

    coming = {
        expected["alertname"]
        for path in HISTORIES
        for test in documents(f"prometheus/{path.name}")[0]["tests"]
        for expected in test["alert_rule_test"]
        if expected["exp_alerts"]
    }

    assert coming == alerts
