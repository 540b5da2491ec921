"""Every embedder that goes by a name. A new model is a new entry here, not a new branch elsewhere."""

from sparseembed.embedders.catalogue.backbones import BACKBONES
from sparseembed.embedders.catalogue.encoders import ENCODERS
from sparseembed.embedders.catalogue.paper import PAPER
from sparseembed.embedders.catalogue.preset import MANY, Preset
from sparseembed.embedders.catalogue.today import TODAY

CATALOGUE: tuple[Preset, ...] = (*PAPER, *BACKBONES, *TODAY, *ENCODERS)

__all__ = ["CATALOGUE", "MANY", "Preset"]
