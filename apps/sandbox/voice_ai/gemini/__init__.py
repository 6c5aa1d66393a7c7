"""Gemini: the Live API's bidirectional wire, and text and speech by generateContent."""
