"""What Discord refuses in replies, components, modals and choices (contract 1.6-1.10, 3, 4.5-4.7, 10)."""
