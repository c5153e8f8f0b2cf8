"""Writes requirements.txt: every package of vLLM for the CPU, pinned by version and sha256.

usage: lock.py VLLM_WHEEL REPORT.json... > requirements.txt

Each report is what `pip install --dry-run --report` wrote for one Python version, over the
requirements of the wheel without torch* plus torch itself (its metadata asks for torch+cpu,
which PyPI does not have; stock torch works). Installed with --no-deps, so nothing else comes.
"""
import hashlib
import json
import pathlib
import sys

pins: dict[str, set[str]] = {}
for report in sys.argv[2:]:
    for item in json.loads(pathlib.Path(report).read_text())["install"]:
        meta = item["metadata"]
        pin = f"{meta['name'].lower().replace('_', '-')}=={meta['version']}"
        pins.setdefault(pin, set()).add(item["download_info"]["archive_info"]["hashes"]["sha256"])

wheel = pathlib.Path(sys.argv[1])
name, version = wheel.name.split("-")[:2]
pins[f"{name.replace('_', '-')}=={version}"] = {hashlib.sha256(wheel.read_bytes()).hexdigest()}

print("# Made by lock.py; installed with pip --require-hashes --no-deps. x86-64, Python 3.11 to 3.13.")
for pin in sorted(pins):
    print(pin + "".join(f" \\\n    --hash=sha256:{h}" for h in sorted(pins[pin])))
