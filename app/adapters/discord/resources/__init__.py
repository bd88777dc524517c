"""The operations, one module per resource as Discord groups them."""
