"""A feature for the process tests: it writes down what it handled."""

from app.feature import Feature

FEATURE = Feature("writer", package=__name__)
