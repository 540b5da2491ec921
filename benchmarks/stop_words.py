"""Write sparseembed/analyzers/stop_words.json: the stop words of Lucene's analyzers, by language.

python benchmarks/stop_words.py

The lists are read from the jar of the installed Anserini, so that they are those of its analyzers. Most are those of
the Snowball project (BSD licence), the others Lucene's own or Jacques Savoy's (Apache and BSD licences). Java is not
needed.
"""

import json
import sys
import zipfile
from pathlib import Path

from script import status

from sparseembed.java.jvm import anserini_jar

TARGET = Path(__file__).parent.parent / "sparseembed" / "analyzers" / "stop_words.json"
FOLDER = "org/apache/lucene/analysis"
SNOWBALL = {
    "da": "danish",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ru": "russian",
    "sv": "swedish",
}
OTHERS = ("ar", "bg", "ca", "cz", "et", "eu", "fa", "ga", "gl", "hi", "id", "lt", "lv", "ne", "ro", "sr", "tr", "uk")
CODES = {"cz": "cs"}  # Lucene names the country


def main() -> int:
    """Write the file.

    :return: 0, or 2 for a user's mistake.
    """
    return status("stop_words", run)


def run() -> None:
    """Read the lists, and write them as one JSON object: code -> words, separated by spaces."""
    with zipfile.ZipFile(anserini_jar()) as jar:
        lists = {code: _words(jar, f"snowball/{name}_stop.txt", "|") for code, name in SNOWBALL.items()}
        lists["zh"] = _words(jar, "cjk/stopwords.txt", "#")
        lists |= {CODES.get(code, code): _words(jar, f"{code}/stopwords.txt", "#") for code in OTHERS}
    lines = (f"{json.dumps(code)}: {json.dumps(' '.join(lists[code]), ensure_ascii=False)}" for code in sorted(lists))
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    sys.stdout.write(f"{TARGET.name}: {len(lists)} languages\n")


def _words(jar: zipfile.ZipFile, name: str, comment: str) -> list[str]:
    lines = jar.read(f"{FOLDER}/{name}").decode("utf-8-sig").splitlines()
    return sorted({word for line in lines for word in line.split(comment)[0].split()})


if __name__ == "__main__":
    sys.exit(main())
