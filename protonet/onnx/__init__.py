"""Nets as ONNX models, for other runtimes.

``export.export_net`` walks a plan and calls, for each layer, the converter registered for its type;
the converters are in ``values``, ``windows`` and ``arrangements``. Layers that ONNX cannot
express are listed in ``unsupported``.
"""
