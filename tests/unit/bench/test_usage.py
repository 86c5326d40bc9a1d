"""Usage: a family's CPU time and memory, its ended children included."""

import os
import subprocess
import sys

from gateway.bench.usage import Sampler, cpu_seconds, family, machine_busy_seconds, resident

BURN = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BURN!r}])
living = subprocess.Popen([sys.executable, "-c", {BURN!r} + "print('burnt', flush=True); input()"], stdin=subprocess.PIPE)
input()
living.kill()
living.wait()
"""


def test_children_that_live_and_children_that_ended_both_count():
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "burnt\n"
        assert len(family(process.pid)) == 2
        assert cpu_seconds(process.pid) >= 0.6
        alone = resident([process.pid])
        assert 0 < alone < resident(family(process.pid))
        process.stdin.close()


def test_a_process_that_is_gone_has_used_nothing_more():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert cpu_seconds(process.pid) == 0
    assert resident([process.pid]) == 0


def test_the_peak_is_at_least_what_it_was_before_and_sees_what_was_taken():
    with Sampler(os.getpid()) as memory:
        taken = bytearray(os.urandom(1)) * (64 << 20)
        memory._ended.wait(0.2)
        del taken
    assert memory.peak - memory.before > 32 << 20


def test_the_machine_is_at_least_as_busy_as_we_are():
    before, own = machine_busy_seconds(), os.times().user
    while os.times().user - own < 0.2:
        pass
    assert machine_busy_seconds() - before > 0.1
