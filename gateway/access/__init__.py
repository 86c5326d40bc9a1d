"""ACCESS: what a caller may find, and sending it back."""
