"""Verification: C-ECHO (PS3.4 A)."""

from gateway.transport.association import Association, CommandReceived

C_ECHO_RQ, C_ECHO_RSP = 0x0030, 0x8030
VERIFICATION = "1.2.840.10008.1.1"


async def echo(association: Association, command: CommandReceived) -> None:
    """Answers 0000H."""
    await association.send(
        association.engine.response(
            command.context_id, C_ECHO_RSP, command.message_id or 0, command.sop_class or VERIFICATION, 0x0000
        )
    )
