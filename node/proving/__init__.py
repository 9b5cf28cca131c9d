"""Proving: does somebody hold the key he says he holds?"""
