"""Run directories: settings, record, files, archives."""
