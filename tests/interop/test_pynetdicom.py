"""pynetdicom against a real gateway: what it negotiates, and what it makes of our answers."""

from pathlib import Path

import pytest
from pynetdicom import AE, build_context
from pynetdicom.pdu_primitives import (
    AsynchronousOperationsWindowNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.sop_class import Verification

from tests.foreign import GET, associated, get, identifier, store
from tests.gateway_process import GatewayProcess, eventually
from tests.instances import CT, EXPLICIT, IMPLICIT, JPEG_BASELINE, study_of

pytestmark = pytest.mark.filterwarnings("ignore")


def test_echo(gateway: GatewayProcess):
    with associated(gateway, [(Verification, IMPLICIT)]) as association:
        for _ in range(20):
            assert association.send_c_echo().Status == 0x0000


def test_the_first_of_the_requestors_syntaxes_is_taken(gateway: GatewayProcess):
    entity = AE(ae_title="TESTSCU")
    contexts = [
        build_context(CT, [EXPLICIT, IMPLICIT, JPEG_BASELINE]),
        build_context(CT, [JPEG_BASELINE, EXPLICIT]),
    ]
    association = entity.associate("127.0.0.1", gateway.dicom_port, contexts=contexts, ae_title="KUVA")
    taken = [context.transfer_syntax[0] for context in association.accepted_contexts]
    association.release()
    assert taken == [EXPLICIT, JPEG_BASELINE]


def test_what_is_negotiated_besides_is_answered_only_where_it_was_proposed(gateway: GatewayProcess):
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked, window.maximum_number_operations_performed = 8, 1
    extended = SOPClassExtendedNegotiation()
    extended.sop_class_uid, extended.service_class_application_information = CT, b"\x02\x00\x03\x00\x01\x00"
    user = UserIdentityNegotiation()
    user.user_identity_type, user.primary_field, user.positive_response_requested = 1, b"somebody", True
    entity = AE(ae_title="TESTSCU")
    association = entity.associate(
        "127.0.0.1",
        gateway.dicom_port,
        contexts=[build_context(CT, EXPLICIT)],
        ae_title="KUVA",
        ext_neg=[window, extended, user],
    )
    answered = association.acceptor
    assert association.is_established
    assert answered.asynchronous_operations[0] == 8
    assert answered.sop_class_extended[CT][0] == 2
    assert answered.user_identity is not None
    assert answered.implementation_version_name
    association.release()

    plain = entity.associate(
        "127.0.0.1", gateway.dicom_port, contexts=[build_context(CT, EXPLICIT)], ae_title="KUVA"
    )
    assert plain.acceptor.asynchronous_operations == (1, 1)
    assert plain.acceptor.sop_class_extended == {}
    assert plain.acceptor.user_identity is None
    plain.release()


@pytest.mark.parametrize("maximum", [0, 512, 16382, 1 << 20])
def test_any_maximum_pdu_length_is_honoured(gateway: GatewayProcess, tmp_path: Path, maximum: int):
    study = study_of(2, side=128)
    assert {answer.Status for answer in store(gateway, study, tmp_path)} == {0}
    wanted = identifier("STUDY", StudyInstanceUID=study[0].study)
    eventually(lambda: len(get(gateway, wanted, [(CT, EXPLICIT)], maximum_pdu=maximum)[1]) == 2)
    _, received = get(gateway, wanted, [(CT, EXPLICIT)], maximum_pdu=maximum)
    assert received == {one.sop_instance: one.data_set for one in study}


def test_cancel_ends_a_get_between_sub_operations(gateway: GatewayProcess, tmp_path: Path):
    study = study_of(40, side=64)
    assert {answer.Status for answer in store(gateway, study, tmp_path)} == {0}
    wanted = identifier("STUDY", StudyInstanceUID=study[0].study)
    eventually(lambda: len(get(gateway, wanted, [(CT, EXPLICIT)])[1]) == 40)
    received: dict[str, bytes] = {}
    with associated(gateway, [(CT, EXPLICIT)], get=True, received=received) as association:
        statuses = []
        for status, _ in association.send_c_get(wanted, GET, msg_id=5):
            statuses.append(status)
            if len(statuses) == 3:
                association.send_c_cancel(5, query_model=GET)
    final = statuses[-1]
    assert final.Status == 0xFE00
    assert final.NumberOfRemainingSuboperations > 0
    assert final.NumberOfRemainingSuboperations + final.NumberOfCompletedSuboperations == 40
    assert len(received) < 40
