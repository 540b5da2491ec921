"""The tensors of a model folder, by name: each is read alone, whatever the form of the checkpoint."""

import json
import zipfile
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sparseembed.alignment.tensor_file import TensorRows, read_header, read_tensor
from sparseembed.embedders.hub import quiet_hub
from sparseembed.embedders.sources import weight_files
from sparseembed.errors import EmbedderError

ROWS = 4_096  # checked at once


class Checkpoint:
    """A model folder's weights: safetensors or PyTorch's own format, in one file or in several."""

    def __init__(self, folder: Path) -> None:
        """Read the names of the tensors.

        :param folder: A model folder.
        :raises EmbedderError: It holds no weights, or damaged ones.
        """
        self.folder = folder
        self.files: dict[str, Path] = {}
        for file in weight_files(folder):
            self.files.update((name, file) for name in _names_in(file))

    def first(self, names: Iterable[str]) -> str | None:
        """Return the first of the names that the checkpoint holds."""
        return next((name for name in names if name in self.files), None)

    def read(self, name: str, what: str) -> npt.NDArray[np.float32]:
        """Read one tensor; of a safetensors file only that one, in blocks, so that memory stays near its own size.

        :param name: One of the checkpoint's tensors.
        :param what: What it is to the user.
        :return: The tensor in its own shape, float32.
        :raises EmbedderError: The file is damaged, or the tensor holds NaN or infinity.
        """
        file = self.files[name]
        if file.suffix == ".safetensors":
            result = read_tensor(file, name)
        else:
            import torch

            new_format = zipfile.is_zipfile(file)  # the older one cannot be mapped into memory
            tensor = torch.load(file, map_location="cpu", weights_only=True, mmap=new_format)[name].detach()
            result = tensor.float().numpy()
        if not all(np.isfinite(result[row : row + ROWS]).all() for row in range(0, len(result), ROWS)):
            raise EmbedderError(f"{what} {name} in {file} holds NaN or infinity")
        return result

    def rows(self, name: str, what: str) -> "TensorRows | WholeRows":
        """Return what reads some rows of a matrix: of a safetensors file only those, of another the whole matrix once.

        :param name: One of the checkpoint's tensors.
        :param what: What it is to the user.
        :raises EmbedderError: The file is damaged, or the tensor no matrix.
        """
        file = self.files[name]
        if file.suffix == ".safetensors":
            return TensorRows(file, name)
        matrix = self.read(name, what)
        if matrix.ndim != 2:
            raise EmbedderError(f"{name} in {file} is no matrix")
        return WholeRows(matrix)

    @property
    def is_tied(self) -> bool:
        """Whether the output matrix is the input one.

        :raises EmbedderError: The config is damaged, or of an unknown architecture.
        """
        try:
            config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
            for part in (config.get("text_config") or {}, config):
                if "tie_word_embeddings" in part:
                    return bool(part["tie_word_embeddings"])
        except (OSError, ValueError, AttributeError, RecursionError):
            raise EmbedderError(f"{self.folder}/config.json is damaged: fetch the model again") from None
        # A config says nothing where its architecture's default holds.
        return bool(getattr(self.config, "tie_word_embeddings", False))

    @cached_property
    def config(self) -> Any:
        """The model's configuration, as transformers reads it.

        :raises EmbedderError: As in `is_tied`.
        """
        with quiet_hub():
            from transformers import AutoConfig

            try:
                return AutoConfig.from_pretrained(self.folder)
            except Exception as error:  # an unknown architecture shows as one of several types
                reason = " ".join(str(error).split())[:160]
                raise EmbedderError(f"cannot read {self.folder}/config.json: {reason}") from None


class WholeRows:
    """A matrix in memory, of which rows are taken as of one in a file."""

    def __init__(self, matrix: npt.NDArray[np.float32]) -> None:
        """Take the matrix.

        :param matrix: Shape (V, d).
        """
        self._matrix = matrix
        self.shape: tuple[int, int] = (len(matrix), matrix.shape[1])

    def take(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return rows, shape (n, d), of their numbers, shape (n,)."""
        rows: npt.NDArray[np.float32] = self._matrix[numbers]
        return rows


def _names_in(file: Path) -> list[str]:
    if file.suffix == ".safetensors":
        return list(read_header(file))
    import torch

    try:
        return list(torch.load(file, map_location="meta", weights_only=True))
    except Exception:  # unpickling fails in many ways, and says so in many lines
        raise EmbedderError(f"{file} cannot be read as PyTorch weights: fetch the model again") from None
