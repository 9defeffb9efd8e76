"""Array kernels that layers and solvers share, on plain arrays: a module for each group.

Nearly all of it are classes (``kernel.Kernel``), made once for a device, a type and shapes, with
scratch of their own, and called often. The definition is NumPy, here; versions of it are C++
(beside it, and in ``native``) and CUDA (in the ``cuda`` module of the same name).
``docs/kernels.md`` lists them and when each is selected.

Short formulas that kernels are made of are functions that take the array module ``xp`` (numpy or
cupy) first: ``elementwise``, ``softmax``, ``rows.take_rows``. Both write into arrays that they are
given. ``windows`` is geometry without arrays of its own. ``boxes`` and ``anchors`` are functions on
NumPy arrays that return new ones, and run on a CPU always.
"""
