"""All that is looked at, in order."""

from typing import NamedTuple

from sparseembed.doctor import machine, packages
from sparseembed.doctor.extras import Extra, extras
from sparseembed.doctor.finding import WRONG, Finding, looked

LOOKS = {
    "Python": machine.python,
    "packages": packages.core,
    "Java": machine.java,
    "processor": machine.processor,
    "memory": machine.memory,
    "disk": machine.disk,
}


class Examined(NamedTuple):
    """What was found.

    :param findings: One or more for each of `LOOKS`.
    :param extras: The extras of the package, installed or not.
    """

    findings: list[Finding]
    extras: list[Extra]

    @property
    def well(self) -> bool:
        """Whether all that the core needs is there and works."""
        return not any(each.state == WRONG for each in self.findings)


def examine() -> Examined:
    """Look at everything; nothing that is broken stops the rest from being looked at."""
    findings = [each for topic, look in LOOKS.items() for each in looked(topic, look)]
    try:
        found = extras()
    except Exception:  # what is wrong with our own metadata is told by packages.core
        found = []
    return Examined(findings, found)
