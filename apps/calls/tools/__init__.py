"""What a virtual agent may do during a call, a small function each."""

from apps.calls.tools.base import BadArguments, Offer, Tool, ToolContext
from apps.calls.tools.registry import TOOLS, run_tool, specs_for

__all__ = ["TOOLS", "BadArguments", "Offer", "Tool", "ToolContext", "run_tool", "specs_for"]
