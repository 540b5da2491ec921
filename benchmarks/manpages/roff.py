"""The text of a manual page: a small reader of what pages in man and mdoc use of roff, without running any of it."""

import re
from collections.abc import Iterator

_SPECIAL = {
    **{"aq": "'", "dq": '"', "lq": "“", "rq": "”", "oq": "‘", "cq": "’", "em": "—", "en": "–", "hy": "-", "co": "©"},
    **{"rs": "\\", "ti": "~", "ha": "^", "ga": "`", "bu": "•", "Fo": "«", "Fc": "»", "ss": "ß", "mu": "×", "->": "→"},
    **{":a": "ä", ":o": "ö", ":u": "ü", ":A": "Ä", ":O": "Ö", ":U": "Ü", "'e": "é", "`e": "è", "^e": "ê", "`a": "à"},
    **{"lB": "[", "rB": "]", "lC": "{", "rC": "}", "sl": "/", "ba": "|", "or": "|", "at": "@", "sh": "#", "Do": "$"},
    **{"<=": "≤", ">=": "≥", "!=": "≠", "mi": "-", "pl": "+", "de": "°", "tm": "™", "rg": "®", "Eu": "€", "dg": "†"},
}
_ESCAPE = re.compile(
    r"\\(?:"
    r"[fFgkmMnYR](?:\[[^]]*\]|\([^\n]{2}|[^\n])|\*(?:\[(?P<string>[^]]*)\]|\((?P<two>..)|(?P<one>.))"
    r"|s[-+]?(?:\[[^]]*\]|\(..|'[^']*'|\d)|[bBCDhHlLNoSvwxXZ]'[^']*'"
    r"|\[(?P<named>[^]]*)\]|\((?P<short>..)|(?P<single>.))",
)
_SINGLE = {"-": "-", "e": "\\", "\\": "\\", "~": " ", "0": " ", " ": " ", "'": "'", "`": "`", ".": ".", "t": " "}
_FONTS = re.compile(r"(?:[BIR]|SM|SB|[BIR]{2})$")
_HEADINGS = ("SH", "Sh")
_MDOC = frozenset(
    re.findall(
        r"\S+",
        "Ad An Ao Ap Aq Ar Bc Bo Bq Brc Bro Brq Cd Cm D1 Dc Dl Do Dq Dv Ec Em Eo Er Ev Fa Fc Fl Fn Fo Ft Ic In Lb Li "
        "Lk Me Ms Mt Nd Nm No Ns Nx Oc Oo Op Ox Pa Pc Pf Po Pq Qc Ql Qo Qq Rs Re Sc So Sq St Sx Sy Tn Ux Va Vt Xc "
        "Xo Xr",
    )
)


def sections(source: str) -> list[tuple[str, str]]:
    """Return the sections of a page: heading and text, in order; white space is one space each.

    :param source: A page's source.
    """
    found: list[tuple[str, list[str]]] = []
    for kind, text in _lines(source):
        if kind == "heading":
            found.append((text, []))
        elif found and text:
            found[-1][1].append(text)
    return [(heading, " ".join(" ".join(parts).split())) for heading, parts in found]


def plain(text: str) -> str:
    """Return a line of roff as plain text: fonts and sizes left out, special characters as they are."""

    def character(found: re.Match[str]) -> str:
        name = found["named"] or found["short"] or found["string"] or found["two"]
        if name is not None:
            if re.fullmatch(r"u[0-9A-F]{4,6}", name):
                return chr(int(name[1:], 16))
            return _SPECIAL.get(name, "")
        return _SINGLE.get(found["single"] or "", "")

    return _ESCAPE.sub(character, text)


def arguments(line: str) -> list[str]:
    """Return the arguments of a request: words, or what stands in double quotes.

    >>> arguments('"two words" one')
    ['two words', 'one']
    """
    return [quoted or word for quoted, word in re.findall(r'"((?:[^"]|"")*)"?|(\S+)', line)]


def _lines(source: str) -> Iterator[tuple[str, str]]:
    """Yield headings and texts."""
    pending, skipped, depth = "", "", 0
    for raw in source.replace("\\\n", "").splitlines():
        line = re.sub(r"\\[\"#].*", "", raw)
        if skipped:  # the body of a macro, or of what is ignored
            skipped = "" if line.rstrip() == skipped else skipped
            continue
        if depth:  # of a condition
            depth += line.count("\\{") - line.count("\\}")
            continue
        if not line.startswith((".", "'")):
            if pending:
                yield "heading", plain(line).strip()
                pending = ""
            else:
                yield "text", plain(line)
            continue
        name, _, rest = line[1:].strip().partition(" ")
        if name in ("de", "de1", "ig", "am"):
            words = rest.split()
            skipped = "." + (words[1] if name != "ig" and len(words) > 1 else "")
            skipped = ".." if skipped == "." else skipped
        elif name in ("if", "ie", "el"):
            depth = rest.count("\\{") - rest.count("\\}")
        elif name in _HEADINGS:
            heading = plain(" ".join(arguments(rest)))
            pending = "" if heading else name
            if heading:
                yield "heading", heading
        else:
            yield "text", _request(name, rest)


def _request(name: str, rest: str) -> str:
    """Return the text of a request or macro."""
    given = arguments(rest)
    if _FONTS.match(name):
        return plain(("" if len(name) == 2 and name not in ("SM", "SB") else " ").join(given))
    if name in ("SS", "Ss"):
        return plain(" ".join(given)) + "."
    if name in ("IP", "TP", "HP", "TQ"):
        return plain(given[0]) if name == "IP" and given else ""
    if name in ("UR", "MT", "UE", "ME", "URL"):
        return plain(" ".join(given))
    return _semantic([name, *given]) if name in _MDOC or name == "It" else ""


def _semantic(words: list[str]) -> str:
    """Return the text of a line of mdoc, whose macros may stand among its words."""
    found, sign = [], ""
    for word in words:
        if word == "Fl":
            sign = "-"
        elif word not in _MDOC and word != "It":
            found.append(sign + word)
            sign = ""
    return plain(" ".join(found))
