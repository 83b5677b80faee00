"""The page in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

Running = Any
Serve = Callable[..., Any]

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    """A page in English; a request to elsewhere or an error on its console fails the test."""
    context = browser.new_context(locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    made = context.new_page()
    faults: list[str] = []
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.on("request", lambda request: "127.0.0.1" in request.url or faults.append(request.url))
    yield made
    context.close()
    assert not [fault for fault in faults if not fault.startswith("data:")]


def open_page(page: Page, server: Running) -> None:
    page.goto(f"http://{server.address}/")
    expect(page.locator("#model option")).to_have_count(1, timeout=PATIENCE_MS)


def ask(page: Page, *texts: str) -> None:
    page.fill("#texts", "\n".join(texts))
    page.click("#go")


def test_a_text_gets_its_label_bars_version_and_time(page: Page, shared: Running) -> None:
    open_page(page, shared)

    ask(page, "where is my parcel")

    expect(page.locator("article b")).to_have_text(
        shared.predict("where is my parcel")[1]["predictions"][0]["label"]
    )
    expect(page.locator("article .bar").first).to_contain_text("%")
    version = shared.models[0].split()[1]
    expect(page.locator("#status")).to_contain_text(f"ms · shop · version {version}")
    expect(page.locator("#error")).to_be_hidden()


def test_lines_are_answered_one_by_one_and_an_abstention_says_why(
    page: Page, shared: Running
) -> None:
    open_page(page, shared)

    ask(page, "where is my parcel", "", "zzz qqq")

    expect(page.locator("article")).to_have_count(2)
    expect(page.locator("article").nth(1).locator(".badge")).to_have_text("No answer: out of scope")


def test_a_text_is_shown_and_never_run(page: Page, shared: Running) -> None:
    open_page(page, shared)

    ask(page, "<img src=x onerror=alert(1)> where is it")

    expect(page.locator("article p")).to_have_text("<img src=x onerror=alert(1)> where is it")
    assert page.locator("article img").count() == 0


def test_the_page_speaks_chinese(page: Page, shared: Running) -> None:
    open_page(page, shared)

    page.click("#language")
    ask(page, "zzz qqq")

    expect(page.locator("#go")).to_have_text("预测")
    expect(page.locator(".badge")).to_have_text("不作答：超出范围")
    assert page.locator("html").get_attribute("lang") == "zh"


def test_a_server_that_asks_for_a_token_gets_it(
    page: Page, serve: Serve, shop_bundle: Path, tmp_path: Path
) -> None:
    import json
    import subprocess
    import sys

    tokens = tmp_path / "tokens.json"
    tool = Path(sys.executable).with_name("takeroot")
    words = ["token", "create", "--name", "page", "--scope", "predict", "--tokens", str(tokens)]
    made = subprocess.run([tool, *words, "--json"], capture_output=True, check=True)
    secret = next(v for v in json.loads(made.stdout).values() if str(v).startswith("tkr_"))
    server = serve(shop_bundle, "--tokens", str(tokens))
    page.goto(f"http://{server.address}/")
    expect(page.locator("#error")).to_contain_text("needs a valid token")

    page.fill("#token", secret)
    page.locator("#token").blur()

    expect(page.locator("#model option")).to_have_count(1)
    expect(page.locator("#error")).to_be_hidden()
    ask(page, "where is my parcel")
    expect(page.locator("article")).to_have_count(1)


def test_a_server_with_too_much_work_says_so(page: Page, serve: Serve, shop_bundle: Path) -> None:
    import os
    import signal

    server = serve(shop_bundle, "--workers", "1", "--queue-texts", "1")
    open_page(page, server)
    worker = server.workers()[0]
    os.kill(worker, signal.SIGSTOP)
    connections = [server.connect() for _ in range(6)]
    try:
        for connection in connections:
            connection.request(
                "POST",
                "/v1/models/shop/predict",
                '{"inputs": ["a"]}',
                {"content-type": "application/json"},
            )
        ask(page, "one too many")
        expect(page.locator("#error")).to_contain_text("all the work it can hold")
    finally:
        os.kill(worker, signal.SIGCONT)
        for connection in connections:
            connection.close()


def test_a_server_that_is_gone_is_said_to_be_gone(
    page: Page, serve: Serve, shop_bundle: Path
) -> None:
    server = serve(shop_bundle)
    open_page(page, server)
    server.stop()

    ask(page, "is anybody there")

    expect(page.locator("#error")).to_contain_text("cannot be reached")


def test_the_page_fits_a_phone(browser: Any, shared: Running) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, locale="zh-CN")
    page = context.new_page()
    open_page(page, shared)
    ask(page, "where is my parcel " + "long" * 60)
    expect(page.locator("article")).to_have_count(1, timeout=PATIENCE_MS)

    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()


def test_a_model_that_is_gone_is_said_to_be_gone_and_found_again(
    page: Page, serve: Serve, shop_bundle: Path
) -> None:
    server = serve(shop_bundle)
    open_page(page, server)
    ask(page, "where is my parcel")
    expect(page.locator("article")).to_have_count(1)

    server.call("POST", "/v2/repository/models/shop/unload", {})
    ask(page, "where is it now")

    expect(page.locator("#error")).to_contain_text("no longer served")
    expect(page.locator("article")).to_have_count(0)  # an old answer would be taken for a new one
    expect(page.locator("#model option")).to_have_count(0)
    server.call("POST", "/v2/repository/models/shop/load", {})
    ask(page, "where is it now")
    expect(page.locator("article")).to_have_count(1)
    expect(page.locator("#error")).to_be_hidden()


@pytest.fixture(scope="module")
def writing(serve_a_file: Serve, endless_bundle: Path) -> Running:
    """A server whose model writes until it is stopped."""
    return serve_a_file(endless_bundle, "--workers", "1", "--max-new-tokens", "60000")


def test_a_text_is_shown_as_it_is_written_and_stopped(page: Page, writing: Running) -> None:
    open_page(page, writing)

    ask(page, "hello world", "second line")
    expect(page.locator(".written")).to_have_text(re.compile(r"[\s\S]{20}"), timeout=PATIENCE_MS)
    page.click("#stop")

    expect(page.locator("#status")).to_have_text("stopped")
    expect(page.locator("#texts-label")).to_have_text("Prompt")
    expect(page.locator("article .soft")).to_have_text("hello world\nsecond line")
    expect(page.locator("#stop")).to_be_hidden()
    expect(page.locator("#error")).to_be_hidden()


def test_a_whole_text_tells_its_length_in_chinese(
    browser: Any, serve_a_file: Serve, talk_bundle: Path
) -> None:
    server = serve_a_file(talk_bundle, "--workers", "1")
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    open_page(page, server)

    ask(page, "hello world")

    expect(page.locator("#status")).to_contain_text("生成 12 个词元", timeout=PATIENCE_MS)
    expect(page.locator(".badge")).to_have_text("达到长度上限")
    expect(page.locator("#texts-label")).to_have_text("提示语")
    answer = server.predict("hello world", model="talk")[1]["predictions"][0]["text"]
    assert page.locator(".written").text_content() == answer
    context.close()
