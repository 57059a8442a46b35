"""Finished programmes: spoken sentences joined, levelled, encoded, and described.

The sound never sits in memory as a whole; a book of ten hours takes as much as a page.
"""

from tasks.programme.blocks import Block, Place
from tasks.programme.files import File
from tasks.programme.parts import Deliverables, Part
from tasks.programme.render import Programme, render_programme
from tasks.programme.shelf import Shelf

__all__ = ["Block", "Deliverables", "File", "Part", "Place", "Programme", "Shelf", "render_programme"]
