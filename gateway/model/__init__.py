"""The field's own nouns: frozen dataclasses, enums and new types; standard library only."""
