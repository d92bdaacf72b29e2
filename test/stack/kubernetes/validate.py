"""Checks the resources of the YAML files named, strictly, against the schemas of one version of Kubernetes.

Prints what is wrong, and last how many resources have been checked; those of custom kinds have no schema.
"""

import sys

import kubernetes_validate
import yaml

version, *files = sys.argv[1:]
checked, faults = 0, 0
for file in files:
    with open(file, encoding="utf-8") as text:
        for resource in filter(None, yaml.safe_load_all(text)):
            if resource["apiVersion"].startswith("monitoring.coreos.com/"):
                continue
            checked += 1
            try:
                kubernetes_validate.validate(resource, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                faults += 1
                print(f"{file}: {resource['kind']} {list(error.path)}: {error.message}")
print(f"checked {checked}")
sys.exit(1 if faults else 0)
