"""The access gateway: it authenticates phones by AKA, relays their traffic as an HTTP proxy, and meters it over Gy.

- ``attach``: the attach port; ``authentication`` fetches vectors over S6a.
- ``proxy``, ``proxy_head``, ``destinations``, ``exchange``: the user plane, from a client's request to a flow.
- ``relay``, ``drain``, ``allowance``: moving octets of a flow, and ending it without losing any.
- ``bearer``: one attached line: its flows, its grant, and what the charging server decides.
- ``credit``, ``count``: credit control, and the count on disk that survives a crash.
- ``diameter_client``: the one connection to the server; ``gateway`` puts all of it together.
"""
