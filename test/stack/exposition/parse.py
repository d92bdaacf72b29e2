"""Parses the exposition on standard input with the strict parser of its format, and prints the names of the families."""

import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

parse = {"openmetrics": openmetrics, "text": text}[sys.argv[1]]
with open(sys.argv[2], encoding="utf-8", newline="") as exposition:
    for family in parse(exposition.read()):
        print(family.name, family.type, len(family.samples))
