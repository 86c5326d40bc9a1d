"""Telemetry: what is counted has a name; the log has a form; a blocked loop shows."""

import asyncio
import contextlib
import json
import logging
import time
from typing import Literal

import pytest
import structlog
from prometheus_client import generate_latest

from gateway.telemetry import Metrics, set_up_log, watch_loop


def test_what_python_sees_of_an_instance_is_counted_by_its_stop() -> None:
    metrics = Metrics()
    metrics.retrieved.labels(service="c-get", outcome="completed").inc()
    shown = generate_latest(metrics.registry).decode()
    for stop in ("associations", "contexts", "catalogued", "retrieved"):
        assert f"# TYPE kuva_{stop}_total counter" in shown
    assert 'kuva_retrieved_total{outcome="completed",service="c-get"} 1.0' in shown


def test_two_gateways_in_one_process_count_apart() -> None:
    one, two = Metrics(), Metrics()
    one.catalogued.inc()
    assert two.registry.get_sample_value("kuva_catalogued_total") == 0


def test_the_log_is_json_lines_in_utc_without_what_is_less_severe(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_log("info", "json")
    log = structlog.get_logger()
    log.debug("not shown")
    log.info("shown", study="1.2.3")
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["level"], said["study"]) == ("shown", "info", "1.2.3")
    assert said["timestamp"].endswith("Z")
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_defect_is_logged_without_the_values_that_were_at_hand(
    capsys: pytest.CaptureFixture[str], form: Literal["json", "console"]
) -> None:
    set_up_log("info", form)
    patient = "Meikäläinen" + "^" + "Matti"
    try:
        int(f"{len(patient)} names")
    except ValueError:
        structlog.get_logger().exception("a defect")
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert patient not in said
    structlog.reset_defaults()


def test_what_a_library_logs_is_a_line_like_ours(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_log("info", "json")
    library = logging.getLogger("some.library")
    library.info("chatter")
    reset = ConnectionResetError("words with a value in them")
    library.warning("it was %s", "reset", exc_info=reset)
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["library"], said["exception"]) == (
        "it was reset",
        "some.library",
        "ConnectionResetError",
    )
    structlog.reset_defaults()
    logging.root.handlers.clear()


async def test_a_blocked_loop_shows() -> None:
    metrics = Metrics()
    task = asyncio.create_task(watch_loop(metrics, period_seconds=0.01))
    await asyncio.sleep(0.015)
    time.sleep(0.1)  # noqa: ASYNC251
    await asyncio.sleep(0.02)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert (metrics.registry.get_sample_value("kuva_loop_lag_seconds_sum") or 0) > 0.05
