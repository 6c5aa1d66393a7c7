"""What calls are made with, what they cost, and what happened in them."""

from apps.calls.admin import agents, calls, setup, tools

__all__ = ["agents", "calls", "setup", "tools"]
