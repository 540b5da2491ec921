"""What a look at the machine or the installation has found."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from sparseembed.extras import pip_line

GOOD, NOTE, WRONG = "good", "note", "wrong"


class Finding(NamedTuple):
    """One thing that was looked at.

    :param topic: What it belongs to, such as `Java`.
    :param state: `good`; `note`, where something is missing that the core can do without; or `wrong`.
    :param told: What there is, in a line.
    :param remedy: The command, or the act, that mends it; empty where there is nothing to mend.
    """

    topic: str
    state: str
    told: str
    remedy: str = ""


def looked(topic: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Look at something; what goes wrong with looking is a finding too.

    :param topic: What is looked at.
    :param look: Gives findings; it may raise whatever a broken installation makes it raise.
    """
    try:
        return list(look())
    except Exception as error:  # a broken installation may raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        remedy = f"reinstall: {pip_line('--force-reinstall sparseembed')}"
        return [Finding(topic, WRONG, f"cannot be looked at ({reason})", remedy)]
