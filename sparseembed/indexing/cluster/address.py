"""Is there a cluster at an address? Ray itself asks again for minutes."""

import os
import re
import socket

from sparseembed.errors import ConfigError
from sparseembed.text import one_line

LOCAL = "local"
_SECONDS = 10.0
_FORM = re.compile(r"(?:ray://)?(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:/\[\]]+)):(?P<port>\d{1,5})", re.ASCII)
# The first bytes of a client of HTTP/2, which Ray's protocol lies on, and the type of the frame that it is answered by.
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_SETTINGS = 4


def check_address(address: str) -> None:
    """Make sure that something at an address answers as Ray does; what is no host and port is left to Ray.

    :param address: Such as `10.0.0.1:6379` or `ray://head:10001`.
    :raises ConfigError: Nothing answers within 10 s, or something else does.
    """
    found = _FORM.fullmatch(address)
    if found is None:
        return
    try:
        place = found["six"] or found["host"], int(found["port"])
        with socket.create_connection(place, timeout=_SECONDS) as connection:
            if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
                return
            connection.sendall(_HELLO)
            answer = b""
            while len(answer) < 4:
                more = connection.recv(64)
                if not more:
                    break
                answer += more
    except TimeoutError:
        raise unreachable(address, f"no answer within {_SECONDS:.0f} s") from None
    except (OSError, OverflowError, UnicodeError) as error:
        raise unreachable(address, str(error)) from None
    if answer[3:4] != bytes([_SETTINGS]):
        raise unreachable(address, "what answers there is not Ray")


def unreachable(address: str, why: str) -> ConfigError:
    """Return the error of a cluster that is not there."""
    return ConfigError(
        f"the Ray cluster {one_line(address)} cannot be reached ({one_line(why)}): begin one with ray start --head, or "
        f"take --ray {LOCAL}"
    )
