"""OpenAI's chat completions, answered by the same dialogue brain as the voices."""
