"""Deepgram as a voice AI: it listens and speaks, a language model of another service thinks in between."""
