"""RESULTS.md: where the tables go, and what they were measured on."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "RESULTS.md"


def machine() -> str:
    model = platform.processor() or "processor unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text())
        model = found[1] if found else model
    capability = torch.backends.cpu.get_cpu_capability()
    threads = f"{torch.get_num_threads()} threads on {os.cpu_count()} cores"
    return f"{threads} of {model} ({capability}), torch {torch.__version__}"


def write_section(name: str, text: str) -> None:
    """Put a table into RESULTS.md in place of what stood between its marks."""
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "# Results\n\nMeasured by `make results`.\n"
    section = f"<!-- {name} -->\n{text}\n<!-- end of {name} -->\n"
    pattern = re.compile(rf"<!-- {name} -->\n.*?<!-- end of {name} -->\n", re.DOTALL)
    page = pattern.sub(lambda found: section, page) if pattern.search(page) else page.rstrip() + "\n\n" + section
    PAGE.write_text(page, encoding="utf-8")
