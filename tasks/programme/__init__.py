"""Finished programmes: spoken sentences joined, levelled, encoded, and described.

The sound never sits in memory as a whole; a book of ten hours takes as much as a page.
"""

from tasks.programme.files import File
from tasks.programme.parts import Deliverables, Part, Parts
from tasks.programme.render import Programme, render_programme

__all__ = ["Deliverables", "File", "Part", "Parts", "Programme", "render_programme"]
