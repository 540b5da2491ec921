"""A hook of MkDocs: the notebooks of docs/notebooks/ become pages of the site, with the outputs that they keep.

Pages link to `notebooks/NAME.ipynb`, which GitHub and an editor show; on the site the link leads to the page. A picture
is described by `alt` of its cell's metadata.
"""

import base64
import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

LINK = re.compile(r"(\]\((?!\w+:)[^)\s]+)\.ipynb(?=[)#])")
DOWNLOAD = "\n\n*This page is a notebook: [download it]({name}.ipynb), or find it in `docs/notebooks/`.*\n"


def on_files(files: Files, config: Any) -> Files:
    """Add a page, and its pictures, for each notebook."""
    for each in [file for file in files if file.src_uri.endswith(".ipynb")]:
        place, name = posixpath.split(each.src_uri)
        text, pictures = page(
            json.loads(Path(each.abs_src_path or "").read_text(encoding="utf-8")), name[: -len(".ipynb")]
        )
        files.append(File.generated(config, f"{each.src_uri[: -len('.ipynb')]}.md", content=text))
        for picture, content in pictures.items():
            files.append(File.generated(config, posixpath.join(place, picture), content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links from notebooks to their pages; a page made of a notebook tells where that is."""
    led = LINK.sub(r"\1.md", markdown)
    name = posixpath.basename(page.file.src_uri).removesuffix(".md")
    return led + DOWNLOAD.format(name=name) if _is_notebook(page.file) else led


def page(notebook: dict[str, Any], name: str) -> tuple[str, dict[str, bytes]]:
    """Turn a notebook into a page.

    :param notebook: As its JSON has it, format 4.
    :param name: What its pictures are named after.
    :return: The page as Markdown, and its pictures by file name.
    """
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "image/png" in data:
                file = f"{name}-{len(pictures) + 1}.png"
                pictures[file] = base64.b64decode("".join(data["image/png"]))
                parts.append(f"![{cell['metadata']['alt']}]({file})")
            else:
                shown = "".join(output.get("text") or data["text/plain"])
                parts.append(f"``` {{ .text .output }}\n{shown.rstrip()}\n```")
    return "\n\n".join(parts), pictures


def _is_notebook(file: File) -> bool:
    return file.generated_by is not None and file.src_uri.startswith("notebooks/") and file.src_uri.endswith(".md")
