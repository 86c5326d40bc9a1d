"""Profiles: national and local rules as versioned data, and the loader that checks them."""

from gateway.profiles.loader import BUILT_IN, load
from gateway.profiles.profile import ContentRules, CoreTables, PatientIdentifiers, Profile

__all__ = ["BUILT_IN", "ContentRules", "CoreTables", "PatientIdentifiers", "Profile", "load"]
