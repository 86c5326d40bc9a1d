"""The bench: measures this program beside its peers, and says nothing that was not counted.

What is measured (workloads, peers, bars) are data files in the repository's folder `benchmarks/`; an
installed program has none, and says so.
"""
