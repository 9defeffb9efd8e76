"""Nets as ONNX models, for the many programs that run those.

``export.export_net`` walks a plan and asks, for each layer, the converter that is registered for
its type; the converters stand in ``values``, ``windows`` and ``arrangements``. What ONNX lacks is
listed in ``unsupported``.
"""
