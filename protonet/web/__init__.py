"""The web interface and its JSON API: ``protonet serve``. Needs the extra ``web``."""
