"""Benchmarks: each prints ratios against a peer or a floor that is measured in the same run.

python -m benchmarks            lists them
python -m benchmarks decide     runs one (or several, or all); --quick ends within a minute, --json prints dat
"""
