//! The host's time stamp counter, which is also that of an emulated guest.

/// How long it is compared with the clock: 100 ms, so that an error of 10 µs is one of 100 ppm. KVM
/// tolerates 250.
#[cfg(target_arch = "x86_64")]
const SPAN: std::time::Duration = std::time::Duration::from_millis(100);

/// Ticks each millisecond, measured; none on a host without such a counter.
#[cfg(target_arch = "x86_64")]
pub(super) fn frequency_khz() -> Option<u64> {
    // The reading that takes least time is the one that nobody interrupted.
    let (start, begin) = best_reading();
    std::thread::sleep(SPAN);
    let (end, finish) = best_reading();
    let nanoseconds = finish.duration_since(begin).as_nanos();
    let ticks = u128::from(end.wrapping_sub(start));
    (ticks * 1_000_000).checked_div(nanoseconds).and_then(|khz| u64::try_from(khz).ok())
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn frequency_khz() -> Option<u64> {
    None
}

#[cfg(target_arch = "x86_64")]
fn best_reading() -> (u64, std::time::Instant) {
    let reading = || {
        let before = std::time::Instant::now();
        // SAFETY: every x86-64 processor has the instruction, and it touches nothing but registers.
        let ticks = unsafe { core::arch::x86_64::_rdtsc() };
        (before.elapsed(), ticks, before)
    };
    let best = (0..8).map(|_| reading()).min_by_key(|(took, ..)| *took);
    let (_, ticks, at) = best.unwrap_or_else(reading);
    (ticks, at)
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn two_measurements_agree_as_closely_as_kvm_demands() {
        let closest = (0..5).map(|_| {
            let (one, other) = (frequency_khz().unwrap(), frequency_khz().unwrap());
            assert!(one > 100_000, "{one} kHz");
            one.abs_diff(other) * 1_000_000 / one
        });
        assert!(closest.min().unwrap() < 250);
    }
}
