"""Salesforce, over simple-salesforce in direct mode. Start with ``crm.py``.

``token`` and ``calls`` send; ``codes`` and ``errors`` say what a failure asks for; ``schema``, ``values`` and
``rows`` translate between the wire and the port; ``soql``, ``reading`` and ``covered`` read; ``outgoing``
and ``writing`` write; ``package`` and ``setup`` create fields.
"""
