"""`timeloom generate MODEL`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from timeloom.cli.parser import make_parser, options_of, parse
from timeloom.cli.streams import for_output
from timeloom.tasks import load_as
from timeloom.tasks.language import GenerationOptions, LanguageModel, generate


def run(argv: Sequence[str]) -> int:
    parser = make_parser("generate", "Write text with a language model, on from a prompt, as it is drawn.")
    parser.add_argument("model", type=str, help="Model folder of a language model.")
    parser.add_argument("--prompt", type=str, default="", help="The text to go on from.")
    parser.add_class_arguments(GenerationOptions, nested_key=None)
    options = parse(parser, argv)
    model = load_as(LanguageModel, options.model)
    text = generate(model, options.prompt, options_of(GenerationOptions, options))
    blank = " " if options.prompt and model.tokenizer.level == "word" else ""
    print(for_output(options.prompt + blank), end="", flush=True)
    try:
        for part in text:
            print(for_output(part), end="", flush=True)
    finally:
        print()
    sys.stdout.flush()
    return 0
