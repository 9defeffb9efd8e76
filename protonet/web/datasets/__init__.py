"""Data sets: their files and form, what is in them, and images of them."""

from protonet.web.datasets.databases import Databases, Form
from protonet.web.datasets.report import Histogram, Part, Report, Reports, histogram, inspect
from protonet.web.datasets.samples import Sample, mean_picture, picture, samples, vector_of

__all__ = [
    "Databases",
    "Form",
    "Histogram",
    "Part",
    "Report",
    "Reports",
    "Sample",
    "histogram",
    "inspect",
    "mean_picture",
    "picture",
    "samples",
    "vector_of",
]
