"""What a running gateway says, read."""

from gateway.demo.running import samples_of


def test_metrics_are_read() -> None:
    text = '# HELP a b\n# TYPE a counter\na_total{outcome="kept"} 3.0\nb 1e+09\n'
    assert samples_of(text) == {'a_total{outcome="kept"}': 3.0, "b": 1e9}
