"""The audit log of a guild: append-only, a hash chain that a command verifies.

A row's hash is SHA-256 over its predecessor's hash and its own fields in canonical form, so that a changed row, a
missing one, a foreign one or two that were swapped are found, and which. The head (last position and hash) is a row
of its own: it finds rows that were cut off at the end, and appending locks it, so there is one order.
"""

from app.features.moderation.audit.log import AuditEntry, AuditLog

__all__ = ["AuditEntry", "AuditLog"]
