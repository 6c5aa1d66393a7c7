"""A carrier and voice AIs on this machine that speak the real wires.

Plain asyncio servers for rehearsals, demos and tests. They import nothing of the product and the product imports
nothing of them: both meet on the wire only.
"""
