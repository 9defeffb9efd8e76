"""Array mathematics that several layers share, on plain arrays.

Most of it are classes (``kernel.Kernel``): made once for a device, a type and shapes, with scratch
of their own, and called often; a NumPy definition, and versions in C++ and CUDA. Short formulas
are functions that take the array module ``xp`` (numpy or cupy) first. Both write into the arrays
that they are given. Boxes (``boxes``) are functions on NumPy arrays that return new ones.
"""
