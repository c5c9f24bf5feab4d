"""The page, the service behind it, and what keeps both within their limits."""
