"""Programme assembly: spoken sentences joined, levelled, encoded and described.

The sound never sits in memory as a whole; a book of ten hours takes as much as a page.
"""

from koebin.tasks.assembly.programme.block_cache import Shelf
from koebin.tasks.assembly.programme.blocks import Block, Place
from koebin.tasks.assembly.programme.deliverables import Deliverables, Part
from koebin.tasks.assembly.programme.files import File
from koebin.tasks.assembly.programme.render import Programme, render_programme

__all__ = ["Block", "Deliverables", "File", "Part", "Place", "Programme", "Shelf", "render_programme"]
