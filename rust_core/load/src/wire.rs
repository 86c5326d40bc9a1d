//! The wire image: one C-STORE-RQ as the bytes of its PDUs, ready but for the values that differ.

use std::sync::Arc;

use kuva_core::command::{Priority, build};
use kuva_core::pdu::{PDV_HEADER_LENGTH, write_data_header};

use crate::Trouble;
use crate::plan::{Marks, Place, Plan};

/// The marks stand in the first bytes of a data set, before any pixel data.
const MARKED_LENGTH: usize = 16 << 10;
/// (0000,0110), US, in implicit VR little endian.
const MESSAGE_ID: [u8; 8] = [0, 0, 0x10, 1, 2, 0, 0, 0];

/// One message. The head is each association's own, and is changed from instance to instance; the
/// tail is shared.
#[derive(Clone, Debug)]
pub struct WireImage {
    head: Vec<u8>,
    tail: Arc<[u8]>,
    places: Places,
    /// Bytes of the data set.
    pub data_set_length: u64,
}

#[derive(Clone, Copy, Debug)]
struct Places {
    message_id: usize,
    study: usize,
    series: usize,
    sop_instance: usize,
    affected: usize,
    number: usize,
}

impl WireImage {
    /// Cuts the data set into PDUs of at most `length_max` bytes of body.
    ///
    /// # Errors
    /// A mark is missing, stands there twice, or lies across two PDUs.
    pub fn new(
        marks: &Marks,
        data_set: &[u8],
        sop_class: &str,
        context_id: u8,
        length_max: u32,
    ) -> Result<Self, Trouble> {
        let command = build::c_store_rq(0, sop_class, &marks.sop_instance, Priority::Medium, None);
        let mut wire = Vec::with_capacity(data_set.len() + data_set.len() / 64 + 1024);
        fragments(&mut wire, context_id, true, &command.encode(), length_max);
        let data_begins = wire.len();
        fragments(&mut wire, context_id, false, data_set, length_max);
        let (command, data) = wire.split_at(data_begins);
        let data = &data[..data.len().min(MARKED_LENGTH)];
        let in_data = |mark: &str| Ok::<_, Trouble>(data_begins + only(data, mark.as_bytes())?);
        let places = Places {
            message_id: only(command, &MESSAGE_ID)? + MESSAGE_ID.len(),
            affected: only(command, marks.sop_instance.as_bytes())?,
            study: in_data(&marks.study)?,
            series: in_data(&marks.series)?,
            sop_instance: in_data(&marks.sop_instance)?,
            number: in_data(&marks.number)?,
        };
        let tail = wire.split_off(places.end(marks));
        let data_set_length = data_set.len() as u64;
        Ok(Self { head: wire, tail: tail.into(), places, data_set_length })
    }

    /// The message of one instance: two pieces, to be sent one after the other.
    pub fn of(&mut self, plan: &Plan, place: Place, message_id: u16) -> (&[u8], &[u8]) {
        let sop_instance = plan.uid(3, place.instance);
        let width = plan.marks.number.len();
        self.put(self.places.message_id, &message_id.to_le_bytes());
        self.put(self.places.affected, sop_instance.as_bytes());
        self.put(self.places.sop_instance, sop_instance.as_bytes());
        self.put(self.places.study, plan.uid(1, place.study).as_bytes());
        self.put(self.places.series, plan.uid(2, place.series).as_bytes());
        // IS may have trailing spaces (PS3.5 6.2).
        self.put(self.places.number, format!("{:<width$}", place.number).as_bytes());
        (&self.head, &self.tail)
    }

    fn put(&mut self, at: usize, value: &[u8]) {
        self.head[at..at + value.len()].copy_from_slice(value);
    }
}

impl Places {
    /// Behind the last of them.
    fn end(self, marks: &Marks) -> usize {
        let ends = [
            self.study + marks.study.len(),
            self.series + marks.series.len(),
            self.sop_instance + marks.sop_instance.len(),
            self.number + marks.number.len(),
        ];
        ends.into_iter().fold(self.affected, usize::max)
    }
}

fn fragments(out: &mut Vec<u8>, context_id: u8, command: bool, bytes: &[u8], length_max: u32) {
    // Every fragment has an even number of bytes (PS3.8 E.1).
    let size = (length_max as usize - PDV_HEADER_LENGTH) & !1;
    let count = bytes.len().div_ceil(size);
    for (number, fragment) in bytes.chunks(size).enumerate() {
        let last = number + 1 == count;
        write_data_header(out, context_id, command, last, fragment.len() as u32);
        out.extend_from_slice(fragment);
    }
}

/// Where `wanted` stands, exactly once.
fn only(bytes: &[u8], wanted: &[u8]) -> Result<usize, Trouble> {
    let mut found = bytes.windows(wanted.len()).enumerate().filter(|(_, piece)| *piece == wanted);
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Ok(at),
        (None, _) => Err(format!("mark {:?} is missing", String::from_utf8_lossy(wanted))),
        (Some(_), Some(_)) => {
            Err(format!("mark {:?} is there twice", String::from_utf8_lossy(wanted)))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use kuva_core::command::{Command, CommandSet};
    use kuva_core::pdu::{Pdu, Pdv};

    use super::*;
    use crate::plan::tests::plan;

    const CT: &str = "1.2.840.10008.5.1.4.1.1.2";

    fn data_set(marks: &Marks) -> Vec<u8> {
        let text =
            [&marks.sop_instance, &marks.study, &marks.series, &marks.number].map(|mark| &mark[..]);
        [text.join("|").as_bytes(), &[7; 1001]].concat()
    }

    /// Reads the PDUs back with the core's own decoder.
    fn values(mut wire: &[u8], length_max: u32) -> Vec<Pdv> {
        let mut values = Vec::new();
        while !wire.is_empty() {
            let length = u32::from_be_bytes(wire[2..6].try_into().unwrap());
            let (pdu, rest) = wire.split_at(6 + length as usize);
            let Pdu::DataTf(data) = Pdu::decode(pdu, length_max).unwrap() else {
                panic!("no data")
            };
            values.extend(data.values);
            wire = rest;
        }
        values
    }

    fn joined(values: &[Pdv], command: bool) -> Vec<u8> {
        let wanted = values.iter().filter(|value| value.command == command);
        wanted.flat_map(|value| value.bytes.clone()).collect()
    }

    #[test]
    fn a_message_reads_back_with_its_own_values_whatever_the_peers_maximum_length() {
        let plan = plan();
        let data_set = data_set(&plan.marks);
        for length_max in [512, 4096, 131_072] {
            let mut image = WireImage::new(&plan.marks, &data_set, CT, 5, length_max).unwrap();
            for (index, message_id) in [(0, 1), (6, 65_535)] {
                let place = plan.place(2, index);
                let (head, tail) = image.of(&plan, place, message_id);
                let values = values(&[head, tail].concat(), length_max);
                assert!(values.iter().all(|value| value.context_id == 5));
                assert!(values.last().unwrap().last);
                let command = CommandSet::decode(&joined(&values, true)).unwrap();
                let Command::CStoreRq { message_id: id, sop_class, sop_instance, .. } =
                    Command::of(&command).unwrap()
                else {
                    panic!("no C-STORE-RQ")
                };
                let uid = plan.uid(3, place.instance);
                assert_eq!((id, &*sop_class, &*sop_instance), (message_id, CT, &*uid));
                let text = String::from_utf8_lossy(&data_set)
                    .replace(&plan.marks.sop_instance, &uid)
                    .replace(&plan.marks.study, &plan.uid(1, place.study))
                    .replace(&plan.marks.series, &plan.uid(2, place.series))
                    .replace(&plan.marks.number, &format!("{:<8}", place.number));
                assert_eq!(String::from_utf8_lossy(&joined(&values, false)), text);
            }
        }
    }

    #[test]
    fn a_mark_that_is_missing_or_cut_or_there_twice_is_found_out_before_anything_is_sent() {
        let plan = plan();
        let good = data_set(&plan.marks);
        let image = |data_set: &[u8], length_max| {
            WireImage::new(&plan.marks, data_set, CT, 1, length_max).map(|_| ())
        };
        assert!(image(&good, 131_072).is_ok());
        assert!(image(&good[50..], 131_072).unwrap_err().contains("missing"));
        assert!(image(&good, 64).unwrap_err().contains("missing"));
        assert!(image(&[&good[..], &good[..]].concat(), 131_072).unwrap_err().contains("twice"));
    }
}
