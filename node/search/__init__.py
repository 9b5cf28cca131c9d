"""Reverse look-up: which identifiers have a value like this?"""
