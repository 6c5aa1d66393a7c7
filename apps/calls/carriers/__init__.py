"""Phone companies: each a REST client, webhook parsing and a media codec. Plain Python."""
