"""Stages 2 and 3: what a provider says about a message that no rule caught (seed S4).

Stage 2 asks the moderation API for scores: over a category's threshold -> a finding; everything below
`ambiguous_from` -> clean; between -> stage 3, a model that sees the guild's policy and the last five messages.
A provider that is down, slow or talks nonsense never punishes anybody.
"""
