"""The sandbox Twilio: the REST interface, TwiML, callbacks and Media Streams."""
