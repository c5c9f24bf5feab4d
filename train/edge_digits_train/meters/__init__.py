"""Digits of meters and displays: the pictures that ship with this package, and those that are drawn."""
