"""A voice AI on this machine that speaks OpenAI Realtime's GA wire over WebSocket.

Plain asyncio: it knows nothing of the product and is reached by base URL and API key alone.
"""
