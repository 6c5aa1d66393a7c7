"""A telephone carrier on this machine: Twilio's REST, webhooks, TwiML and Media Streams, with callees who speak."""
