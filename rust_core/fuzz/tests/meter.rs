//! The meter can fail a target. Alone in its process: it counts what every thread allocates.

use kuva_fuzz::meter::{Allowance, measured};

#[test]
fn an_allocation_by_claim_is_seen_and_so_is_one_made_again_and_again() {
    let allowance = Allowance { fixed: 100_000, each_at_once: 4, each_in_all: 8 };
    let claimed = measured(|| drop(std::hint::black_box(vec![0_u8; 1 << 20])));
    assert!(claimed.at_once >= 1 << 20 && !allowance.covers(10, claimed));
    let repeated = measured(|| {
        (0..1_000).for_each(|_| drop(std::hint::black_box(vec![1_u8; 1_000])));
    });
    assert!(repeated.at_once < 100_000 && !allowance.covers(1_000, repeated));
    assert!(allowance.covers(1_000, measured(|| ())));
}
