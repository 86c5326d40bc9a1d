"""A patient: whom an instance names, as far as identifiers tell."""

from dataclasses import dataclass

_UNREADABLE = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """Patient ID (0010,0020) and Issuer of Patient ID (0010,0021), decoded, without padding; "" if absent."""

    patient_id: str
    issuer: str

    @property
    def told(self) -> bool:
        """Whether it names anybody. An absent or undecodable Patient ID names nobody: rules flag it."""
        return self.patient_id != "" and _UNREADABLE not in self.patient_id

    def is_other_than(self, other: "PatientIdentity") -> bool:
        """Whether the two cannot be one patient.

        Case counts. An issuer that only one of them names tells nothing apart: many modalities leave it out.
        """
        if not (self.told and other.told):
            return False
        issuers = {issuer for issuer in (self.issuer, other.issuer) if issuer and _UNREADABLE not in issuer}
        return self.patient_id != other.patient_id or len(issuers) > 1
