//! User information: what an A-ASSOCIATE says beside its contexts (PS3.8 Annex D, PS3.7 D.3.3).

use std::fmt;

use super::error::{PduError, PduErrorKind};
use super::reader::Reader;
use super::writer::{counted, item};
use crate::instance::Uid;

const MAXIMUM_LENGTH: u8 = 0x51;
const IMPLEMENTATION_CLASS_UID: u8 = 0x52;
const ASYNCHRONOUS_OPERATIONS: u8 = 0x53;
const ROLE_SELECTION: u8 = 0x54;
const IMPLEMENTATION_VERSION_NAME: u8 = 0x55;
const EXTENDED: u8 = 0x56;
const COMMON_EXTENDED: u8 = 0x57;
const USER_IDENTITY: u8 = 0x58;
const USER_IDENTITY_ANSWER: u8 = 0x59;
/// Longest implementation version name (PS3.7 D.3.3.2.3), characters.
const VERSION_NAME_LENGTH_MAX: usize = 16;

/// All user information sub-items. Those of unknown type are skipped.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct UserInformation {
    /// Longest P-DATA-TF body that the sender takes, bytes; 0 = unlimited, also when not sent
    /// (PS3.8 D.1).
    pub maximum_length: u32,
    /// Implementation class UID; `None` when not sent or not a UID: it only informs, and is no
    /// reason to turn somebody away.
    pub implementation_class_uid: Option<Uid>,
    /// Implementation version name, at most 16 characters.
    pub implementation_version_name: Option<String>,
    /// Asynchronous operations window: (invoked, performed), 0 = unlimited (PS3.7 D.3.3.3).
    pub asynchronous_operations: Option<(u16, u16)>,
    /// SCP/SCU role selection, in order (PS3.7 D.3.3.4).
    pub roles: Vec<RoleSelection>,
    /// SOP class extended negotiation, in order (PS3.7 D.3.3.5).
    pub extended: Vec<SopClassExtended>,
    /// SOP class common extended negotiation, in order (PS3.7 D.3.3.6).
    pub common_extended: Vec<CommonExtended>,
    /// User identity, requests only (PS3.7 D.3.3.7).
    pub user_identity: Option<UserIdentity>,
    /// Server response to a user identity, answers only (PS3.7 D.3.3.7.2).
    pub user_identity_answer: Option<Vec<u8>>,
}

/// Which roles the requestor may take for one SOP class, as proposed or as answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSelection {
    /// SOP class.
    pub sop_class: Uid,
    /// The requestor as SCU.
    pub scu: bool,
    /// The requestor as SCP.
    pub scp: bool,
}

/// Application information of a service class for one SOP class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SopClassExtended {
    /// SOP class.
    pub sop_class: Uid,
    /// As the service class defines it (storage: PS3.4 B.3.1).
    pub information: Vec<u8>,
}

/// The service class of a SOP class, and the general classes it is related to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommonExtended {
    /// SOP class.
    pub sop_class: Uid,
    /// Its service class.
    pub service_class: Uid,
    /// Related general SOP classes.
    pub related: Vec<Uid>,
}

/// Who the user says to be.
#[derive(Clone, PartialEq, Eq)]
pub struct UserIdentity {
    /// 1 username, 2 username and passcode, 3 Kerberos, 4 SAML, 5 JSON Web Token.
    pub kind: u8,
    /// A positive response is wanted.
    pub response_requested: bool,
    /// Username, ticket, assertion or token.
    pub primary: Vec<u8>,
    /// Passcode, with kind 2.
    pub secondary: Vec<u8>,
}

/// Credentials stay out of logs: only their lengths are shown.
impl fmt::Debug for UserIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserIdentity")
            .field("kind", &self.kind)
            .field("response_requested", &self.response_requested)
            .field("primary_length", &self.primary.len())
            .field("secondary_length", &self.secondary.len())
            .finish()
    }
}

impl UserInformation {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        item(out, MAXIMUM_LENGTH, 0, |out| {
            out.extend_from_slice(&self.maximum_length.to_be_bytes());
        });
        if let Some(uid) = &self.implementation_class_uid {
            item(out, IMPLEMENTATION_CLASS_UID, 0, |out| out.extend_from_slice(uid.as_bytes()));
        }
        if let Some((invoked, performed)) = self.asynchronous_operations {
            item(out, ASYNCHRONOUS_OPERATIONS, 0, |out| {
                out.extend_from_slice(&invoked.to_be_bytes());
                out.extend_from_slice(&performed.to_be_bytes());
            });
        }
        self.roles.iter().for_each(|role| role.write(out));
        if let Some(name) = &self.implementation_version_name {
            item(out, IMPLEMENTATION_VERSION_NAME, 0, |out| out.extend_from_slice(name.as_bytes()));
        }
        self.extended.iter().for_each(|extended| extended.write(out));
        self.common_extended.iter().for_each(|common| common.write(out));
        if let Some(identity) = &self.user_identity {
            identity.write(out);
        }
        if let Some(answer) = &self.user_identity_answer {
            item(out, USER_IDENTITY_ANSWER, 0, |out| counted(out, answer));
        }
    }

    pub(super) fn read(mut reader: Reader<'_>) -> Result<Self, PduError> {
        let mut information = Self::default();
        let mut maximum_length = None;
        while !reader.is_empty() {
            let start = reader;
            let (kind, _, content) = reader.item()?;
            let once = if kind == MAXIMUM_LENGTH {
                maximum_length.replace(read_maximum_length(content)?).is_none()
            } else {
                information.read_item(kind, content)?
            };
            if !once {
                return Err(start.error(PduErrorKind::Duplicate));
            }
        }
        information.maximum_length = maximum_length.unwrap_or(0);
        Ok(information)
    }

    /// Reads one sub-item; `false` if it may stand once and was there already.
    fn read_item(&mut self, kind: u8, mut content: Reader<'_>) -> Result<bool, PduError> {
        Ok(match kind {
            IMPLEMENTATION_CLASS_UID => {
                self.implementation_class_uid = content.uid().ok();
                true
            }
            IMPLEMENTATION_VERSION_NAME => {
                let name = content.text()?;
                let name = name.get(..VERSION_NAME_LENGTH_MAX).unwrap_or(name);
                self.implementation_version_name.replace(name.to_owned()).is_none()
            }
            ASYNCHRONOUS_OPERATIONS => {
                let window = (content.u16()?, content.u16()?);
                content.end()?;
                self.asynchronous_operations.replace(window).is_none()
            }
            ROLE_SELECTION => {
                self.roles.push(RoleSelection::read(content)?);
                true
            }
            EXTENDED => {
                self.extended.push(SopClassExtended::read(content)?);
                true
            }
            COMMON_EXTENDED => {
                self.common_extended.push(CommonExtended::read(content)?);
                true
            }
            USER_IDENTITY => self.user_identity.replace(UserIdentity::read(content)?).is_none(),
            USER_IDENTITY_ANSWER => {
                let answer = content.counted()?.rest().to_vec();
                content.end()?;
                self.user_identity_answer.replace(answer).is_none()
            }
            // Sub-items of unknown type are ignored and skipped (PS3.8 9.3.1).
            _ => true,
        })
    }
}

fn read_maximum_length(mut content: Reader<'_>) -> Result<u32, PduError> {
    let length = content.u32()?;
    content.end()?;
    Ok(length)
}

impl RoleSelection {
    fn write(&self, out: &mut Vec<u8>) {
        item(out, ROLE_SELECTION, 0, |out| {
            counted(out, self.sop_class.as_bytes());
            out.extend_from_slice(&[u8::from(self.scu), u8::from(self.scp)]);
        });
    }

    fn read(mut content: Reader<'_>) -> Result<Self, PduError> {
        let sop_class = content.counted()?.uid()?;
        let [scu, scp] = content.array()?;
        content.end()?;
        Ok(Self { sop_class, scu: scu == 1, scp: scp == 1 })
    }
}

impl SopClassExtended {
    fn write(&self, out: &mut Vec<u8>) {
        item(out, EXTENDED, 0, |out| {
            counted(out, self.sop_class.as_bytes());
            out.extend_from_slice(&self.information);
        });
    }

    fn read(mut content: Reader<'_>) -> Result<Self, PduError> {
        let sop_class = content.counted()?.uid()?;
        Ok(Self { sop_class, information: content.rest().to_vec() })
    }
}

impl CommonExtended {
    fn write(&self, out: &mut Vec<u8>) {
        item(out, COMMON_EXTENDED, 0, |out| {
            counted(out, self.sop_class.as_bytes());
            counted(out, self.service_class.as_bytes());
            let mut related = Vec::new();
            self.related.iter().for_each(|uid| counted(&mut related, uid.as_bytes()));
            counted(out, &related);
        });
    }

    /// What follows the related classes belongs to later versions of the item and is not tested
    /// (PS3.7 D.3.3.6.1).
    fn read(mut content: Reader<'_>) -> Result<Self, PduError> {
        let sop_class = content.counted()?.uid()?;
        let service_class = content.counted()?.uid()?;
        let mut list = content.counted()?;
        let mut related = Vec::new();
        while !list.is_empty() {
            related.push(list.counted()?.uid()?);
        }
        Ok(Self { sop_class, service_class, related })
    }
}

impl UserIdentity {
    fn write(&self, out: &mut Vec<u8>) {
        item(out, USER_IDENTITY, 0, |out| {
            out.extend_from_slice(&[self.kind, u8::from(self.response_requested)]);
            counted(out, &self.primary);
            counted(out, &self.secondary);
        });
    }

    fn read(mut content: Reader<'_>) -> Result<Self, PduError> {
        let [kind, response] = content.array()?;
        let primary = content.counted()?.rest().to_vec();
        let secondary = content.counted()?.rest().to_vec();
        content.end()?;
        Ok(Self { kind, response_requested: response == 1, primary, secondary })
    }
}
