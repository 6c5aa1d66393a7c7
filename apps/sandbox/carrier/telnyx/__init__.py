"""The sandbox Telnyx: Call Control v2, signed events, media streaming."""
