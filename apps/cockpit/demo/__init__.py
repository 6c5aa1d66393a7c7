"""The demo: people, an agent, a campaign. Content, not code; see the seed_demo command."""
