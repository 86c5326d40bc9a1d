"""Explaining: refusals in words, for a person at a terminal and for docs/operating/refusals.md."""

from collections.abc import Iterator

from gateway.model.refusal import AbortAnswer, Family, Refusal, RejectAnswer, StatusAnswer, Turn
from gateway.wire.dicom.refusals import CATALOGUE, attribute_of, comment_of
from gateway.wire.dicom.status import Status

TURNS = {
    Turn.SENDER: "the sender: what was sent must change",
    Turn.OPERATOR: "the operator of the archive",
    Turn.NOBODY: "nobody: it passes, send the same again later",
}
_SERVICE_STATUS = {0xA900: "identifier does not match SOP class", 0xB000: "one or more failures or warnings"}
"""What C-GET calls statuses that C-STORE has too."""
_REJECTED = {1: "permanent", 2: "transient"}
_FAMILIES = {
    Family.DATA_SET: (
        "C-STORE: bytes that are no data set",
        (
            "Always refused, whatever the profile. The comment ends with the byte at which it showed, "
            "where there is room; the log has it where it is known. Of a deflated data set it is that "
            "of the inflated one."
        ),
    ),
    Family.CONTENT: (
        "C-STORE: data sets that break a content rule",
        (
            "The first broken rule that refuses gives the answer, in this order. Which rules refuse "
            "and which only flag is set by the [profile](profiles.md) and for each caller; the first "
            "nine always refuse."
        ),
    ),
    Family.STORAGE: (
        "C-STORE: lawful instances that are not kept",
        "What is here already is answered 0000H even while nothing new is taken.",
    ),
    Family.COMMAND: (
        "Requests that cannot be done",
        "The command set can be read, so it is answered, on the context on which it came.",
    ),
    Family.SERVICE: (
        "C-GET and storage commitment",
        (
            "Of the whole request, and of single sub-operations. Those have no answer of their own: "
            "they are counted as failed, and the final response says how many, and the most frequent "
            "reason."
        ),
    ),
    Family.REJECTION: (
        "A-ASSOCIATE-RJ: associations that are not accepted",
        (
            "The PDU has no room for words; numbers are result, source, reason (PS3.8 table 9-21). "
            "The log has the words."
        ),
    ),
    Family.PROTOCOL: (
        "A-ABORT: bytes that break the protocol",
        (
            "The association is over. Numbers are source and reason (PS3.8 table 9-26): 2 is the "
            "service provider, 0 the service user, which gives no reason. In a state in which nothing "
            "may be sent there is no A-ABORT. The log has the byte, counted from the first of the "
            "association."
        ),
    ),
    Family.ENDING: (
        "A-ABORT: associations that the gateway ends",
        "Nothing is wrong with a PDU. `close` means that the connection is closed without a word.",
    ),
}
_HEAD = """\
# Refusals

What the archive says when it does not do what was asked, whose turn it then is, and how to mend it. Made by
`make docs` from the catalogue of refusals in the program, which is the only one: whatever is refused, is
refused by one of these codes. `kuva refusal show CODE` says the same without a network.

- **The sender sees** a status with Error Comment (0000,0902) and Offending Element (0000,0901), or an
  A-ASSOCIATE-RJ, or an A-ABORT. A comment names the attribute by keyword and tag, at most 64 characters in
  all; where that is too much, the tag alone. It never quotes a value.
- **The operator sees** one line of the log for each, with the code, whose turn it is, attribute, value
  class, rule and how to mend it, beside association, peer address and calling AE title; and
  `kuva_refusals_total{code}` in the [metrics](metrics.md). A burst is counted whole and told in part: at
  most 100 lines at once.
- Comments below are examples, with an attribute that is likely.
- Codes are stable. The words of A-ASSOCIATE-RJ in the log can be a profile's own; codes and numbers cannot.

Whose turn it is: **sender**, what was sent must change; **operator**, whoever runs the archive must do
something; **nobody**, it passes by itself and the same may be sent again later.
"""
_EXAMPLES = {
    Family.DATA_SET: (0x7FE00010, 524288),
    Family.CONTENT: (0x0020000D, None),
    Family.COMMAND: (0x00001000, None),
    Family.SERVICE: (0x0020000D, None),
}
_WITHOUT_PLACE = (
    "data-set-empty", "byte-order", "deflate-trailer", "deflate-corrupt", "deflate-truncated",
    "deflate-trailing", "identifier-unreadable", "retrieve-catalogue-unreachable",
)  # fmt: skip
_PIXELS = (
    "pixel-data-missing",
    "pixel-data-short",
    "pixel-data-long",
    "offset-table",
    "reserved-bytes",
    "odd-length",
)


def answer_of(refusal: Refusal) -> str:
    """What the peer gets, short: `C000H`, `RJ 1, 1, 7`, `ABORT 2, 6`, `close`, `counted as failed`."""
    answer = refusal.answer
    if isinstance(answer, StatusAnswer):
        return f"{answer.status:04X}H"
    if isinstance(answer, RejectAnswer):
        return f"RJ {answer.result}, {answer.source}, {answer.reason}"
    if isinstance(answer, AbortAnswer):
        return f"ABORT {answer.source}, {answer.reason}"
    return "close" if answer.value == "close" else "counted as failed"


def explained_answer(refusal: Refusal) -> str:
    """The same with what it is called."""
    answer = refusal.answer
    if isinstance(answer, StatusAnswer):
        words = _SERVICE_STATUS.get(answer.status) if refusal.family is Family.SERVICE else None
        return f"status {answer_of(refusal)} ({words or _status_name(answer.status)})"
    if isinstance(answer, RejectAnswer):
        numbers = f"result {answer.result}, source {answer.source}, reason {answer.reason}"
        return f"A-ASSOCIATE-RJ, {numbers} ({_REJECTED[answer.result]})"
    if isinstance(answer, AbortAnswer):
        return f"A-ABORT, source {answer.source}, reason {answer.reason}"
    return "the connection is closed" if answer.value == "close" else "a sub-operation counted as failed"


def example_comment(refusal: Refusal) -> str | None:
    """An Error Comment as a sender may see it; None where no status is answered."""
    if not isinstance(refusal.answer, StatusAnswer):
        return None
    if refusal.code.startswith("retrieve-") and refusal.code.endswith(("sent", "failed")):
        return "3 failed: " + CATALOGUE["sub-operation-no-context"].text
    offending, byte = _place(refusal)
    return comment_of(refusal, offending=offending, byte=byte)


def facts(refusal: Refusal) -> Iterator[tuple[str, str]]:
    """(heading, sentence) of everything that is known of it."""
    yield "What the peer gets", explained_answer(refusal)
    comment = example_comment(refusal)
    if comment is not None:
        yield "Error Comment, for example", comment
        offending = _place(refusal)[0] or refusal.attribute
        yield "Offending Element", attribute_of(offending) if offending else "none"
    else:
        yield "In the log", refusal.text
    yield "What it means", refusal.rule
    yield "Value class", refusal.value_class
    yield "Whose turn", TURNS[refusal.turn]
    yield "How to mend it", refusal.mend
    yield "Standard", refusal.standard or "a limit of this archive's own"
    yield "To provoke it", refusal.example


def document() -> str:
    """docs/operating/refusals.md."""
    parts = [_HEAD]
    for family, (title, words) in _FAMILIES.items():
        members = [refusal for refusal in CATALOGUE.values() if refusal.family is family]
        parts += [f"## {title}\n", words + "\n", "\n".join(_table(members)) + "\n"]
        parts += [_section(refusal) for refusal in members]
    return "\n".join(parts)


def _table(members: list[Refusal]) -> Iterator[str]:
    yield "| code | the peer gets | whose turn | what |"
    yield "|---|---|---|---|"
    for refusal in members:
        link, peer_gets = f"[{refusal.code}](#{refusal.code})", answer_of(refusal)
        yield f"| {link} | {peer_gets} | {refusal.turn.value} | {refusal.text} |"


def _section(refusal: Refusal) -> str:
    rows = "\n".join(f"- {heading}: {_marked(heading, sentence)}" for heading, sentence in facts(refusal))
    return f"### {refusal.code}\n\n{rows}\n"


def _marked(heading: str, sentence: str) -> str:
    return f"`{sentence}`" if heading.startswith("Error Comment") else sentence


def _place(refusal: Refusal) -> tuple[int | None, int | None]:
    if refusal.attribute is not None or refusal.code in _WITHOUT_PLACE:
        return refusal.attribute, None
    if refusal.code in _PIXELS:
        return 0x7FE00010, None
    return _EXAMPLES.get(refusal.family, (None, None))


def _status_name(status: int) -> str:
    return Status(status).name.lower().replace("_", " ")
