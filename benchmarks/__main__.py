"""`python -m benchmarks [media|recording|dialler|import] […]`: one benchmark with its options, or all of them."""

import importlib
import importlib.util
import sys

NAMES = ("media", "recording", "dialler", "import")


def main(arguments: list[str]) -> int:
    if arguments and arguments[0] not in NAMES:
        print(f"usage: python -m benchmarks [{'|'.join(NAMES)}] [options]", file=sys.stderr)
        return 2
    worst = 0
    for name in arguments[:1] or NAMES:
        module = importlib.import_module(f"benchmarks.{name}_bench")
        worst = max(worst, int(module.main(arguments[1:])))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
