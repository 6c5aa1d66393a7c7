"""Texts through Telnyx."""
