"""The user's config.ini, checked whole and turned into frozen values."""
