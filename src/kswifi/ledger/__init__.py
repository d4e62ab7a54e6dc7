"""The ledger: what each wallet has, has reserved and has used; durable before it answers.

``commands`` go into the pure ``model``, which changes the ``state`` by ``effects`` alone; a ``journal`` keeps the
effects of each batch as one record; ``client`` joins them and answers only what is durable.
"""
