//! Arbitrary PDUs and command sets that our own code could send.

use kuva_core::instance::Uid;
use kuva_core::pdu::*;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

pub fn uid() -> impl Strategy<Value = Uid> {
    "[0-9]{1,3}(\\.[0-9]{1,9}){1,6}".prop_map(Uid::from)
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..most)
}

prop_compose! {
    fn role()(sop_class in uid(), scu: bool, scp: bool) -> RoleSelection {
        RoleSelection { sop_class, scu, scp }
    }
}

prop_compose! {
    fn extended()(sop_class in uid(), information in bytes(9)) -> SopClassExtended {
        SopClassExtended { sop_class, information }
    }
}

prop_compose! {
    fn common()(sop_class in uid(), service_class in uid(), related in vec(uid(), 0..3))
        -> CommonExtended {
        CommonExtended { sop_class, service_class, related }
    }
}

prop_compose! {
    fn identity()(kind: u8, response_requested: bool, primary in bytes(20), secondary in bytes(20))
        -> UserIdentity {
        UserIdentity { kind, response_requested, primary, secondary }
    }
}

prop_compose! {
    pub fn user_information()(
        maximum_length: u32,
        implementation_class_uid in option::of(uid()),
        implementation_version_name in option::of("[ -~]{1,16}"),
        asynchronous_operations: Option<(u16, u16)>,
        roles in vec(role(), 0..3),
        extended in vec(extended(), 0..3),
        common_extended in vec(common(), 0..3),
        user_identity in option::of(identity()),
        user_identity_answer in option::of(bytes(20)),
    ) -> UserInformation {
        UserInformation {
            maximum_length, implementation_class_uid, implementation_version_name,
            asynchronous_operations, roles, extended, common_extended, user_identity,
            user_identity_answer,
        }
    }
}

fn title() -> impl Strategy<Value = AeTitle> {
    any::<[u8; 16]>().prop_map(AeTitle::from_raw)
}

fn ids() -> impl Strategy<Value = Vec<u8>> {
    btree_set(0u8..128, 1..6).prop_map(|halves| halves.iter().map(|half| half * 2 + 1).collect())
}

fn proposed(id: u8) -> impl Strategy<Value = PresentationContextProposed> {
    (uid(), vec(uid(), 1..5), any::<bool>()).prop_map(move |(abstract_syntax, syntaxes, many)| {
        let mut context = PresentationContextProposed::new(id, abstract_syntax, syntaxes);
        if many {
            let syntax = context.transfer_syntaxes[0].clone();
            context.transfer_syntaxes.resize(kuva_core::limits::TRANSFER_SYNTAXES_MAX, syntax);
            context.too_many_transfer_syntaxes = true;
        }
        context
    })
}

fn answered(id: u8) -> impl Strategy<Value = PresentationContextAnswered> {
    prop_oneof![
        uid().prop_map(move |syntax| PresentationContextAnswered::accepted(id, syntax)),
        prop_oneof![
            Just(ContextResult::UserRejection),
            Just(ContextResult::NoReason),
            Just(ContextResult::AbstractSyntaxNotSupported),
            Just(ContextResult::TransferSyntaxesNotSupported),
        ]
        .prop_map(move |result| PresentationContextAnswered::refused(id, result)),
    ]
}

prop_compose! {
    pub fn associate_rq()(
        protocol_version: u16, called in title(), calling in title(), reserved: [u8; 32],
        application_context in "[ -~]{0,40}",
        contexts in ids().prop_flat_map(|ids| ids.into_iter().map(proposed).collect::<Vec<_>>()),
        user_information in user_information(),
    ) -> AssociateRq {
        AssociateRq {
            protocol_version, called, calling, reserved, application_context, contexts,
            user_information,
        }
    }
}

prop_compose! {
    pub fn associate_ac()(
        protocol_version: u16, called in title(), calling in title(), reserved: [u8; 32],
        application_context in "[ -~]{0,40}",
        contexts in ids().prop_flat_map(|ids| ids.into_iter().map(answered).collect::<Vec<_>>()),
        user_information in user_information(),
    ) -> AssociateAc {
        AssociateAc {
            protocol_version, called, calling, reserved, application_context, contexts,
            user_information,
        }
    }
}

prop_compose! {
    fn pdv()(context_id: u8, command: bool, last: bool, bytes in bytes(40)) -> Pdv {
        Pdv { context_id, command, last, bytes }
    }
}

pub fn pdu() -> impl Strategy<Value = Pdu> {
    prop_oneof![
        associate_rq().prop_map(|rq| Pdu::AssociateRq(Box::new(rq))),
        associate_ac().prop_map(|ac| Pdu::AssociateAc(Box::new(ac))),
        any::<(u8, u8, u8)>().prop_map(|(result, source, reason)| {
            Pdu::AssociateRj(AssociateRj { result, source, reason })
        }),
        vec(pdv(), 1..5).prop_map(|values| Pdu::DataTf(DataTf { values })),
        Just(Pdu::ReleaseRq),
        Just(Pdu::ReleaseRp),
        any::<(u8, u8)>().prop_map(|(source, reason)| Pdu::Abort(Abort { source, reason })),
    ]
}
