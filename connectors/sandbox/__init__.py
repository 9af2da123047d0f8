"""Pretend CRMs that ship: both wire protocols over real HTTP on loopback, with state, limits and faults.

The demo, the tests and admins who want to try a change use them. ``serving`` runs them in a process of
one's own, ``detached`` shares one server between several commands, ``server`` is the HTTP in front of a
side and ``side`` says what a side is. Nothing here imports the connectors: the vendors' own clients and
recorded payloads are the judges of what the sides answer.
"""
