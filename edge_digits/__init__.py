"""The edge-digits command."""
