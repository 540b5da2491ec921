"""A row of the result: two things measured in one run, and their ratio."""

from dataclasses import asdict, dataclass, field
from typing import Any

from efficiency_rows.measure import Spread


@dataclass
class Row:
    """One comparison.

    :param row: Which row it belongs to.
    :param what: What is compared, at which sizes.
    :param ours: What the product takes.
    :param against: What it is compared with.
    :param other: What that takes.
    :param unit: Of both.
    :param wanted: What is to be reached; "" for nothing in particular.
    :param met: Whether it is; None where it cannot be said.
    :param more: Further figures.
    """

    row: str
    what: str
    ours: Spread
    against: str
    other: Spread
    unit: str
    wanted: str = ""
    met: bool | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Ours by the other's."""
        return self.ours.median / self.other.median

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {
            "ours": self.ours._asdict(),
            "other": self.other._asdict(),
            "ratio": self.ratio,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Row":
        """Return a row as `as_dict` wrote it."""
        sides = {side: Spread(**values[side]) for side in ("ours", "other")}
        return cls(**{key: value for key, value in values.items() if key != "ratio"} | sides)
