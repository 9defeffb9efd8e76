"""Files of Torch7 (.t7): values read from and written to the two forms of ``torch.save``."""

from protonet.torch7.serial.reader import read
from protonet.torch7.serial.writer import save, write

__all__ = ["read", "save", "write"]
