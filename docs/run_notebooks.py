"""Run the notebooks of docs/notebooks/ anew, and keep what they show.

    make notebooks

The site shows the kept outputs; a test runs the notebooks and compares.
"""

import tempfile
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

FOLDER = Path(__file__).with_name("notebooks")
SECONDS = 3600  # one cell at most: much more than it needs, for machines that are busy


def executed(path: Path) -> Any:
    """Run a notebook in a folder that is thrown away.

    :param path: The notebook.
    :return: The notebook with the outputs of this run, and nothing that only this run or this machine has.
    :raises nbclient.exceptions.CellExecutionError: A cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        # By sockets of this folder, and no port that others could connect to.
        manager = KernelManager(kernel_name="python3", transport="ipc", connection_file=f"{folder}/kernel.json")
        resources = {"metadata": {"path": folder}}
        NotebookClient(
            notebook, manager, timeout=SECONDS, startup_timeout=SECONDS, resources=resources, record_timing=False
        ).execute()
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": {"name": "python"}})
    return notebook


if __name__ == "__main__":
    for each in sorted(FOLDER.glob("*.ipynb")):
        nbformat.write(executed(each), each)
