"""Deepgram's wire: listen of both versions, and speak."""
