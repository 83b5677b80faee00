from __future__ import annotations

import inspect

import pytest

from takeroot.cli.serve import serve
from takeroot.errors import RecipeError
from takeroot.serve.settings import Settings, read_settings

HOW_IT_SPEAKS = {"folder", "as_json"}  # what is no setting of the server
BY_VARIABLE = {"max_json_depth"}  # settings that hardly anybody needs


def test_every_option_is_a_setting_and_the_other_way_round() -> None:
    options = set(inspect.signature(serve).parameters) - HOW_IT_SPEAKS

    assert options == set(Settings.model_fields) - BY_VARIABLE


def test_an_option_wins_over_a_variable_and_a_variable_over_nothing() -> None:
    environment = {"TAKEROOT_PORT": "1", "TAKEROOT_CACHE": "a=1,b=20", "TAKEROOT_MASK": "false"}

    settings = read_settings({"port": 2, "mask": None}, environment)

    assert (settings.port, settings.mask) == (2, False)
    assert settings.cache_entries == {"a": 1, "b": 20}


@pytest.mark.parametrize("given", ["collector:4318", "file:///tmp/x", "http://", "grpc://c:4317"])
def test_traces_go_to_an_http_address(given: str) -> None:
    with pytest.raises(RecipeError, match="--traces: "):
        read_settings({"traces": given}, {})
