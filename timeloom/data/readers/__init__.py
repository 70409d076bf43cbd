"""Readers of sentences: one file format per file, `read_tagged` and `read_untagged` for all of them."""

from timeloom.data.readers.documents import Document, Term, read_documents
from timeloom.data.readers.labelled import read_labelled
from timeloom.data.readers.pieces import pieces
from timeloom.data.readers.read import TAGGED_FORMATS, UNTAGGED_FORMATS, read_tagged, read_untagged
from timeloom.data.readers.vectors import read_vectors

__all__ = [
    "TAGGED_FORMATS",
    "UNTAGGED_FORMATS",
    "Document",
    "Term",
    "pieces",
    "read_documents",
    "read_labelled",
    "read_tagged",
    "read_untagged",
    "read_vectors",
]
