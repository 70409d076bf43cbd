"""RESULTS.md and what else has tables: where they go, and what they were measured on."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "RESULTS.md"
PAGES = (PAGE, ROOT / "docs" / "choose-a-cell.md")


GENERATIONS = {("AuthenticAMD", "26"): "Zen 5", ("AuthenticAMD", "23"): "Zen or Zen 2"}  # by maker and family


def machine() -> str:
    model = platform.processor() or "processor unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        fields = dict(re.findall(r"^([\w ]+?)\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE))
        generation = GENERATIONS.get((fields.get("vendor_id", ""), fields.get("cpu family", "")))
        model = fields.get("model name", model) + (f", {generation}" if generation else "")
    capability = torch.backends.cpu.get_cpu_capability()
    threads = f"{torch.get_num_threads()} threads on {os.cpu_count()} cores"
    return f"{threads} of {model} ({capability}), torch {torch.__version__}"


def write_section(name: str, text: str) -> None:
    """Put a table where its marks stand, in place of what stood between them; a new one at the end of RESULTS.md."""
    section = f"<!-- {name} -->\n{text}\n<!-- end of {name} -->\n"
    pattern = re.compile(rf"<!-- {name} -->\n.*?<!-- end of {name} -->\n", re.DOTALL)
    for path in PAGES:
        page = path.read_text(encoding="utf-8")
        if pattern.search(page):
            path.write_text(pattern.sub(lambda found: section, page), encoding="utf-8")
            return
    PAGE.write_text(PAGE.read_text(encoding="utf-8").rstrip() + "\n\n" + section, encoding="utf-8")
