"""Solvers: update rules (``type``) and learning-rate schedules (``lr_policy``).

Importing this package registers every rule.
"""

from protonet.solvers import adaptive, momentum, torch7

__all__ = ["adaptive", "momentum", "torch7"]
