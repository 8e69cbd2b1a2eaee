"""What crosses a service boundary: commands, queries, answers and events, by owner.

A service takes its schemas from the owner's module (`catalog`, `ticketing`, `streams`) and declares what it listens to
with `subscriptions`; the gateway turns a problem code into an answer with `problems`. `registry` lists every contract;
`published/` holds the JSON Schema of each, against which `python -m services.contracts check` compares the code.
"""
