//! The local user's primitives: what we decide, checked against the state table (PS3.8 7, 9.2).

use super::LocalError;
use super::engine::{Association, Closed};
use super::negotiated::{self, Negotiated, pdu_length_max_to_peer};
use super::table::{Action, TableEvent};
use crate::pdu::{Abort, AssociateAc, AssociateRj, RELEASE_RP, RELEASE_RQ};

impl Association {
    /// A-ASSOCIATE response, accepting (AE-7): the A-ASSOCIATE-AC to send.
    ///
    /// What must echo the request does so, and the maximum length announced is ours, whatever
    /// `ac` says.
    ///
    /// # Errors
    /// [`LocalError`] if nothing awaits an answer, if the answer does not fit the request (every
    /// context answered once, only proposed syntaxes), or if the peer's maximum length is too
    /// small; nothing has changed then.
    pub fn accept(&mut self, ac: &AssociateAc) -> Result<Vec<u8>, LocalError> {
        self.possible(TableEvent::Evt7)?;
        let rq = self.request.as_deref().ok_or(LocalError::State(self.state))?;
        negotiated::answers_all(rq, ac)?;
        let negotiated = Negotiated::of(rq, ac, false)?;
        let length_max = pdu_length_max_to_peer(rq.user_information.maximum_length)?;
        let mut ac = ac.clone();
        (ac.called, ac.calling, ac.reserved) = (rq.called, rq.calling, rq.reserved);
        ac.user_information.maximum_length = self.limits.pdu_length_max_ours;
        self.negotiated = negotiated;
        self.length_max_to_peer = length_max;
        self.request = None;
        self.step(TableEvent::Evt7);
        Ok(ac.encode())
    }

    /// A-ASSOCIATE response, rejecting (AE-8): the A-ASSOCIATE-RJ to send. Then await the close.
    ///
    /// # Errors
    /// [`LocalError::State`] if nothing awaits an answer.
    pub fn reject(&mut self, rj: AssociateRj) -> Result<Vec<u8>, LocalError> {
        self.possible(TableEvent::Evt8)?;
        self.step(TableEvent::Evt8);
        self.request = None;
        Ok(rj.encode())
    }

    /// A-RELEASE request (AR-1): the A-RELEASE-RQ to send.
    ///
    /// # Errors
    /// [`LocalError::State`] if the association is not established.
    pub fn release_request(&mut self) -> Result<Vec<u8>, LocalError> {
        self.possible(TableEvent::Evt11)?;
        self.step(TableEvent::Evt11);
        Ok(RELEASE_RQ.to_vec())
    }

    /// A-RELEASE response (AR-4, AR-9): the A-RELEASE-RP to send.
    ///
    /// # Errors
    /// [`LocalError::State`] if none is owed, or (collision, acceptor) not yet.
    pub fn release_response(&mut self) -> Result<Vec<u8>, LocalError> {
        self.possible(TableEvent::Evt14)?;
        self.step(TableEvent::Evt14);
        Ok(RELEASE_RP.to_vec())
    }

    /// A-ABORT request (AA-1): the A-ABORT to send. Whatever the peer still sends is ignored.
    ///
    /// # Errors
    /// [`LocalError::State`] if there is no association to abort: then just close the transport.
    pub fn abort(&mut self, abort: Abort) -> Result<Vec<u8>, LocalError> {
        self.possible(TableEvent::Evt15)?;
        self.step(TableEvent::Evt15);
        self.deaf = true;
        Ok(abort.encode())
    }

    /// ARTIM expired (AA-2): close the transport.
    ///
    /// # Errors
    /// [`LocalError::State`] where PS3.8 does not run ARTIM; abort there, then close.
    pub fn artim_expired(&mut self) -> Result<(), LocalError> {
        self.possible(TableEvent::Evt18)?;
        self.step(TableEvent::Evt18);
        Ok(())
    }

    /// The transport was closed, by whomever.
    pub fn closed(&mut self) -> Closed {
        let broken = self.step(TableEvent::Evt17) == Some(Action::Aa4);
        if broken { Closed::Broken } else { Closed::Expected }
    }
}
