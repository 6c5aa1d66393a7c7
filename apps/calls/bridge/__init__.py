"""A phone line and a voice AI, joined for the length of a conversation. Plain Python."""
