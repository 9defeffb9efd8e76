"""Modules and criterions of Torch7: constructors, initial values, and the layers they become.

A class for each type; ``base`` has the contract.
"""
