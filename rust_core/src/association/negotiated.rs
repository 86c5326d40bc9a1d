//! What was agreed: accepted contexts with the roles on them, and the peer's maximum length.

use super::LocalError;
use crate::instance::Uid;
use crate::limits::{PDU_LENGTH_MAX_OURS, PDU_LENGTH_MAX_PEER_LEAST};
use crate::pdu::{
    AssociateAc, AssociateRq, ContextResult, PresentationContextAnswered,
    PresentationContextProposed, RoleSelection,
};

/// An accepted presentation context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedContext {
    /// Abstract syntax.
    pub abstract_syntax: Uid,
    /// The one transfer syntax.
    pub transfer_syntax: Uid,
    /// We may perform operations that the peer invokes.
    pub we_may_be_scp: bool,
    /// We may invoke operations.
    pub we_may_be_scu: bool,
}

/// Longest P-DATA-TF body to send to a peer that announced `maximum_length`, bytes: 0 means
/// unlimited (PS3.8 D.1), then and beyond it our own cap holds. Refused if too small to be useful.
pub fn pdu_length_max_to_peer(maximum_length: u32) -> Result<u32, LocalError> {
    match maximum_length {
        0 => Ok(PDU_LENGTH_MAX_OURS),
        1..PDU_LENGTH_MAX_PEER_LEAST => Err(LocalError::PeerLengthTooSmall(maximum_length)),
        PDU_LENGTH_MAX_PEER_LEAST.. => Ok(maximum_length.min(PDU_LENGTH_MAX_OURS)),
    }
}

/// Accepted contexts by id; ids are odd, so half the numbers suffice.
#[derive(Clone, Debug, Default)]
pub(super) struct Negotiated {
    contexts: Vec<Option<AcceptedContext>>,
}

impl Negotiated {
    pub fn get(&self, id: u8) -> Option<&AcceptedContext> {
        if id.is_multiple_of(2) {
            return None;
        }
        self.contexts.get(usize::from(id / 2))?.as_ref()
    }

    /// Judges an answer against the request; `requestor` if we made the request.
    ///
    /// Every accepted context must be one that was proposed, with a transfer syntax that was
    /// proposed for it. Contexts left without an answer are not accepted.
    pub fn of(rq: &AssociateRq, ac: &AssociateAc, requestor: bool) -> Result<Self, LocalError> {
        let mut contexts = vec![None; 128];
        for answered in &ac.contexts {
            let id = answered.id;
            let proposed = rq.contexts.iter().find(|proposed| proposed.id == id);
            let proposed = proposed.ok_or(LocalError::AnswerDoesNotMatch(id))?;
            let Some(transfer_syntax) = agreed(proposed, answered)? else { continue };
            let (scu, scp) = requestor_roles(rq, ac, &proposed.abstract_syntax);
            contexts[usize::from(id / 2)] = Some(AcceptedContext {
                abstract_syntax: proposed.abstract_syntax.clone(),
                transfer_syntax,
                we_may_be_scp: if requestor { scp } else { scu },
                we_may_be_scu: if requestor { scu } else { scp },
            });
        }
        Ok(Self { contexts })
    }
}

/// Whether our answer has each proposed context exactly once (PS3.8 9.3.3.2).
pub(super) fn answers_all(rq: &AssociateRq, ac: &AssociateAc) -> Result<(), LocalError> {
    for id in rq.contexts.iter().map(|context| context.id) {
        if ac.contexts.iter().filter(|answered| answered.id == id).count() != 1 {
            return Err(LocalError::AnswerDoesNotMatch(id));
        }
    }
    Ok(())
}

fn agreed(
    proposed: &PresentationContextProposed,
    answered: &PresentationContextAnswered,
) -> Result<Option<Uid>, LocalError> {
    if answered.result != ContextResult::Acceptance {
        return Ok(None);
    }
    if proposed.too_many_transfer_syntaxes {
        return Err(LocalError::TooManyTransferSyntaxes(proposed.id));
    }
    let not_proposed = LocalError::TransferSyntaxNotProposed(proposed.id);
    let accepted = answered.transfer_syntax.as_ref().ok_or(not_proposed)?;
    match proposed.transfer_syntaxes.iter().find(|syntax| *syntax == accepted) {
        Some(syntax) => Ok(Some(syntax.clone())),
        None => Err(not_proposed),
    }
}

/// The requestor's roles (SCU, SCP) for an abstract syntax. Without a proposal and an answer the
/// requestor is SCU and the acceptor SCP (PS3.7 D.3.3.4); an answer cannot grant what was not
/// proposed.
fn requestor_roles(rq: &AssociateRq, ac: &AssociateAc, abstract_syntax: &Uid) -> (bool, bool) {
    let find = |roles: &[RoleSelection]| {
        let role = roles.iter().find(|role| role.sop_class == *abstract_syntax);
        role.map(|role| (role.scu, role.scp))
    };
    match (find(&rq.user_information.roles), find(&ac.user_information.roles)) {
        (Some((scu, scp)), Some((scu_answered, scp_answered))) => {
            (scu && scu_answered, scp && scp_answered)
        }
        (None, _) | (_, None) => (true, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u14_a_peers_maximum_length_is_taken_exactly_and_refused_below_the_least() {
        assert_eq!(pdu_length_max_to_peer(0), Ok(PDU_LENGTH_MAX_OURS));
        assert_eq!(pdu_length_max_to_peer(1), Err(LocalError::PeerLengthTooSmall(1)));
        assert_eq!(pdu_length_max_to_peer(63), Err(LocalError::PeerLengthTooSmall(63)));
        assert_eq!(pdu_length_max_to_peer(64), Ok(64));
        assert_eq!(pdu_length_max_to_peer(16_383), Ok(16_383));
        assert_eq!(pdu_length_max_to_peer(u32::MAX), Ok(PDU_LENGTH_MAX_OURS));
    }
}
