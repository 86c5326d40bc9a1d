"""Landing: what the core closed, in the words of the catalogue."""

from uuid import UUID

from gateway import _core
from gateway.model.batch import Batch, BatchSeries, Flush, NamedPatient, Quarantined
from gateway.model.identifiers import NodeId, SeriesUid, SopInstanceUid, StudyUid, Uid, VaultId
from gateway.model.incident import Newcomer
from gateway.model.instance import Content, ReceiveId, Sender
from gateway.model.moment import instant
from gateway.wire.dicom.attributes import study_attributes

CONFLICTING = "same SOP Instance UID as a kept instance, other content"


def flush_of(core: _core.Flush, node: NodeId, after: int) -> Flush:
    """A flush for `Catalogue.land`; `after` is what landed before it of the same epoch."""
    return Flush(
        node=node,
        epoch=core.epoch,
        after=after,
        through=core.through,
        batches=tuple(_batch_of(batch) for batch in core.batches),
        quarantined=tuple(_quarantined_of(item, node, core.epoch) for item in core.quarantined),
    )


def _batch_of(batch: _core.Batch) -> Batch:
    attributes = study_attributes(batch.captured).attributes
    return Batch(
        vault=VaultId(UUID(bytes=batch.vault)),
        study_uid=StudyUid(batch.study),
        first_position=batch.first_position,
        last_position=batch.last_position,
        instances=batch.instances,
        length=batch.length,
        block=batch.block,
        locator_hashes=tuple(batch.locator_hashes),
        attributes=attributes,
        received_from=instant(batch.received_first),
        received_to=instant(batch.received_last),
        patients=tuple(
            NamedPatient(
                position,
                SopInstanceUid(sop),
                attributes if position == batch.first_position else study_attributes(captured).attributes,
            )
            for position, sop, captured in batch.patients
        ),
        series=tuple(
            BatchSeries(position, SopInstanceUid(sop), SeriesUid(series), UUID(bytes=hashed))
            for position, sop, series, hashed in batch.series
        ),
    )


def _quarantined_of(item: _core.Quarantined, node: NodeId, epoch: int) -> Quarantined:
    content = Content(item.digest, Uid(item.transfer_syntax), Uid(item.sop_class))
    sender = Sender(item.calling, item.called, item.address, item.association)
    return Quarantined(
        vault=VaultId(UUID(bytes=item.vault)),
        study_uid=StudyUid(item.study),
        sop_uid=SopInstanceUid(item.sop_instance),
        newcomer=Newcomer(
            ReceiveId(node, epoch, item.position), content, item.length, sender, instant(item.received_at)
        ),
        reason=CONFLICTING,
        conflicts_with=item.conflicts_with and ReceiveId(node, *item.conflicts_with),
    )
