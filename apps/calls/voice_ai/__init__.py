"""Providers of spoken conversation: each a translation between its wire and the frames of ours. Plain Python."""
