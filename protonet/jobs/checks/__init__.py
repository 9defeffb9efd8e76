"""Checks of nets and databases before anything is allocated or trained."""
