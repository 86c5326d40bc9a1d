//! Receiving a data set allocates nothing.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use kuva_core::association::{Association, AssociationLimits, Event};
use kuva_core::command::{Priority, build};
use kuva_core::pdu::{
    AeTitle, AssociateAc, AssociateRq, PresentationContextAnswered, PresentationContextProposed,
    UserInformation,
};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract;
// the counter is a thread-local without destructor and allocates nothing itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, thus from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn established() -> (Association, Association) {
    let context = PresentationContextProposed::new(1, "1.2.3", vec!["1.2.840.10008.1.2".into()]);
    let title = AeTitle::new("KUVA").unwrap();
    let rq = AssociateRq::new(title, title, vec![context], UserInformation::default());
    let (mut requestor, bytes) = Association::requestor(&rq, AssociationLimits::default());
    let mut acceptor = Association::acceptor(AssociationLimits::default());
    assert!(acceptor.next(&mut &bytes[..]).unwrap().is_some());
    let contexts = vec![PresentationContextAnswered::accepted(1, "1.2.840.10008.1.2")];
    let ac = AssociateAc::answering(&rq, contexts, UserInformation::default());
    let bytes = acceptor.accept(&ac).unwrap();
    assert!(requestor.next(&mut &bytes[..]).unwrap().is_some());
    (requestor, acceptor)
}

#[test]
fn a_data_set_is_received_without_a_single_allocation_however_it_is_cut() {
    let (requestor, mut acceptor) = established();
    let command = build::c_store_rq(1, "1.2.3", "1.2.4", Priority::Medium, None);
    let bytes = requestor.command(1, &command).unwrap();
    assert!(acceptor.next(&mut &bytes[..]).unwrap().is_some());
    let mut bytes = Vec::new();
    requestor.data_set(1, &vec![1; 600_000], true, &mut bytes).unwrap();
    let before = ALLOCATIONS.get();
    let mut received = 0;
    for piece in bytes.chunks(1_447) {
        let mut input = piece;
        while let Some(event) = acceptor.next(&mut input).unwrap() {
            let Event::DataSet { bytes, .. } = event else { panic!() };
            received += bytes.len();
        }
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!(received, 600_000);
    // The counter counts: without this line the one above could not fail.
    drop(vec![0u8; 16]);
    assert!(ALLOCATIONS.get() > before);
}
