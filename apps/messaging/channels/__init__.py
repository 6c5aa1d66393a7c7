"""Text messages through a carrier."""
