//! The order in which sockets are served.

/// The index, among `sockets` sockets, at which the delivery of the update with number `seq` begins.
///
/// A frame takes a second to reach all sockets of a full object, and the runtime always lists them in the same order.
/// The start depends on nothing that hibernation forgets, and it is mixed so that no step between the numbers (a window
/// that conflates ten updates into one, say) favours anybody.
pub fn start(seq: u64, sockets: u32) -> u32 {
    // The finaliser of SplitMix64 (Steele, Lea, Flood 2014)
    let mut mixed = seq.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    // The upper half, scaled to the number of sockets
    (((mixed >> 32) * u64::from(sockets)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_clients_take_turns_within_a_few_updates() {
        let starts: Vec<u32> = (1..=8).map(|seq| start(seq, 2)).collect();
        assert!(starts.contains(&0) && starts.contains(&1), "{starts:?}");
        assert_eq!((start(7, 0), start(7, 1)), (0, 0));
    }

    proptest! {
        #[test]
        fn every_start_is_a_socket(seq in any::<u64>(), sockets in 1u32..) {
            prop_assert!(start(seq, sockets) < sockets);
        }

        #[test]
        fn starts_spread_over_all_sockets_whatever_the_step_between_numbers(
            first in 0u64..1 << 50, step in 1u64..10_000, sockets in 8u32..40_000,
        ) {
            let mut eighths = [0u32; 8];
            for frame in 0..800 {
                let start = start(first + frame * step, sockets);
                eighths[(u64::from(start) * 8 / u64::from(sockets)) as usize] += 1;
            }
            prop_assert!(eighths.iter().all(|frames| (40..=240).contains(frames)), "{:?}", eighths);
        }
    }
}
