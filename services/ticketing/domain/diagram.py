"""The state machine as a picture: Mermaid text, made from the table by which commands are judged."""

from __future__ import annotations

from collections import defaultdict

from services.ticketing.domain.tickets import OPEN_STATES, TRANSITIONS

BEGINNINGS = ("printing", "reserved", "waiting")


def mermaid() -> str:
    """Return a Mermaid state diagram; commands that leave the state as it is, and the close of day, are left out."""
    arrows: dict[tuple[str, str], list[str]] = defaultdict(list)
    for command, transition in TRANSITIONS.items():
        for source, targets in transition.moves.items():
            for target in sorted(targets - {source}):
                if command != "expire":
                    arrows[source, target].append(command)
    ends = sorted({target for _, target in arrows} - OPEN_STATES - {source for source, _ in arrows})
    lines = ["stateDiagram-v2", "    direction LR"]
    lines += [f"    [*] --> {state}" for state in BEGINNINGS]
    lines += [f"    {source} --> {target}: {', '.join(commands)}" for (source, target), commands in arrows.items()]
    lines += [f"    {state} --> [*]" for state in ends]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(mermaid(), end="")  # noqa: T201 - for who updates the documentation
