//! Storage commitment in the load: what is asked, and the reports as they come in, on any association.

use kuva_core::association::{Association, Event};
use kuva_core::command::{Command, CommandSet, build};
use kuva_core::commitment::Information;
use kuva_core::dataset::encoding_of;

use crate::Trouble;
use crate::peer::SUCCESS;

/// The Storage Commitment Push Model (PS3.4 J.3).
pub const SOP_CLASS: &str = "1.2.840.10008.1.20.1";
/// Its well-known instance (PS3.4 J.3.5).
pub const SOP_INSTANCE: &str = "1.2.840.10008.1.20.1.1";
/// The transfer syntax that everybody takes (PS3.5 10.1): implicit VR little endian.
pub const TRANSFER_SYNTAX: &str = "1.2.840.10008.1.2";
/// Action type (PS3.4 J.3.2.1).
pub const REQUEST_STORAGE_COMMITMENT: u16 = 1;

const CLASS: [u16; 2] = [0x0008, 0x1150];
const INSTANCE: [u16; 2] = [0x0008, 0x1155];
const TRANSACTION: [u16; 2] = [0x0008, 0x1195];
const REFERENCED: [u16; 2] = [0x0008, 0x1199];
const ITEM: [u16; 2] = [0xFFFE, 0xE000];

/// The information of an N-ACTION-RQ, in implicit VR little endian, of (class, instance) pairs.
pub fn request<'a>(
    transaction: &str,
    references: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<u8> {
    let (mut items, mut item) = (Vec::new(), Vec::new());
    for (class, instance) in references {
        item.clear();
        uid(&mut item, CLASS, class);
        uid(&mut item, INSTANCE, instance);
        element(&mut items, ITEM, &item);
    }
    let mut information = Vec::with_capacity(items.len() + 100);
    uid(&mut information, TRANSACTION, transaction);
    element(&mut information, REFERENCED, &items);
    information
}

fn uid(out: &mut Vec<u8>, tag: [u16; 2], value: &str) {
    let mut padded = value.as_bytes().to_vec();
    if !padded.len().is_multiple_of(2) {
        padded.push(0);
    }
    element(out, tag, &padded);
}

fn element(out: &mut Vec<u8>, tag: [u16; 2], value: &[u8]) {
    tag.iter().for_each(|half| out.extend_from_slice(&half.to_le_bytes()));
    out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    out.extend_from_slice(value);
}

/// A report that is coming in: its command set is there, its information not yet whole.
#[derive(Debug, Default)]
pub struct Incoming {
    open: Option<Report>,
}

/// An N-EVENT-REPORT-RQ.
#[derive(Debug)]
pub struct Report {
    context_id: u8,
    raw: CommandSet,
    information: Vec<u8>,
}

impl Incoming {
    /// Takes what belongs to a report, and gives it when it is whole; an event that is nothing of a
    /// report comes back.
    pub fn take<'a>(&mut self, event: Event<'a>) -> Result<Option<Report>, Event<'a>> {
        match event {
            Event::Command {
                context_id,
                command: Command::NEventReportRq { has_data_set: true, .. },
                raw,
            } => {
                self.open = Some(Report { context_id, raw, information: Vec::new() });
                Ok(None)
            }
            Event::DataSet { bytes, last, .. } if self.open.is_some() => {
                if let Some(report) = &mut self.open {
                    report.information.extend_from_slice(bytes);
                }
                Ok(if last { self.open.take() } else { None })
            }
            other => Err(other),
        }
    }
}

impl Report {
    /// What it tells, strictly read.
    pub fn read(&self, engine: &Association) -> Result<Information, Trouble> {
        let context = engine.context(self.context_id).ok_or("a report without its context")?;
        let encoding = encoding_of(&context.transfer_syntax)
            .ok_or("a report in a transfer syntax that we do not know")?;
        Information::read(&self.information, encoding)
            .map_err(|refusal| format!("a report that cannot be read: {refusal:?}"))
    }

    /// The N-EVENT-REPORT-RSP as PDUs: it was taken.
    pub fn answer(&self, engine: &Association) -> Result<Vec<u8>, Trouble> {
        let answer = build::response(&self.raw, SUCCESS, None, &[])
            .ok_or("a report that cannot be answered")?;
        engine.command(self.context_id, &answer).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use kuva_core::dataset::Encoding;

    use super::*;

    #[test]
    fn the_cores_own_reader_finds_in_a_request_what_was_asked() {
        let asked =
            [("1.2.840.10008.5.1.4.1.1.2", "2.25.31"), ("1.2.840.10008.5.1.4.1.1.4", "2.25.4")];
        let read =
            Information::read(&request("2.25.123", asked.into_iter()), Encoding::ImplicitLittle);
        let read = read.unwrap();
        assert_eq!(read.transaction.as_deref(), Some("2.25.123"));
        let found: Vec<_> = read.referenced.unwrap();
        let found: Vec<_> = found.iter().map(|one| (&*one.sop_class, &*one.sop_instance)).collect();
        assert_eq!(found, asked);
        assert_eq!(read.failed, None);
    }
}
